"""A trace as the flat pool takes it: its jobs, what was left out of it, and how many chips there were."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stargate.base.errors import UserError
from stargate.rehearsal.traces import Job, Skipped, open_trace


@dataclass(frozen=True)
class Given:
    """A trace that was read."""

    jobs: list[Job]
    skipped: Skipped
    said_chips: int | None
    """By the trace's own header."""

    def chips(self, wanted: int | None) -> int:
        """What is wanted, else what the trace says. Raises UserError where nobody says it."""
        chips = self.said_chips if wanted is None else wanted
        if chips is None:
            raise UserError("the trace does not say how many chips there were", "give --chips")
        return chips


def read(path: Path) -> Given:
    """All jobs, in order. Raises InputError where the file is no trace of jobs."""
    trace = open_trace(path, sort=True, verbatim=True)
    jobs = list(trace.jobs())
    said = trace.header.get("MaxProcs", "")
    return Given(jobs, trace.skipped, int(said) if said.isdecimal() and int(said) else None)
