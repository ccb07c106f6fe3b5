from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import JournalError
from stargate.journal import GENESIS, Head, SqliteReader
from tests.journal.making import NUMBERS, journal, records, tamper


def test_an_empty_journal_verifies(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        assert made.verify().demand().head == GENESIS


def test_a_whole_journal_verifies_to_its_head(tmp_path: Path) -> None:
    with journal(tmp_path, entries=30) as made:
        made.save(20, NUMBERS.name, "digest", b"state")
        found = made.verify(made.head())
        assert found.demand() is found
        assert (found.head, found.first_bad, found.snapshots, found.warnings) == (
            made.head(),
            None,
            (20,),
            (),
        )


@pytest.mark.parametrize("seq", [1, 2, 17, 30])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fact SET body = x'80' WHERE seq = {}",
        "UPDATE fact SET at = at + 1 WHERE seq = {}",
        "UPDATE fact SET cause = 'someone' WHERE seq = {}",
        "UPDATE fact SET kind = 'other' WHERE seq = {}",
        "UPDATE fact SET hash = zeroblob(32) WHERE seq = {}",
        "INSERT OR REPLACE INTO fact SELECT {}, at, cause, kind, x'80', hash FROM fact WHERE seq = 9",
    ],
)
def test_the_first_altered_entry_is_named(tmp_path: Path, seq: int, statement: str) -> None:
    journal(tmp_path, entries=30).close()
    tamper(tmp_path / "journal.db", statement.format(seq))
    with SqliteReader(tmp_path / "journal.db") as reader:
        found = reader.verify()
    assert not found.ok
    assert (found.first_bad, found.head.seq) == (seq, seq - 1)
    assert f"entry {seq} " in found.problem
    with pytest.raises(JournalError, match=f"does not verify from entry {seq} on"):
        found.demand()


@pytest.mark.parametrize("seq", [1, 2, 17])
def test_a_removed_entry_is_named(tmp_path: Path, seq: int) -> None:
    journal(tmp_path, entries=30).close()
    tamper(tmp_path / "journal.db", f"DELETE FROM fact WHERE seq = {seq}")
    with SqliteReader(tmp_path / "journal.db") as reader:
        found = reader.verify()
    assert (found.first_bad, found.problem) == (seq, f"entry {seq} is missing: {seq + 1} follows {seq - 1}")


def test_a_cut_end_shows_against_a_head_noted_earlier(tmp_path: Path) -> None:
    with journal(tmp_path, entries=30) as made:
        noted = made.head()
    tamper(tmp_path / "journal.db", "DELETE FROM fact WHERE seq > 27")
    with SqliteReader(tmp_path / "journal.db") as reader:
        assert reader.verify().ok
        found = reader.verify(noted)
    assert (found.first_bad, found.problem) == (28, "entries 28 to 30 are missing from the end")


def test_a_rewritten_history_shows_against_a_head_noted_earlier(tmp_path: Path) -> None:
    with journal(tmp_path, entries=30) as made:
        found = made.verify(Head(10, bytes(32)))
    assert (found.first_bad, found.head.seq) == (10, 9)
    assert "history was rewritten" in found.problem


def test_bad_snapshots_are_warnings(tmp_path: Path) -> None:
    with journal(tmp_path, entries=30) as made:
        made.save(10, NUMBERS.name, "digest", b"ten")
        made.save(20, NUMBERS.name, "digest", b"twenty")
    tamper(tmp_path / "journal.db", "UPDATE snapshot SET digest = 'other' WHERE seq = 20")
    with SqliteReader(tmp_path / "journal.db") as reader:
        found = reader.verify()
    assert found.ok
    assert found.snapshots == (10,)
    assert found.warnings == ("the snapshot at entry 20 does not match its checksum",)


def test_a_snapshot_after_the_first_bad_entry_is_a_warning(tmp_path: Path) -> None:
    with journal(tmp_path, entries=30) as made:
        made.save(20, NUMBERS.name, "digest", b"twenty")
    tamper(tmp_path / "journal.db", "UPDATE fact SET body = x'80' WHERE seq = 15")
    with SqliteReader(tmp_path / "journal.db") as reader:
        found = reader.verify()
    assert found.first_bad == 15
    assert found.warnings == ("the snapshot at entry 20 belongs to another history",)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_byte_of_the_file_is_damaged_no_altered_entry_verifies(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Damage may hit unused bytes, or make the file unreadable; it never changes what is read as whole."""
    folder = tmp_path_factory.mktemp("damaged")
    journal(folder, entries=60).close()
    path = folder / "journal.db"
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        with SqliteReader(path) as reader:
            found = reader.verify()
            read = list(reader.read(limit=found.head.seq))
    except JournalError:
        return
    expected = records(1, found.head.seq)
    assert [(r.seq, r.at, r.cause, r.kind, r.body) for r in read] == [
        (r.seq, r.at, r.cause, r.kind, r.body) for r in expected
    ]
