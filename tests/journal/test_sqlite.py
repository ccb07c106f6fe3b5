from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import JournalError, StateConflictError
from stargate.journal import GENESIS, Record, SqliteJournal, SqliteReader
from stargate.journal.journal import RECORD_LIMIT_BYTES
from tests.journal.making import NUMBERS, journal, records, tamper


def test_a_new_journal_is_empty(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "deep" / "journal.db") as made:
        assert made.head() == GENESIS
        assert list(made.read()) == []
        assert made.latest() is None


def test_entries_read_back_with_their_hashes(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        head = made.append(records(1, 25))
        read = list(made.read())
    assert [msgspec.structs.replace(record, hash=b"") for record in read] == records(1, 25)
    assert (read[-1].seq, read[-1].hash) == (head.seq, head.hash)


@given(st.lists(st.integers(1, 7), max_size=12))
@settings(max_examples=20, deadline=None)
def test_batches_leave_no_trace(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    with journal(tmp_path_factory.mktemp("batched")) as batched:
        seq = 0
        for size in sizes:
            batched.append(records(seq + 1, seq + size))
            seq += size
        with journal(tmp_path_factory.mktemp("single")) as single:
            for record in records(1, seq):
                single.append([record])
            assert single.head() == batched.head()


def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    with journal(tmp_path, entries=10) as made:
        head = made.head()
    with journal(tmp_path) as again:
        assert again.head() == head
        assert again.append(records(11, 12)).seq == 12
        assert again.verify().ok


def test_nothing_to_append_changes_nothing(tmp_path: Path) -> None:
    with journal(tmp_path, entries=3) as made:
        assert made.append([]) == made.head()


@pytest.mark.parametrize("seqs", [(3,), (5,), (4, 6), (4, 4), (5, 4), (0,)])
def test_entries_out_of_order_are_refused_and_the_journal_goes_on(
    tmp_path: Path, seqs: tuple[int, ...]
) -> None:
    with journal(tmp_path, entries=3) as made:
        head = made.head()
        with pytest.raises(JournalError, match="numbered without a gap"):
            made.append([record for seq in seqs for record in records(seq, seq)])
        assert made.head() == head == SqliteReader(made.path).head()
        assert made.append(records(4, 4)).seq == 4


def test_an_oversized_entry_is_refused_and_the_journal_goes_on(tmp_path: Path) -> None:
    with journal(tmp_path, entries=3) as made:
        with pytest.raises(JournalError, match=r"entry 4 \(noted\) has .* bytes; the limit is"):
            made.append([Record(4, 0, "c", "noted", bytes(RECORD_LIMIT_BYTES + 1))])
        assert made.append(records(4, 4)).seq == 4


def test_readers_see_committed_entries_while_it_is_written(tmp_path: Path) -> None:
    with journal(tmp_path, entries=3) as made, SqliteReader(made.path) as reader:
        assert reader.head() == made.head()
        made.append(records(4, 9))
        assert reader.head() == made.head()
        assert [record.seq for record in reader.read(after=6)] == [7, 8, 9]


def test_a_reader_in_the_middle_does_not_hold_up_the_writer(tmp_path: Path) -> None:
    with journal(tmp_path, entries=2_500, batch=500) as made, SqliteReader(made.path) as reader:
        reading = reader.read()
        assert next(reading).seq == 1
        made.append(records(2_501, 2_600))
        assert [record.seq for record in reading] == list(range(2, 2_601))


def test_facts_can_be_neither_changed_nor_removed_by_sql(tmp_path: Path) -> None:
    journal(tmp_path, entries=3).close()
    connection = sqlite3.connect(tmp_path / "journal.db")
    for statement in ("UPDATE fact SET body = x'00' WHERE seq = 2", "DELETE FROM fact"):
        with pytest.raises(sqlite3.IntegrityError, match="facts are never"):
            connection.execute(statement)
    connection.close()


def test_a_second_server_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    with journal(tmp_path, entries=3) as made:
        with pytest.raises(
            StateConflictError, match=rf"process {os.getpid()} on .* since .*Stop that server"
        ):
            SqliteJournal(made.path)
        made.append(records(4, 4))
    journal(tmp_path).close()


def test_a_writer_that_was_taken_over_is_fenced_off(tmp_path: Path) -> None:
    """As when the lock file was removed by hand, or the file system has no locks."""
    with journal(tmp_path, entries=3) as first:
        (tmp_path / "journal.db-lock").unlink()
        with journal(tmp_path) as second:
            second.append(records(4, 4))
            with pytest.raises(JournalError, match=r"took over the journal .*epoch 2, not 1"):
                first.append(records(4, 4))
            with pytest.raises(JournalError, match="takes no more entries"):
                first.append(records(5, 5))
            with pytest.raises(JournalError, match="takes no more entries"):
                first.save(3, "numbers-1", "", b"")
            second.append(records(5, 5))
            assert second.verify().ok


def test_racing_writers_never_split_the_record(tmp_path: Path) -> None:
    """Whoever wins each race, the entries are one chain and every acknowledged one is in it."""
    lock = tmp_path / "journal.db-lock"
    journal(tmp_path).close()
    acknowledged: list[Record] = []

    def write(name: str) -> None:
        for _ in range(25):
            lock.unlink(missing_ok=True)
            try:
                with journal(tmp_path) as made:
                    for _ in range(3):
                        seq = made.head().seq + 1
                        record = Record(seq, 0, name, "noted", b"\x80")
                        made.append([record])
                        acknowledged.append(record)
            except (JournalError, StateConflictError):
                continue

    threads = [threading.Thread(target=write, args=(f"writer-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with SqliteReader(tmp_path / "journal.db") as reader:
        assert reader.verify().ok
        kept = {(record.seq, record.cause) for record in reader.read()}
    assert len(acknowledged) > 25
    assert {(record.seq, record.cause) for record in acknowledged} <= kept


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    made = journal(tmp_path, entries=1)
    made.close()
    made.close()
    with pytest.raises(JournalError, match="takes no more entries: it was closed"):
        made.append(records(2, 2))


def test_closing_folds_the_log_into_one_file_that_can_be_copied(tmp_path: Path) -> None:
    journal(tmp_path, entries=30).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.db", "journal.db-lock"]


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    with journal(tmp_path, entries=1):
        assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {
            f"journal.db{suffix}": "0o600" for suffix in ("", "-wal", "-shm", "-lock")
        }


FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from stargate.base.errors import JournalError
from stargate.journal import SqliteJournal
from tests.journal.making import records

journal = SqliteJournal(Path(sys.argv[1]))
batch, seq = int(sys.argv[2]), 0
journal.append(records(1, batch))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    while seq < 100_000:
        seq = journal.head().seq
        journal.append(records(seq + 1, seq + batch))
except JournalError as error:
    assert "could not be written" in error.message, error
    assert "start the server again" in error.remedy
else:
    raise AssertionError("the limit was never met")
try:
    journal.append(records(seq + 1, seq + batch))
except JournalError as error:
    assert "takes no more entries: a commit failed" in error.message
else:
    raise AssertionError("a stopped journal went on")
print(seq)
"""


@pytest.mark.parametrize("limit", [40_000, 100_001, 300_003])
def test_a_full_disk_stops_it_and_a_restart_finds_whole_batches(
    tmp_path: Path, limit: int, repository: Path
) -> None:
    """The operating system refuses to let any file grow: writes fail in the middle of a commit."""
    path = tmp_path / "journal.db"
    command = [sys.executable, "-c", FILL_THE_DISK, str(path), "7", str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=repository)
    assert done.returncode == 0, done.stderr
    acknowledged = int(done.stdout)
    with SqliteJournal(path) as again:
        assert again.head().seq in {acknowledged, acknowledged + 7}
        assert again.verify().ok
        again.append(records(again.head().seq + 1, again.head().seq + 7))


KILLED_WRITER = """
import sys
from pathlib import Path
from stargate.journal import SqliteJournal
from tests.journal.making import records

journal = SqliteJournal(Path(sys.argv[1]))
seq = journal.head().seq
while True:
    seq = journal.append(records(seq + 1, seq + 1 + seq % 5)).seq
    print(seq, flush=True)
"""


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "journal.db"
    for after in (1, 3, 40, 200):
        command = [sys.executable, "-c", KILLED_WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository) as writer:
            assert writer.stdout is not None
            said = [writer.stdout.readline() for _ in range(after)]
            writer.kill()
            said += writer.stdout.readlines()
        acknowledged = max(int(line) for line in said if line.endswith("\n"))
        with SqliteReader(path) as reader:
            found = reader.verify()
            assert found.ok
            assert found.head.seq >= acknowledged


def test_snapshots_read_back_and_old_ones_go(tmp_path: Path) -> None:
    with journal(tmp_path, entries=40) as made:
        for seq in (10, 20, 30):
            made.save(seq, NUMBERS.name, f"digest-{seq}", b"state at %d" % seq)
        assert made.snapshots() == (30, 20)
        latest = made.latest()
        assert latest is not None
        assert (latest.seq, latest.digest, latest.data) == (30, "digest-30", b"state at 30")
        assert latest.hash == next(made.read(after=29)).hash


def test_saving_the_same_entry_again_replaces_it(tmp_path: Path) -> None:
    with journal(tmp_path, entries=5) as made:
        made.save(5, "form", "one", b"one")
        made.save(5, "form", "two", b"two")
        assert made.snapshot(5).data == b"two"


def test_a_snapshot_of_the_future_is_refused(tmp_path: Path) -> None:
    with journal(tmp_path, entries=5) as made:
        with pytest.raises(JournalError, match="at entry 6 was to be saved, but the journal ends at 5"):
            made.save(6, "form", "digest", b"")
        made.append(records(6, 6))


def test_a_snapshot_that_cannot_be_written_leaves_the_entries_usable(tmp_path: Path) -> None:
    made = journal(tmp_path, entries=5)
    made._writing.execute("PRAGMA max_page_count = 12")
    with pytest.raises(JournalError, match=r"snapshot at entry 5 could not be written.*full"):
        made.save(5, "form", "digest", os.urandom(100_000))
    made.append(records(6, 6))
    assert made.latest() is None
    made.close()


def test_threads_take_turns(tmp_path: Path) -> None:
    with journal(tmp_path, entries=1) as made:
        turn = threading.Lock()

        def write() -> None:
            for _ in range(20):
                with turn:
                    seq = made.head().seq + 1
                    made.append(records(seq, seq))
                made.save(1, "form", "digest", os.urandom(1000))

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made.head().seq == 81
        assert made.verify().ok


@pytest.mark.parametrize(
    "change", ["body = x'80'", "hash = zeroblob(32)", "cause = 'someone else'", "at = 0"]
)
def test_a_damaged_end_shows_before_anything_is_added(tmp_path: Path, change: str) -> None:
    journal(tmp_path, entries=5).close()
    tamper(tmp_path / "journal.db", f"UPDATE fact SET {change} WHERE seq = 5")
    with pytest.raises(JournalError, match=r"end of the journal .* is damaged: entry 5"):
        SqliteJournal(tmp_path / "journal.db")


def test_a_missing_entry_before_the_last_shows(tmp_path: Path) -> None:
    journal(tmp_path, entries=5).close()
    tamper(tmp_path / "journal.db", "DELETE FROM fact WHERE seq = 4")
    with pytest.raises(JournalError, match="is damaged: entry 4 is missing"):
        SqliteJournal(tmp_path / "journal.db")
