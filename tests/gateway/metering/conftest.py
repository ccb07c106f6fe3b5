"""A folder for spools on memory, where there is one: what is tested is not the disk's speed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        yield tmp_path / "spool"
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="stargate-") as name:
        yield Path(name) / "spool"
