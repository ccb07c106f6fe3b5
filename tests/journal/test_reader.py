from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base.errors import JournalError
from stargate.journal import SqliteReader
from stargate.journal.reader import PAGE_RECORDS
from tests.journal.making import journal, records, tamper


@pytest.mark.parametrize(
    ("after", "limit", "expected"),
    [
        (0, None, range(1, 13)),
        (0, 0, range(0)),
        (0, 5, range(1, 6)),
        (5, 5, range(6, 11)),
        (10, 5, range(11, 13)),
        (12, None, range(0)),
        (99, None, range(0)),
    ],
)
def test_it_reads_the_part_that_was_asked_for(
    tmp_path: Path, after: int, limit: int | None, expected: range
) -> None:
    with journal(tmp_path, entries=12) as made:
        assert [record.seq for record in made.read(after, limit)] == list(expected)


@pytest.mark.parametrize("limit", [None, PAGE_RECORDS - 1, PAGE_RECORDS, PAGE_RECORDS + 1, 3 * PAGE_RECORDS])
def test_pages_join_without_a_seam(tmp_path: Path, limit: int | None) -> None:
    entries = 2 * PAGE_RECORDS + 1
    with journal(tmp_path, entries, batch=PAGE_RECORDS) as made:
        last = entries if limit is None else min(limit, entries)
        assert [record.seq for record in made.read(limit=limit)] == list(range(1, last + 1))


def test_reading_changes_no_file(tmp_path: Path) -> None:
    journal(tmp_path, entries=12).close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with SqliteReader(tmp_path / "journal.db") as reader:
        assert reader.verify().ok
        assert list(reader.read()) != []
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".db-shm"}
    after.pop("journal.db-wal", None)
    after.pop("journal.db-shm", None)
    assert after == before


def test_a_reader_of_a_crashed_writers_files_sees_what_was_committed(tmp_path: Path) -> None:
    made = journal(tmp_path, entries=12)
    image = tmp_path / "image"
    image.mkdir()
    for suffix in ("", "-wal"):
        name = f"journal.db{suffix}"
        (image / name).write_bytes((tmp_path / name).read_bytes())
    made.close()
    with SqliteReader(image / "journal.db") as reader:
        assert reader.verify().head.seq == 12


def test_the_latest_snapshot_is_the_newest_that_is_whole_and_ours(tmp_path: Path) -> None:
    with journal(tmp_path, entries=30) as made:
        made.save(10, "form", "ten", b"ten")
        made.save(20, "form", "twenty", b"twenty")
        latest = made.latest()
        assert latest is not None
        assert latest.seq == 20
    tamper(tmp_path / "journal.db", "UPDATE snapshot SET data = x'00' WHERE seq = 20")
    with SqliteReader(tmp_path / "journal.db") as reader:
        latest = reader.latest()
        assert latest is not None
        assert latest.seq == 10
        with pytest.raises(JournalError, match="snapshot at entry 20 does not match"):
            reader.snapshot(20)
        with pytest.raises(JournalError, match="no snapshot at entry 15"):
            reader.snapshot(15)


def test_a_closed_reader_says_so(tmp_path: Path) -> None:
    made = journal(tmp_path, entries=1)
    reader = SqliteReader(made.path)
    reader.close()
    reader.close()
    with pytest.raises(JournalError, match=r"cannot be used: .*closed"):
        reader.head()
    made.append(records(2, 2))
    made.close()
