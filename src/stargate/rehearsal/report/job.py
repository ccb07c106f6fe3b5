"""One line per workload: what it waited for, held, kept and cost. Written as CSV while a rehearsal goes on."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Literal, TextIO

import msgspec

from stargate.base.time import SECOND
from stargate.rehearsal import schedule

Outcome = Literal["succeeded", "failed", "cancelled", "unfinished"]


class Line(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A workload that has ended, or that had not when the rehearsal did. Times are counted from its beginning."""

    job_id: str
    kind: str
    team: str
    outcome: Outcome
    chips: int
    """Of its first gang; 0: it never got one."""
    submit_us: int
    start_us: int | None
    """When it first got a gang."""
    end_us: int | None
    held_us: int
    """It held a gang for so long, over all attempts."""
    kept_us: int
    """Of that, the time whose work was kept."""
    attempts: int
    preemptions: int
    migrations: int
    recoveries: int
    restarts: int
    provider: str
    """Of its last attempt."""
    pool: str
    metered_micro_usd: int


COLUMNS = (
    "job_id", "kind", "team", "outcome", "chips", "submit_seconds", "start_seconds", "end_seconds", "wait_seconds",
    "held_seconds", "kept_seconds", "attempts", "preemptions", "migrations", "recoveries", "restarts", "provider",
    "pool", "metered_micro_usd",
)  # fmt: skip

Lines = Callable[[Line], object]
"""Where lines go."""


class Sheets:
    """Writes two tables of jobs, in the order in which they ended.

    One holds everything; the other is the schedule that other tools read (`schedule.COLUMNS`, whole seconds, of
    jobs that ran and ended).
    """

    def __init__(self, jobs: TextIO, timetable: TextIO) -> None:
        self._jobs = csv.writer(jobs, lineterminator="\n")
        self._timetable = csv.writer(timetable, lineterminator="\n")
        self._jobs.writerow(COLUMNS)
        self._timetable.writerow(schedule.COLUMNS)

    def __call__(self, line: Line) -> None:
        """Write a line."""
        wait = None if line.start_us is None else line.start_us - line.submit_us
        self._jobs.writerow(
            (
                plain(line.job_id), line.kind, plain(line.team), line.outcome, line.chips, seconds(line.submit_us),
                seconds(line.start_us), seconds(line.end_us), seconds(wait), seconds(line.held_us),
                seconds(line.kept_us), line.attempts, line.preemptions, line.migrations, line.recoveries,
                line.restarts, plain(line.provider), plain(line.pool), line.metered_micro_usd,
            )
        )  # fmt: skip
        if line.start_us is not None and line.end_us is not None:
            moments = (line.submit_us, line.start_us, line.end_us)
            self._timetable.writerow(
                (plain(line.job_id), *(moment // SECOND for moment in moments), line.chips)
            )


def seconds(us: int | None) -> str:
    """Microseconds as seconds, exactly and briefly; empty for None."""
    if us is None:
        return ""
    whole, rest = divmod(us, SECOND)
    return f"{whole}.{rest:06}".rstrip("0") if rest else str(whole)


def plain(text: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
