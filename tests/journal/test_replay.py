from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import JournalError
from stargate.base.wire import pack
from stargate.journal import GENESIS, Record, SqliteJournal, SqliteReader, replay
from tests.journal.making import NUMBERS, digest, journal, tamper


def save(made: SqliteJournal, seq: int, form: str = NUMBERS.name) -> None:
    data = pack(list(range(1, seq + 1)))
    made.save(seq, form, digest(data), data)


def test_an_empty_journal_gives_the_empty_state(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        found = replay(made, NUMBERS)
    assert (found.state, found.head, found.snapshot, found.warnings) == ([], GENESIS, 0, ())


def test_without_a_snapshot_everything_is_folded(tmp_path: Path) -> None:
    with journal(tmp_path, entries=25) as made:
        found = replay(made, NUMBERS)
        assert found.state == list(range(1, 26))
        assert found.head == made.head()


def test_from_a_snapshot_only_the_rest_is_folded(tmp_path: Path) -> None:
    folded: list[int] = []

    def apply(state: list[int], record: Record) -> None:
        folded.append(record.seq)
        state.append(record.seq)

    counting = msgspec.structs.replace(NUMBERS, apply=apply)
    with journal(tmp_path, entries=25) as made:
        save(made, 10)
        save(made, 20)
        found = replay(made, counting)
        assert found.head == made.head()
    assert found.state == list(range(1, 26))
    assert (found.snapshot, folded) == (20, [21, 22, 23, 24, 25])


@given(st.integers(0, 30), st.lists(st.integers(1, 30), max_size=3))
@settings(max_examples=25, deadline=None)
def test_snapshots_never_change_the_outcome(
    tmp_path_factory: pytest.TempPathFactory, entries: int, seqs: list[int]
) -> None:
    with journal(tmp_path_factory.mktemp("snapshots"), entries) as made:
        for seq in seqs:
            if seq <= entries:
                save(made, seq)
        found = replay(made, NUMBERS)
        assert found.state == list(range(1, entries + 1))
        assert found.snapshot == max((seq for seq in seqs if seq <= entries), default=0)


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ("data = x'00'", "the snapshot at entry 20 does not match its checksum"),
        ("hash = zeroblob(32)", "the snapshot at entry 20 does not match its checksum"),
    ],
)
def test_a_damaged_snapshot_is_passed_over_for_the_one_before(
    tmp_path: Path, change: str, warning: str
) -> None:
    with journal(tmp_path, entries=25) as made:
        save(made, 10)
        save(made, 20)
    tamper(tmp_path / "journal.db", f"UPDATE snapshot SET {change} WHERE seq = 20")
    with SqliteReader(tmp_path / "journal.db") as reader:
        found = replay(reader, NUMBERS)
    assert found.state == list(range(1, 26))
    assert (found.snapshot, found.warnings) == (10, (warning,))


def test_a_snapshot_of_another_form_is_passed_over(tmp_path: Path) -> None:
    with journal(tmp_path, entries=25) as made:
        save(made, 20, form="numbers-2")
        found = replay(made, NUMBERS)
    assert found.state == list(range(1, 26))
    assert found.snapshot == 0
    assert "has the form 'numbers-2', this program reads 'numbers-1'" in found.warnings[0]


@pytest.mark.parametrize(
    ("told", "data", "warning"),
    [
        ("other", pack([1, 2]), "its state has another digest"),
        (digest(pack("no numbers")), pack("no numbers"), "it cannot be read: "),
        (digest(b"\xc1"), b"\xc1", "it cannot be read: "),
    ],
)
def test_a_snapshot_that_does_not_restore_is_passed_over(
    tmp_path: Path, told: str, data: bytes, warning: str
) -> None:
    with journal(tmp_path, entries=25) as made:
        made.save(20, NUMBERS.name, told, data)
        found = replay(made, NUMBERS)
    assert found.state == list(range(1, 26))
    assert warning in found.warnings[0]


def test_a_snapshot_of_another_history_is_passed_over(tmp_path: Path) -> None:
    """A snapshot of a longer life than the entries, as after restoring half of a backup."""
    with journal(tmp_path, entries=25) as made:
        save(made, 10)
        save(made, 20)
    tamper(tmp_path / "journal.db", "DELETE FROM fact WHERE seq > 15")
    with SqliteReader(tmp_path / "journal.db") as reader:
        found = replay(reader, NUMBERS)
    assert found.state == list(range(1, 16))
    assert found.warnings == ("the snapshot at entry 20 was not used: it belongs to another history",)
    assert found.snapshot == 10


def test_a_broken_chain_stops_the_replay_and_names_the_entry(tmp_path: Path) -> None:
    journal(tmp_path, entries=25).close()
    tamper(tmp_path / "journal.db", "UPDATE fact SET body = x'80' WHERE seq = 15")
    with (
        SqliteReader(tmp_path / "journal.db") as reader,
        pytest.raises(JournalError, match=r"does not verify: entry 15 .noted. does not match its hash"),
    ):
        replay(reader, NUMBERS)
