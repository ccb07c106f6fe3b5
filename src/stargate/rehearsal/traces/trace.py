"""Opens a trace: tells the format, and gives its jobs or requests in order, from second 0.

`open_trace` recognises a file by what is in it; the publisher's file name decides only where several formats
would fit. Rows that do not fit are counted with their reason and first line in `Trace.skipped`, and never stop
the reading; a file that is no trace is an InputError that names what was expected.

Memory: formats whose rows come in the order of submission are streamed, whatever their length (rows up to
`WINDOW` places out of order are put in order on the way). Philly's JSON, Helios, Acme and PAI promise no order:
their jobs are read whole and sorted, at some 500 bytes a job. `sort=True` does that for any format.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from stargate.base.errors import InputError, Problem
from stargate.base.faults import did_you_mean
from stargate.rehearsal.traces.format import Format, Options
from stargate.rehearsal.traces.formats import FORMATS, swf
from stargate.rehearsal.traces.job import Job
from stargate.rehearsal.traces.request import Request
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source, refused

WINDOW = 1024
"""How many rows a row may come too late without being lost."""
NODE_LISTS = re.compile(
    r"openb_node_list_.*\.csv|cluster_machine_list|pai_machine_spec\.csv|cluster_gpu_number\.csv"
)
LATE = f"more than {WINDOW} rows out of order; read it with sort=True"


class Trace:
    """A trace that can be read, as often as wanted."""

    def __init__(self, source: Source, form: Format, options: Options, *, sort: bool) -> None:
        self.path = source.path
        self.format = form.name
        self.gives = form.gives
        """`jobs` or `requests`."""
        self.header: dict[str, str] = {}
        """Of SWF the header comments, as `{"MaxProcs": "100"}`; else empty."""
        self.start_seconds: int | None = None
        """What second 0 is since 1970 (a time without zone taken as UTC), known once reading began; None: not
        stated. Of PAI and BurstGPT it counts from a first day that was not published."""
        self.skipped = Skipped()
        """Rows left out by the latest reading, complete once that is over."""
        self._source, self._form, self._options = source, form, options
        self._sort = sort or not form.ordered
        if form is swf.FORMAT:
            self.header = swf.header(source.head())
            start = self.header.get("UnixStartTime", "")
            self.start_seconds = int(start) if start.isdecimal() else None

    def jobs(self) -> Iterator[Job]:
        """The jobs in the order of submission. Raises InputError where the trace holds requests."""
        self._require("jobs")
        return cast("Iterator[Job]", self._read())

    def requests(self) -> Iterator[Request]:
        """The requests in order. Raises InputError where the trace holds jobs."""
        self._require("requests")
        return cast("Iterator[Request]", self._read())

    def __iter__(self) -> Iterator[Job | Request]:
        return self._read()

    def _require(self, wanted: str) -> None:
        if self.gives != wanted:
            other = "requests to models" if self.gives == "requests" else "jobs of a cluster"
            message = f"{self.format} traces hold {other}, and {wanted} are wanted here"
            raise refused(self.path, message, f"Name a trace of {wanted}.")

    def _read(self) -> Iterator[Any]:
        self.skipped = Skipped()
        found = self._form.read(self._source, self.skipped, self._options)
        field = "submit_seconds" if self.gives == "jobs" else "at_seconds"
        ordered = _sorted(found, field) if self._sort else _settled(found, field, self.skipped)
        return ordered if self._form.relative else self._from_zero(ordered, field)

    def _from_zero(self, ordered: Iterator[Any], field: str) -> Iterator[Any]:
        start: int | None = None
        for record in ordered:
            at = getattr(record, field)
            if start is None:
                start = self.start_seconds = int(at)
            since = at - start if isinstance(at, int) else round(at - start, 6)
            yield msgspec.structs.replace(record, **{field: since})


def _sorted(records: Iterator[Any], field: str) -> Iterator[Any]:
    yield from sorted(records, key=lambda record: getattr(record, field))


def _settled(records: Iterator[Any], field: str, skipped: Skipped) -> Iterator[Any]:
    """In order, with only `WINDOW` records held. Records of one moment keep the file's order."""
    waiting: list[tuple[float, int, Any]] = []
    reached = -math.inf
    for place, record in enumerate(records):
        at = getattr(record, field)
        if at < reached:
            skipped.count(LATE)
            continue
        if len(waiting) < WINDOW:
            heapq.heappush(waiting, (at, place, record))
            continue
        reached, _, first = heapq.heappushpop(waiting, (at, place, record))
        yield first
    while waiting:
        yield heapq.heappop(waiting)[2]


