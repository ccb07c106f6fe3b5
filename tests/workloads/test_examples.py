"""The examples of the repository load, and come back from YAML as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.workloads import load, parse, to_yaml
from stargate.workloads.importing import import_text
from tests.conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


@pytest.mark.parametrize(
    "path", sorted((EXAMPLES / "stargate" / "workloads").iterdir()), ids=lambda path: path.name
)
def test_workloads(path: Path) -> None:
    workload = load(path)
    assert workload.run
    assert parse(to_yaml(workload)) == workload


@pytest.mark.parametrize("path", sorted((EXAMPLES / "import").iterdir()), ids=lambda path: path.name)
def test_files_of_other_systems(path: Path) -> None:
    imported = import_text(path.read_text(encoding="utf-8"), path.name)
    assert imported.workload.name == path.name.partition(".")[0]
    assert not [note for note in imported.notes if "no counterpart" in note]
    assert parse(to_yaml(imported.workload)) == imported.workload
