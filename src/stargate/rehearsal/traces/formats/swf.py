"""The Standard Workload Format of the Parallel Workloads Archive, version 2.2.

18 fields separated by blanks, -1 for what is not known, comments after `;`. Source: the archive's page on the
format, and real files (KTH SP2; Philly as SWF).

- Chips are the processors asked for (field 8), or those allocated (field 5) where field 8 is -1.
- The requested time is field 9; where it is not positive, the run time.
- A status of 2, 3 or 4 marks a part of a job whose line of its own stands beside it: it is passed over.

Plain simulators look at seven of the fields and at no status. Read `verbatim`, each row is a job as it is for them:
parts count, an unknown submit time is the moment -1, and the fields behind the ninth may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stargate.rehearsal.traces.cell import optional
from stargate.rehearsal.traces.format import Format, Options, first_rows, mostly
from stargate.rehearsal.traces.job import FARTHEST_SECONDS, MOST_CHIPS, Job, Status
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source

FIELDS = 18
FIELDS_USED = 9
"""By plain simulators."""
STATUSES: dict[str, Status] = {"0": "failed", "1": "completed", "5": "cancelled"}
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")
PARTS = frozenset({"2", "3", "4"})
KIB_PER_GIB = 1024**2


def header(head: str) -> dict[str, str]:
    """The header comments, as `MaxProcs: 100`; of repeated ones the first."""
    found: dict[str, str] = {}
    for line in head.splitlines():
        if not line.startswith(";"):
            break
        key, colon, value = line.lstrip("; \t").partition(":")
        if colon and key and " " not in key.strip() and not value.startswith("//"):
            found.setdefault(key.strip(), value.strip())
    return found


def _fits(head: str) -> bool:
    data = [line for line in first_rows(head, 2000) if not line.lstrip().startswith(";")]
    if not data:
        return any(key in header(head) for key in ("Version", "MaxProcs", "MaxNodes", "UnixStartTime"))
    return mostly(data[:20], _is_row)


def _is_row(line: str) -> bool:
    cells = line.split()
    return len(cells) >= FIELDS_USED and all(map(NUMBER.fullmatch, cells))


def read(source: Source, skipped: Skipped, options: Options) -> Iterator[Job]:
    """The jobs in the file's order."""
    for line, text in source.lines():
        cells = text.split()
        if not cells or cells[0].startswith(";"):
            continue
        needed = FIELDS_USED if options.verbatim else FIELDS
        if len(cells) < needed:
            skipped.count(f"the row has fewer than {needed} fields", line)
            continue
        try:
            yield _job(cells + ["-1"] * (FIELDS - len(cells)), verbatim=options.verbatim)
        except (ValueError, OverflowError) as error:
            known = str(error) in _REASONS
            skipped.count(str(error) if known else "a field is no number", line)


_PART = "a part of a job that has a row of its own (status 2, 3 or 4)"
_NO_SUBMIT = "the submit time is missing or out of range"
_NO_RUN = "the run time is missing or out of range"
_NO_CHIPS = "the number of processors is missing or out of range"
_REASONS = frozenset({_PART, _NO_SUBMIT, _NO_RUN, _NO_CHIPS})


def _job(cells: list[str], *, verbatim: bool) -> Job:
    if cells[10] in PARTS and not verbatim:
        raise ValueError(_PART)
    submit, run = int(float(cells[1])), int(float(cells[3]))
    if not (-FARTHEST_SECONDS if verbatim else 0) <= submit <= FARTHEST_SECONDS:
        raise ValueError(_NO_SUBMIT)
    if not 0 <= run <= FARTHEST_SECONDS:
        raise ValueError(_NO_RUN)
    chips = int(float(cells[7]))
    if chips == -1:
        chips = int(float(cells[4]))
    if not 0 < chips <= MOST_CHIPS:
        raise ValueError(_NO_CHIPS)
    requested, wait = int(float(cells[8])), int(float(cells[2]))
    memory = optional(cells[9]) or optional(cells[6]) or 0.0
    return Job(
        id=_number(cells[0]),
        submit_seconds=submit,
        run_seconds=run,
        chips=chips,
        requested_seconds=min(requested, FARTHEST_SECONDS) if requested > 0 else run,
        user=_name(cells[11]),
        team=_name(cells[12]),
        status=STATUSES.get(cells[10], "unknown"),
        wait_seconds=wait if 0 <= wait <= FARTHEST_SECONDS else None,
        memory_gib=memory * chips / KIB_PER_GIB,
    )


def _number(cell: str) -> str:
    """A job's number as others write it: 7 for 007."""
    try:
        return str(int(cell))
    except ValueError:
        return cell[:64]


def _name(cell: str) -> str:
    return "" if cell == "-1" else cell[:64]


FORMAT = Format(
    name="swf",
    about="Standard Workload Format (Parallel Workloads Archive: *.swf)",
    expects="rows of 18 numbers separated by blanks, comments after `;`",
    files=r".*\.swf",
    fits=_fits,
    read=read,
    gives="jobs",
)
