from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from stargate.base.errors import JournalError, NotFoundError
from stargate.journal import SqliteJournal, SqliteReader
from stargate.journal.journal import FORMAT
from tests.journal.making import journal, records

Opener = type[SqliteJournal] | type[SqliteReader]
OPENERS = pytest.mark.parametrize("opener", [SqliteJournal, SqliteReader])


@OPENERS
def test_a_newer_format_is_refused_and_left_as_it_was(tmp_path: Path, opener: Opener) -> None:
    path = tmp_path / "journal.db"
    journal(tmp_path, entries=3).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(
        JournalError, match=rf"has format {FORMAT + 1}; .* up to format {FORMAT}. Use the newer"
    ):
        opener(path)
    assert path.read_bytes() == before


@OPENERS
def test_a_database_of_something_else_is_refused_and_left_as_it_was(tmp_path: Path, opener: Opener) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="is not a Stargate journal"):
        opener(path)
    assert path.read_bytes() == before


@OPENERS
def test_a_text_file_is_refused_and_left_as_it_was(tmp_path: Path, opener: Opener) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk, eggs\n" * 500)
    with pytest.raises(JournalError, match="cannot be used: file is not a database"):
        opener(path)
    assert path.read_text() == "milk, eggs\n" * 500


def test_an_interrupted_creation_is_completed(tmp_path: Path) -> None:
    """A crash between making the file and committing its tables leaves an empty file."""
    (tmp_path / "journal.db").touch()
    with journal(tmp_path, entries=2) as made:
        assert made.verify().ok


@pytest.mark.parametrize("name", ["absent.db", "."])
def test_a_reader_of_nothing_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFoundError, match="there is no journal at"):
        SqliteReader(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_no_journal_to_a_reader(tmp_path: Path) -> None:
    (tmp_path / "journal.db").touch()
    with pytest.raises(JournalError, match="is not a Stargate journal"):
        SqliteReader(tmp_path / "journal.db")


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()
    with pytest.raises(JournalError, match=r"cannot be used: .*Is a directory"):
        SqliteJournal(tmp_path / "journal.db")


@pytest.mark.parametrize("name", ["a file?mode=rw#1 %41.db", "ü.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    with SqliteJournal(tmp_path / name) as made:
        made.append(records(1, 2))
    with SqliteReader(tmp_path / name) as reader:
        assert reader.head().seq == 2
    assert (tmp_path / name).exists()


def test_durable_means_that_each_commit_reaches_the_disk(tmp_path: Path) -> None:
    """2 is FULL, 0 is OFF. Both keep a log."""
    for durable, level in ((True, 2), (False, 0)):
        with SqliteJournal(tmp_path / f"{durable}.db", durable=durable) as made:
            assert made._writing.execute("PRAGMA synchronous").fetchone() == (level,)
            assert made._writing.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_journal_that_cannot_be_written_is_named_and_can_be_read(tmp_path: Path) -> None:
    journal(tmp_path, entries=3).close()
    (tmp_path / "journal.db").chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(JournalError, match=r"cannot be used|cannot be written"):
            SqliteJournal(tmp_path / "journal.db")
        with SqliteReader(tmp_path / "journal.db") as reader:
            assert reader.verify().head.seq == 3
    finally:
        tmp_path.chmod(0o700)
