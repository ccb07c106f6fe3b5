"""Same input, same output: also where Python hashes strings differently."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from hashlib import sha256
from stargate.rehearsal.traces import open_trace
from stargate.rehearsal.traces.demand import Demand, generated
from stargate.rehearsal.traces.transform import Assign, Rule, Scale, transformed
rule = Rule(by="user", team={"a": 0.5, "b": 0.3}, provider={"x": 0.2, "y": 0.5})
steps = [Scale(count=1.7, seed=3), Assign((rule,), seed=4)]
jobs = transformed(generated(Demand("seren", 0.2, seed=1)), steps)
digest = sha256()
for record in (*jobs, *open_trace(sys.argv[1], seed=5)):
    digest.update(repr(record).encode())
print(digest.hexdigest())
"""


def digest(folder: Path, seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_hashing_of_strings_changes_nothing(tmp_path: Path) -> None:
    from tests.rehearsal.traces.samples import SERVEGEN

    for name, text in SERVEGEN.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    first, second = digest(tmp_path, "0"), digest(tmp_path, "12345")
    assert len(first) == 65
    assert first == second
