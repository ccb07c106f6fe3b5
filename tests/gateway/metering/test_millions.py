from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

GROWTH_KIB = 48 << 10


@pytest.mark.parametrize("attempts", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_great_backlog_is_shipped_in_little_memory(folder: Path, attempts: int) -> None:
    command = [sys.executable, "-m", "tests.gateway.metering.millions", str(folder), str(attempts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("grown_kib") < GROWTH_KIB
    assert told == {"waited": attempts, "arrived": attempts, "left": 0}
