"""Journals of earlier releases: read as they were written, and folded to what they were folded to then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stargate.journal import Head, SqliteJournal, SqliteReader, export_lines, import_lines, restart, to_entry
from stargate.journal.restart import form
from tests.journal.golden.make import FOLDER, figures
from tests.journal.making import tamper

GOLDEN = sorted(FOLDER.glob("*.db"))


def test_there_is_at_least_one() -> None:
    assert GOLDEN


@pytest.fixture(params=GOLDEN, ids=[path.stem for path in GOLDEN])
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a golden journal, and what was recorded of it."""
    copy: Path = tmp_path / "journal.db"
    shutil.copy(request.param, copy)
    shutil.copy(request.param.with_suffix(".json"), copy.with_suffix(".json"))
    return copy


def recorded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return found


def test_it_verifies_to_the_recorded_head(golden: Path) -> None:
    with SqliteReader(golden) as reader:
        assert reader.verify(Head.parse(recorded(golden)["head"])).demand().head.seq > 200


def test_every_fact_of_it_is_known(golden: Path) -> None:
    with SqliteReader(golden) as reader:
        for record in reader.read():
            assert to_entry(record).seq == record.seq


def test_it_folds_to_the_recorded_state(golden: Path) -> None:
    tamper(golden, "DELETE FROM snapshot")
    told = recorded(golden)
    with SqliteReader(golden) as reader:
        found = restart(reader)
    assert figures(found.state) == told["figures"]
    remedy = "the records of the state changed: run `python -m tests.journal.golden.make --digests`"
    assert form() in told["digests"], remedy
    assert found.state.state.digest() == told["digests"][form()]


def test_its_snapshots_are_used_or_passed_over_and_the_state_is_the_same(golden: Path) -> None:
    with SqliteReader(golden) as reader:
        assert reader.snapshots()
        found = restart(reader)
    assert figures(found.state) == recorded(golden)["figures"]
    assert bool(found.snapshot) != bool(found.warnings)


def test_it_can_be_written_on(golden: Path) -> None:
    with SqliteJournal(golden) as journal:
        head = journal.head()
        last = next(journal.read(head.seq - 1))
        journal.append([msgspec.structs.replace(last, seq=head.seq + 1, cause="later")])
        assert journal.verify(head).ok


def test_its_export_imports_to_the_same_hashes(golden: Path, tmp_path: Path) -> None:
    with SqliteReader(golden) as reader, SqliteJournal(tmp_path / "copy.db") as copy:
        assert str(import_lines(export_lines(reader), copy)) == recorded(golden)["head"]
