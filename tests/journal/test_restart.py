from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stargate.base.errors import JournalError
from stargate.base.time import Instant
from stargate.broker import Entry, Machine
from stargate.broker.fact import SupplyMarked
from stargate.broker.records import Records
from stargate.journal import Record, SqliteJournal, restart, snapshot_of, to_entry, to_record
from stargate.journal.restart import _layout, form


class Before(msgspec.Struct):
    a: int


class After(msgspec.Struct):
    a: int = 0
    b: str = ""


class Outer(msgspec.Struct):
    inner: dict[str, tuple[Before | None, ...]]


def marks(first: int, last: int) -> list[Entry]:
    """Facts that need nothing declared: pools marked lost."""
    return [
        Entry(n, Instant(n), f"cmd-{n}", SupplyMarked("pool", f"pool-{n % 7}", "lost"))
        for n in range(first, last + 1)
    ]


def machine(last: int) -> Machine:
    made = Machine()
    for entry in marks(1, last):
        made.apply(entry)
    return made


def filled(folder: Path, last: int) -> SqliteJournal:
    journal = SqliteJournal(folder / "journal.db", durable=False)
    journal.append([to_record(entry) for entry in marks(1, last)])
    return journal


def test_an_empty_journal_gives_a_new_machine(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "journal.db") as journal:
        assert restart(journal).state.state.digest() == Machine().state.digest()


def test_the_machine_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with filled(tmp_path, 30) as journal:
        found = restart(journal)
    assert found.head.seq == found.state.state.records.seq == 30
    assert found.state.state.digest() == machine(30).state.digest()


def test_a_snapshot_gives_the_same_machine(tmp_path: Path) -> None:
    with filled(tmp_path, 30) as journal:
        journal.save(*snapshot_of(machine(20)))
        found = restart(journal)
    assert (found.snapshot, found.warnings) == (20, ())
    assert found.state.state.digest() == machine(30).state.digest()


def test_the_digest_in_a_snapshot_is_the_state_s_own() -> None:
    made = machine(30)
    assert snapshot_of(made)[2] == made.state.digest()


def test_a_snapshot_of_another_layout_is_passed_over(tmp_path: Path) -> None:
    with filled(tmp_path, 30) as journal:
        seq, _, digest, data = snapshot_of(machine(20))
        journal.save(seq, "0.0.9/0123456789abcdef", digest, data)
        found = restart(journal)
    assert (found.snapshot, len(found.warnings)) == (0, 1)
    assert found.state.state.digest() == machine(30).state.digest()


def test_the_form_names_the_version_and_every_record() -> None:
    assert form().startswith("0.")
    names = {name for name, _, _ in _layout(Records)}
    assert {
        "Records",
        "WorkloadState",
        "AttemptState",
        "Slot",
        "Workload",
        "Infrastructure",
        "Need",
        "Lease",
    } <= names


def test_the_layout_shows_any_change_of_a_field() -> None:
    assert _layout(Before) < _layout(Outer)
    assert {fields for _, _, fields in _layout(Before)} != {fields for _, _, fields in _layout(After)}


def test_the_layout_shows_a_new_word() -> None:
    words = {fields for name, _, fields in _layout(Records) if not name}
    assert any(("term_end", "") in fields for fields in words)


def test_an_entry_reads_back() -> None:
    for entry in marks(1, 9):
        record = to_record(entry)
        assert record.kind == "supply_marked"
        assert to_entry(record) == entry


@pytest.mark.parametrize("body", [b"\x81\xa4type\xa7unheard", b"\xc1", b"\x80", b""])
def test_a_fact_that_is_not_known_is_named(tmp_path: Path, body: bytes) -> None:
    record = Record(1, 0, "cmd-1", "unheard", body)
    with pytest.raises(JournalError, match=r"entry 1 .unheard. cannot be read.*use one that knows it"):
        to_entry(record)
    with SqliteJournal(tmp_path / "journal.db") as journal:
        journal.append([record])
        with pytest.raises(JournalError, match=r"entry 1 .unheard. cannot be read"):
            restart(journal)
        assert journal.verify().ok
