"""A folder for spools on memory, where there is one: what is tested is not the disk's speed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 1 << 30


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    if not (usable and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES):
        yield tmp_path / "spool"
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="stargate-") as name:
        yield Path(name) / "spool"
