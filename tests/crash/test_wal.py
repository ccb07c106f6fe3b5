"""The files themselves: whatever a crash leaves of the log, a restart finds whole batches from the start on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stargate.journal import Head, SqliteJournal
from tests.crash.image import (
    FRAME_BYTES,
    FRAME_HEADER_BYTES,
    PAGE_BYTES,
    WAL_HEADER_BYTES,
    image,
    wal,
    wal_bytes,
)
from tests.journal.making import records

BATCHES = (3, 1, 40, 7, 90, 2, 1, 25, 60, 4, 150, 1, 33, 80)

Commit = tuple[int, Head]
"""The log's length after a commit, and the head it made."""


def write(path: Path, batches: tuple[int, ...] = BATCHES) -> tuple[SqliteJournal, list[Commit]]:
    """A journal that is still open, whose log holds everything since its first checkpoint."""
    journal = SqliteJournal(path, durable=False)
    journal._writing.execute("PRAGMA wal_autocheckpoint = 0")
    return journal, [(wal_bytes(path), journal.head()), *append(journal, batches)]


def append(journal: SqliteJournal, batches: tuple[int, ...]) -> Iterator[Commit]:
    for size in batches:
        seq = journal.head().seq
        head = journal.append(records(seq + 1, seq + size))
        yield wal_bytes(journal.path), head


def offsets(path: Path) -> list[int]:
    """Every frame boundary, and places before, in and after each frame's header and page."""
    length = wal_bytes(path)
    found = {0, 1, WAL_HEADER_BYTES - 1, length}
    inside = (
        0,
        1,
        FRAME_HEADER_BYTES - 1,
        FRAME_HEADER_BYTES,
        FRAME_HEADER_BYTES + PAGE_BYTES // 2,
        FRAME_BYTES - 1,
    )
    for frame in range(WAL_HEADER_BYTES, length, FRAME_BYTES):
        found.update(frame + place for place in inside)
    return sorted(place for place in found if place <= length)


def expect(path: Path, head: Head) -> None:
    """The journal goes up to `head`, all of it verifies, and it goes on."""
    with SqliteJournal(path, durable=False) as journal:
        assert journal.head() == head
        assert journal.verify(head).ok
        after = journal.append(records(head.seq + 1, head.seq + 2))
        assert journal.verify(after).demand().head.seq == head.seq + 2


def test_a_log_cut_anywhere_holds_the_batches_that_were_whole(tmp_path: Path) -> None:
    journal, commits = write(tmp_path / "journal.db")
    schema = commits[0][0]
    cuts = [offset for offset in offsets(journal.path) if offset >= schema]
    assert len(cuts) > 200
    for number, offset in enumerate(cuts):
        expected = [head for end, head in commits if end <= offset][-1]
        expect(image(journal.path, tmp_path / f"cut-{number}", keep_wal_bytes=offset), expected)
    journal.close()


def test_a_log_cut_while_the_journal_is_made_is_an_empty_journal(tmp_path: Path) -> None:
    journal, commits = write(tmp_path / "journal.db", ())
    (schema, head) = commits[0]
    for number, offset in enumerate(offset for offset in offsets(journal.path) if offset <= schema):
        expect(image(journal.path, tmp_path / f"cut-{number}", keep_wal_bytes=offset), head)
    journal.close()


@pytest.mark.parametrize("bits", [0x01, 0xFF])
def test_a_garbled_log_holds_the_batches_before_the_damage(tmp_path: Path, bits: int) -> None:
    journal, commits = write(tmp_path / "journal.db")
    schema, length = commits[0][0], wal_bytes(journal.path)
    for number, offset in enumerate(offset for offset in offsets(journal.path) if schema <= offset < length):
        copy = image(journal.path, tmp_path / f"garbled-{number}")
        damaged = bytearray(wal(copy).read_bytes())
        damaged[offset] ^= bits
        wal(copy).write_bytes(damaged)
        expect(copy, [head for end, head in commits if end <= offset][-1])
    journal.close()


def test_a_log_that_began_anew_holds_what_was_folded_and_the_whole_batches_since(tmp_path: Path) -> None:
    """After a checkpoint the log is written from its start again; behind the new frames stand old ones."""
    journal, _ = write(tmp_path / "journal.db")
    before = wal_bytes(journal.path)
    journal._writing.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    folded = journal.head()
    frames = [head for _, head in append(journal, (2, 30, 1))]
    assert wal_bytes(journal.path) == before, "old frames stand behind the new ones"
    reached = set()
    for number, offset in enumerate(offsets(journal.path)):
        copy = image(journal.path, tmp_path / f"cut-{number}", keep_wal_bytes=offset)
        with SqliteJournal(copy, durable=False) as again:
            assert again.verify(folded).ok
            assert again.head() in {folded, *frames}
            reached.add(again.head())
    assert reached == {folded, *frames}
    journal.close()


def test_a_crash_while_the_log_is_folded_into_the_file_loses_nothing(tmp_path: Path) -> None:
    journal, _ = write(tmp_path / "journal.db")
    path, head = journal.path, journal.head()
    old, log = path.read_bytes(), wal(path).read_bytes()
    journal._writing.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    new = path.read_bytes()
    old = old.ljust(len(new), b"\x00")
    assert old != new
    for number, written in enumerate(range(0, len(new) + 1, PAGE_BYTES // 2)):
        copy = image(path, tmp_path / f"folded-{number}")
        copy.write_bytes(new[:written] + old[written:])
        wal(copy).write_bytes(log)
        expect(copy, head)
    journal.close()
