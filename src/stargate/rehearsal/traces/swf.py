"""Writes jobs in the Standard Workload Format, version 2.2: any trace can become one that other simulators read.

What the format has no place for is lost: kinds, models, residency, providers, deadlines, shares of accelerators.
Users and teams become numbers in the order of their first job, and ids that are no numbers as well; a comment
says that they did. Processors are accelerators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TextIO

from stargate.rehearsal.traces.job import Job, Status

CODES: dict[Status, int] = {"failed": 0, "completed": 1, "cancelled": 5, "unknown": -1}
MOST_DIGITS = 18
KIB_PER_GIB = 1024**2


def to_swf(jobs: Iterable[Job], file: TextIO, header: Mapping[str, str] | None = None) -> int:
    """Write jobs in their order, and give their number. Nothing but names stays in memory.

    `header` gives header comments, as `{"MaxProcs": "512", "UnixStartTime": "1507507316"}`; line ends in it
    become blanks.
    """
    file.write("; Version: 2.2\n")
    for key, value in (header or {}).items():
        if key != "Version":
            file.write(f"; {_flat(key)}: {_flat(value)}\n")
    file.write(
        "; Note: processors are accelerators; names of users and teams are numbered by first appearance\n"
    )
    users: dict[str, int] = {}
    teams: dict[str, int] = {}
    ids = _Ids()
    written = 0
    for job in jobs:
        wait = -1 if job.wait_seconds is None else job.wait_seconds
        memory = round(job.memory_gib * KIB_PER_GIB / job.chips) if job.memory_gib and job.chips else -1
        fields = (
            ids.number(job.id), job.submit_seconds, wait, job.run_seconds, job.chips, -1, -1, job.chips,
            job.requested_seconds, memory, CODES[job.status], _number(users, job.user), _number(teams, job.team),
            -1, -1, -1, -1, -1,
        )  # fmt: skip
        file.write(" ".join(map(str, fields)) + "\n")
        written += 1
    return written


class _Ids:
    """Ids as numbers: their own as long as they are numbers, else the next that is free."""

    def __init__(self) -> None:
        self._next = 1
        self._own = True

    def number(self, id: str) -> int:
        self._own = self._own and id.isascii() and id.isdecimal() and len(id) <= MOST_DIGITS
        number = int(id) if self._own else self._next
        self._next = max(self._next, number) + 1
        return number


def _number(known: dict[str, int], name: str) -> int:
    """Where every name so far is a number, that number; so that reading and writing an SWF changes nothing."""
    if not name:
        return -1
    if name.isascii() and name.isdecimal() and len(name) <= MOST_DIGITS:
        return int(name)
    return known.setdefault(name, len(known) + 1)


def _flat(text: str) -> str:
    return " ".join(text.split())
