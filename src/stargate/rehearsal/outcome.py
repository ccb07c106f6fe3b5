"""What a rehearsal came to, as much of it as was kept: what a comparison takes, made now or long ago.

scenario, trace   to be rehearsed: whoever asks does that, and keeps the journal
report            a folder that `--report` wrote: figures, schedule, and decisions where its journal lies in it
journal           a file that `--journal` wrote, or a server's folder: decisions, and what follows from them
schedule          a CSV with the columns of `schedule.COLUMNS`, of any tool: jobs
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from stargate.base.errors import InputError, NotFoundError, Problem
from stargate.base.time import SECOND
from stargate.broker import Entry
from stargate.journal import SqliteReader, to_entry
from stargate.rehearsal import schedule
from stargate.rehearsal.report.collector import Collector
from stargate.rehearsal.report.job import Line
from stargate.rehearsal.report.summary import Identity, Summary
from stargate.rehearsal.report.write import SCHEDULE, SUMMARY, read
from stargate.rehearsal.scenario import journal_file
from stargate.rehearsal.schedule import Row

Kind = Literal["scenario", "trace", "report", "journal", "schedule"]
SCENARIOS = frozenset({".yaml", ".yml"})
JOURNAL = "journal.sqlite"
"""Where a report's folder has its journal, as a server's has."""
_SQLITE = b"SQLite format 3\x00"
_HEAD_BYTES = 4_096


class Outcome(msgspec.Struct, frozen=True):
    """One run. What was not kept is None."""

    identity: Identity
    summary: Summary | None = None
    rows: tuple[Row, ...] | None = None
    journal: Path | None = None
    since: int = 0
    """The last entry of the journal that is not the run's own."""

    @contextmanager
    def entries(self) -> Iterator[Iterator[Entry]]:
        """The journal's, in order. There must be one."""
        assert self.journal is not None, "its journal was kept"
        with SqliteReader(self.journal) as reader:
            yield map(to_entry, reader.read(after=self.since))


def kind_of(path: Path) -> Kind:
    """What a path holds, by what is in it. Raises NotFoundError where there is nothing."""
    if not path.exists():
        raise NotFoundError(f"there is no such file or folder: {path}", "check the path")
    if path.is_dir():
        return "report" if (path / SUMMARY).exists() else "journal" if (path / JOURNAL).exists() else "trace"
    if path.suffix in SCENARIOS:
        return "scenario"
    head = _head(path)
    if head.startswith(_SQLITE):
        return "journal"
    first = head.partition(b"\n")[0].decode("utf-8", "replace").strip().split(",")
    return "schedule" if {cell.strip('"') for cell in first} >= set(schedule.COLUMNS) else "trace"


def kept(path: Path, kind: Kind) -> Outcome:
    """What was kept of a run. Raises InputError, NotFoundError and JournalError where it cannot be read."""
    assert kind not in {"scenario", "trace"}, "nothing of it has happened yet"
    if kind == "journal":
        return of_journal(journal_file(path))
    if kind == "schedule":
        return Outcome(Identity(title=path.name, dated=False), rows=tuple(_rows(path)))
    summary = read(path)
    rows = tuple(_rows(path / SCHEDULE)) if (path / SCHEDULE).exists() else None
    journal = path / JOURNAL
    return Outcome(summary.identity, summary, rows, journal if journal.exists() else None)


def of_journal(path: Path) -> Outcome:
    """A journal summed up from its first entry.

    How long a step took is not in it: less is known of what was kept, discarded and done again than a report knows.
    """
    lines: list[Line] = []
    collector = Collector(lines=lines.append)
    with SqliteReader(path) as reader:
        for record in reader.read():
            collector((to_entry(record),))
    identity = Identity(title=path.parent.name if path.name == JOURNAL else path.name)
    summary = collector.finish(identity)
    return Outcome(identity, summary, timetable(lines), path)


def timetable(lines: Iterable[Line]) -> tuple[Row, ...]:
    """Jobs that got chips and ended, in the order of submission: a job starts when it is given its chips."""
    rows = (
        Row(
            line.job_id,
            line.submit_us // SECOND,
            line.start_us // SECOND,
            line.end_us // SECOND,
            line.chips,
            line.held_us // SECOND,
        )
        for line in lines
        if line.start_us is not None and line.end_us is not None
    )
    return tuple(sorted(rows, key=lambda row: (row.submit, row.job_id)))


def _head(path: Path) -> bytes:
    """The first bytes, unpacked; as they are where that does not work."""
    with path.open("rb") as stream:
        start = stream.read(_HEAD_BYTES)
    if start[:2] == b"\x1f\x8b":
        try:
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, _HEAD_BYTES)
        except zlib.error:
            return start
    return start


def _rows(path: Path) -> list[Row]:
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            with io.TextIOWrapper(stream, "utf-8", newline="") as text:
                return schedule.read(text, str(path))
    except (UnicodeDecodeError, EOFError, zlib.error) as error:
        problem = Problem(f"the schedule cannot be read: {error}", "Write it anew.", file=str(path))
        raise InputError((problem,)) from None