def open_trace(
    path: Path | str,
    *,
    form: str = "",
    sort: bool = False,
    seed: int = 0,
    share: float = 1.0,
    chipless: bool = False,
    verbatim: bool = False,
) -> Trace:
    """The trace in a file, archive or folder, plain or gzipped; nothing but its beginning is read yet.

    `form` names a format where it is not to be guessed. `seed` and `share` (0 to 1) are for ServeGen, whose
    requests are drawn. `chipless` keeps jobs that hold no accelerator. `verbatim` takes each row of an SWF for a job,
    as plain simulators do.

    Raises InputError where there is nothing to read, or nothing that any format expects.
    """
    place = Path(path)
    if not place.exists():
        raise refused(place, "there is no such file or folder", "Check the path.")
    if not 0 <= share <= 1:
        raise refused(place, f"a share of {share} cannot be", "Give a share from 0 to 1.")
    source = Source(place)
    options = Options(seed=seed, share=share, chipless=chipless, verbatim=verbatim)
    if form:
        chosen = next((one for one in FORMATS if one.name == form), None)
        if chosen is None:
            message = f"there is no trace format {form!r}"
            raise refused(place, message, did_you_mean(form, [one.name for one in FORMATS]))
        several = chosen.inside and (source.is_folder or source.archive)
        if not (chosen.holds(source.names()) if several else chosen.fits(_head(source))):
            raise InputError((_unlike(source, chosen, "this does not look like"),))
        return Trace(source, chosen, options, sort=sort)
    if source.is_folder or source.archive:
        many = next((one for one in FORMATS if one.holds(source.names())), None)
        if many is not None:
            return Trace(source, many, options, sort=sort)
    if source.is_folder:
        return _only_file_of(place, options, sort=sort)
    return Trace(source, recognised(source), options, sort=sort)


def _only_file_of(folder: Path, options: Options, *, sort: bool) -> Trace:
    names = Source(folder).names()
    known = [name for name in names if any(one.named(Path(name).name.removesuffix(".gz")) for one in FORMATS)]
    if len(known) == 1:
        source = Source(folder / known[0])
        return Trace(source, recognised(source), options, sort=sort)
    if known:
        raise refused(
            folder, f"the folder holds {len(known)} traces: {', '.join(known[:10])}", "Name one of them."
        )
    raise refused(folder, "the folder holds no trace that is known by its name", "Name the file itself.")


def recognised(source: Source) -> Format:
    """The format of a file. Raises InputError naming what was expected."""
    head = _head(source)
    named = [one for one in FORMATS if one.named(source.name)]
    fitting = [one for one in FORMATS if one.fits(head)]
    for one in fitting:
        if one in named:
            return one
    if fitting:
        return fitting[0]
    if named:
        raise InputError(tuple(_unlike(source, one, "in spite of its name this is not") for one in named))
    if NODE_LISTS.fullmatch(source.name):
        raise refused(source.path, "this lists nodes, not jobs", "Name the trace of jobs beside it.")
    known = "; ".join(one.about for one in FORMATS)
    raise refused(source.path, "this is no trace of a known format", f"Known: {known}.")


def _head(source: Source) -> str:
    if source.is_folder:
        raise refused(source.path, "this is a folder", "Name the file inside.")
    head = source.head()
    if not head.strip():
        raise refused(source.path, "the file is empty", "Fetch it again, or name another one.")
    if head.startswith("version https://git-lfs.github.com"):
        message = "this is a pointer of Git LFS, not the trace itself"
        raise refused(source.path, message, "Fetch the file with `git lfs pull`, or from its publisher.")
    return head


def _unlike(source: Source, form: Format, message: str) -> Problem:
    return Problem(f"{message} {form.about}", f"Expected {form.expects}.", file=str(source.path), line=1)
