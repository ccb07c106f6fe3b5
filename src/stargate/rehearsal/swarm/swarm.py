"""Many runs, one after another or side by side, until so many events were seen."""

from __future__ import annotations

import gc
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from hashlib import blake2b
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec

from stargate.base import wire
from stargate.base.errors import StateConflictError, UserError
from stargate.rehearsal.draw import stream
from stargate.rehearsal.swarm.case import Case
from stargate.rehearsal.swarm.marks import SELDOM, WANTED
from stargate.rehearsal.swarm.run import Result, run

LENGTHS = (100, 400, 800, 2_000)
"""Commands before healing, one of which a seed draws."""
FAILURES_KEPT = 20
"""After so many runs that fail the swarm stops: there is enough to look at."""
ALL_MARKS_BY = 1_000_000
"""Events in which every mark is reached, or what is tested has become less."""
SELDOM_MARKS_BY = 20_000_000
"""Events in which those that are reached seldom are."""
AHEAD = 8
"""Runs that are handed to each process before their turn."""
RECORD_EVERY = 100
"""Runs between two records of how far it has come."""


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a swarm has come to so far."""

    seed: int
    """Of the first run."""
    events: int = 0
    """What has reached a machine: commands, reports, wakes, lies, repeated deliveries and crashes."""
    facts: int = 0
    """Entries that came of them, each of which was checked."""
    seeds: int = 0
    """Runs."""
    violations: int = 0
    digest: str = ""
    """Of the digests of all runs: the same for the same events and seed."""
    failures: tuple[Result, ...] = ()
    marks: dict[str, int] = {}
    """How often each state was reached."""

    @property
    def unreached(self) -> tuple[str, ...]:
        """Marks that were never reached, though there were events enough."""
        if self.events < ALL_MARKS_BY:
            return ()
        asked = WANTED if self.events >= SELDOM_MARKS_BY else (mark for mark in WANTED if mark not in SELDOM)
        return tuple(mark for mark in asked if not self.marks.get(mark))


def swarm(
    events: int,
    seed: int,
    tell: Callable[[Outcome], object] | None = None,
    *,
    jobs: int = 1,
    record: Path | None = None,
) -> Outcome:
    """Runs with the seeds from `seed` on, in `jobs` processes, until so many events were seen in all.

    `tell` hears of each. With a `record` it goes on from what that file says, and keeps it; the outcome is that of one
    swarm that was never interrupted. Raises StateConflictError where the record is of other seeds.
    """
    if events < 1:
        raise UserError(f"{events} events", "ask for one or more")
    said = _recorded(record, seed)
    marks = Counter(said.marks)
    if said.events >= events or len(said.failures) >= FAILURES_KEPT:
        return said
    for result in _runs(seed + said.seeds, jobs):
        marks.update(result.marks)
        said = _with(said, result)
        if tell is not None:
            tell(said)
        over = said.events >= events or len(said.failures) >= FAILURES_KEPT
        if over or (record is not None and said.seeds % RECORD_EVERY == 0):
            said = msgspec.structs.replace(said, marks=dict(sorted(marks.items())))
            _keep(said, record)
        if over:
            break
    return said


def _with(said: Outcome, result: Result) -> Outcome:
    return msgspec.structs.replace(
        said,
        events=said.events + result.events,
        facts=said.facts + result.facts,
        seeds=said.seeds + 1,
        violations=said.violations + len(result.violations),
        digest=blake2b(f"{said.digest}{result.digest}".encode(), digest_size=16).hexdigest(),
        failures=(*said.failures, result) if result.violations else said.failures,
    )


def _recorded(record: Path | None, seed: int) -> Outcome:
    if record is None or not record.exists():
        return Outcome(seed)
    try:
        said = wire.from_json(record.read_bytes(), Outcome)
    except msgspec.MsgspecError as error:
        raise UserError(f"{record} is no record of a swarm: {error}", "name another file") from error
    if said.seed != seed:
        raise StateConflictError(
            f"{record} is the record of the seeds from {said.seed} on, not from {seed} on",
            f"give --seed {said.seed}, or another file",
        )
    return said


def _keep(said: Outcome, record: Path | None) -> None:
    if record is not None:
        new = record.with_name(record.name + ".new")
        new.write_bytes(wire.to_json(said) + b"\n")
        new.replace(record)


def _runs(seed: int, jobs: int) -> Iterator[Result]:
    """The runs in the order of their seeds, whichever ends first."""
    if jobs == 1:
        yield from map(run_of, count(seed))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        coming: deque[Future[Result]] = deque()
        seeds = count(seed)
        try:
            while True:
                while len(coming) < jobs * AHEAD:
                    coming.append(pool.submit(run_of, next(seeds)))
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def run_of(seed: int) -> Result:
    """The run of a seed, as the swarm plays it. Records that stay make no cycles: nobody looks for any meanwhile."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return run(case_of(seed))
    finally:
        if collecting:
            gc.enable()


def case_of(seed: int) -> Case:
    """What the swarm plays for a seed."""
    return Case(seed, stream(seed, "length").choice(LENGTHS))


def plain(outcome: Outcome) -> dict[str, Any]:
    """As `--json` prints it."""
    return {
        "events": outcome.events,
        "facts": outcome.facts,
        "seeds": outcome.seeds,
        "violations": outcome.violations,
        "digest": outcome.digest,
        "unreached": outcome.unreached,
        "failures": [
            {"seed": one.case.seed, "events": one.case.events, "violation": one.violations[0]}
            for one in outcome.failures
        ],
    }
