"""The journal's commands, on the file of a running server and on damaged ones."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from stargate.cli.journal import brief
from tests.cli.conftest import Run


@pytest.fixture
def copy(server_data: Path, tmp_path: Path) -> Path:
    """The server's journal, to be damaged."""
    with (
        sqlite3.connect(server_data / "journal.sqlite") as source,
        sqlite3.connect(tmp_path / "journal.sqlite") as to,
    ):
        source.backup(to)
    source.close()
    to.close()
    return tmp_path


def test_verify(on_server: Run) -> None:
    ran = on_server("journal", "verify")
    assert ran.code == 0
    head = ran.out.splitlines()[-1].removeprefix("head ")
    assert on_server("journal", "verify", "--head", head).code == 0
    found = on_server("journal", "verify", "--json").json
    assert found["ok"]
    assert found["entries"] >= 1


@pytest.mark.parametrize("head", ["1", "x:y", "1:00"])
def test_a_head_that_is_none(on_server: Run, head: str) -> None:
    ran = on_server("journal", "verify", "--head", head)
    assert ran.code == 2
    assert "SEQ:HASH" in ran.err


def test_a_head_of_another_history(on_server: Run) -> None:
    assert on_server("journal", "verify", "--head", f"1:{'00' * 32}").code == 1


def test_a_damaged_entry_is_found(run: Run, copy: Path) -> None:
    with sqlite3.connect(copy / "journal.sqlite") as damaged:
        triggers = [
            name for (name,) in damaged.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ]
        for name in triggers:
            damaged.execute(f"DROP TRIGGER {name}")
        damaged.execute("UPDATE fact SET cause = 'somebody else' WHERE seq = 1")
    damaged.close()
    ran = run("journal", "verify", "--data", copy)
    assert ran.code == 1
    assert "entry 1" in ran.err
    found = run("journal", "verify", "--data", copy, "--json")
    assert (found.code, found.json["ok"], found.json["first_bad"]) == (1, False, 1)


def test_export(on_server: Run, tmp_path: Path) -> None:
    lines = on_server("journal", "export").out.splitlines()
    assert json.loads(lines[0]) == {"stargate_journal": 1}
    assert json.loads(lines[1])["kind"] == "declared"
    assert "head" in json.loads(lines[-1])
    path = tmp_path / "export.jsonl"
    assert on_server("journal", "export", "-o", path).code == 0
    assert len(path.read_text(encoding="utf-8").splitlines()) >= len(lines)
    assert [file.name for file in tmp_path.iterdir()] == ["export.jsonl"]


def test_show(on_server: Run) -> None:
    items = on_server("journal", "show", "--after", 0, "--limit", 1, "--json").json["items"]
    assert [(item["seq"], item["kind"]) for item in items] == [(1, "declared")]
    assert on_server("journal", "show", "--kind", "declared", "--limit", 1).out.count("\n") == 2
    assert on_server("journal", "show", "--cause", "nobody", "--json").json["items"] == []


def test_without_a_journal(run: Run, tmp_path: Path) -> None:
    ran = run("journal", "verify", "--data", tmp_path / "none")
    assert ran.code == 2
    assert ran.err.startswith("stargate: ")
    shutil.copyfile(__file__, tmp_path / "journal.sqlite")
    assert run("journal", "verify", "--data", tmp_path).code == 1


def test_facts_in_brief() -> None:
    assert (
        brief({"type": "placed", "pool": "a", "nodes": [1], "slot": 0, "says": "b\nc"})
        == "pool=a slot=0 says=b c"
    )
    assert len(brief({"says": "x" * 1000})) == 120
