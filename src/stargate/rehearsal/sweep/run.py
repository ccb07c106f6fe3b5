"""Runs a sweep: each rehearsal in a process of its own, here or wherever a cluster has room."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Protocol

import msgspec

from stargate.base.errors import InternalError, StargateError
from stargate.rehearsal.report.staged import reported
from stargate.rehearsal.report.summary import Summary
from stargate.rehearsal.scenario import load
from stargate.rehearsal.sweep.grid import Grid, Overrides, Point
from stargate.rehearsal.sweep.override import overridden

Rehearsal = Callable[[int, Overrides], Summary]
"""One rehearsal with a seed and parameters, from start to end. It travels to other processes: a function of a module,
or an object that pickle takes."""
Told = Callable[[int, int], object]
"""Progress: runs that are over, of how many."""


class Ran(msgspec.Struct, frozen=True):
    """One run of a sweep. Either `summary` or `error` is there."""

    point: Point
    seed: int
    summary: Summary | None
    error: str = ""


class Cluster(Protocol):
    """Where runs are sent to."""

    def run(self, rehearsal: Rehearsal, runs: Sequence[tuple[Point, int]]) -> Iterator[tuple[int, Ran]]:
        """Each with its place among `runs`, as they end."""


class OfScenario(msgspec.Struct, frozen=True):
    """The rehearsal of a scenario file, as a sweep calls it."""

    path: str

    def __call__(self, seed: int, overrides: Overrides) -> Summary:
        """Read, change, rehearse. Raises what reading and staging raise."""
        plan = overridden(load(Path(self.path)), overrides)
        told = {name: str(value) for name, value in overrides.items()}
        return reported(plan, seed, overrides=told)[1]


def sweep(rehearsal: Rehearsal, grid: Grid, cluster: Cluster, told: Told | None = None) -> tuple[Ran, ...]:
    """All runs, in the order of the grid whichever ends first. A run that fails says so and stops no other."""
    runs = grid.runs
    found: dict[int, Ran] = {}
    for place, ran in cluster.run(rehearsal, runs):
        found[place] = ran
        if told is not None:
            told(len(found), len(runs))
    assert len(found) == len(runs), "every run has come to an end"
    return tuple(found[place] for place in range(len(runs)))


def once(rehearsal: Rehearsal, point: Point, seed: int) -> Ran:
    """One run; what is wrong with its input is its result."""
    try:
        return Ran(point, seed, rehearsal(seed, point.overrides))
    except StargateError as error:
        return Ran(point, seed, None, str(error))


class Processes:
    """This machine: so many processes at once, each started afresh."""

    def __init__(self, workers: int) -> None:
        assert workers > 0, "somebody works"
        self.workers = workers

    def run(self, rehearsal: Rehearsal, runs: Sequence[tuple[Point, int]]) -> Iterator[tuple[int, Ran]]:
        """Raises InternalError when a process was killed, as it is when memory runs out."""
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self.workers, max(1, len(runs))), mp_context=spawn) as pool:
            waiting: dict[Future[Ran], int] = {
                pool.submit(once, rehearsal, point, seed): place for place, (point, seed) in enumerate(runs)
            }
            try:
                for done in as_completed(waiting):
                    yield waiting[done], done.result()
            except BrokenProcessPool:
                message = "a process of the sweep was killed"
                raise InternalError(
                    message, "it may have run out of memory: sweep with fewer workers"
                ) from None
            finally:
                for future in waiting:
                    future.cancel()
