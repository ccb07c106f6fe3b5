"""A rehearsal's entries reach the journal, all of them and in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.broker import Entry
from stargate.journal import SqliteJournal, restart
from stargate.rehearsal.flat import rehearse
from stargate.rehearsal.recorder import Recorder
from stargate.rehearsal.traces import Job

JOBS = [Job(str(number), number, 7, 3, 7) for number in range(1, 30)]


@pytest.mark.parametrize("at_once", [1, 10, 10_000])
def test_the_journal_replays_to_the_state_of_the_rehearsal(tmp_path: Path, at_once: int) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite")
    with Recorder(journal, at_once) as sink:
        flat = rehearse(JOBS, 8, "easy", sink=sink)
    assert journal.head().seq == flat.facts
    assert restart(journal).state.state.digest() == flat.state_digest
    journal.close()


def test_what_failed_is_not_written_halfway(tmp_path: Path) -> None:
    """The rest is written when all went well, and only then."""
    journal = SqliteJournal(tmp_path / "journal.sqlite")
    sink = Recorder(journal)

    def failing() -> None:
        with sink:
            rehearse(JOBS[:2], 8, "easy", sink=sink)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert journal.head().seq == 0
    journal.close()


def test_what_goes_on_from_a_journal_is_whole_again(tmp_path: Path) -> None:
    """Entries of the former one come first; what it has got since then does not."""
    first = tmp_path / "first.sqlite"
    journal = SqliteJournal(first)
    entries: list[Entry] = []
    with Recorder(journal) as sink:

        def tell(some: tuple[Entry, ...]) -> None:
            entries.extend(some)
            sink(some)

        flat = rehearse(JOBS, 8, "easy", sink=tell)
    journal.close()
    second = SqliteJournal(tmp_path / "second.sqlite")
    with Recorder(second, 7, before=first) as sink:
        sink(tuple(entries[50:60]))
        sink(tuple(entries[60:]))
    assert sink.since == 50
    assert second.head().seq == flat.facts
    assert restart(second).state.state.digest() == flat.state_digest
    second.close()
