"""Runs a sweep: each rehearsal by itself, here or wherever a cluster has room, and none for nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Protocol

import msgspec

from stargate.base.errors import StargateError
from stargate.rehearsal.report.headline import headlines
from stargate.rehearsal.report.summary import Summary
from stargate.rehearsal.sweep.grid import Grid, Overrides, Point

Told = Callable[[int, int], object]
"""Progress: runs that are over, of how many."""


class Rehearsal(Protocol):
    """What is swept. It travels to other processes: something that pickle takes."""

    def digests(self, grid: Grid) -> list[str]:
        """The input digest of every run, in order. Raises for a path or value that fits nowhere: nothing has run."""

    def __call__(self, seed: int, overrides: Overrides) -> Summary:
        """One run from start to end. Raises what reading and rehearsing raise."""


class Ran(msgspec.Struct, frozen=True):
    """One run of a sweep. Either `figures` or `error` is there."""

    point: Point
    seed: int
    figures: dict[str, float] = {}
    """By the names of `headline.HEADLINES`."""
    input_digest: str = ""
    state_digest: str = ""
    error: str = ""


Coming = Generator[tuple[int, Ran], None, None]


class Cluster(Protocol):
    """Where runs are sent to."""

    def run(self, rehearsal: Rehearsal, runs: Sequence[tuple[Point, int]]) -> Coming:
        """Each with its place among `runs`, as they end. When it is closed, what has not ended is given up."""


class Memory(Protocol):
    """What runs came to before, by their input digest."""

    def find(self, digest: str) -> Ran | None:
        """The run, if it was kept."""

    def keep(self, ran: Ran) -> None:
        """One more."""


def sweep(
    rehearsal: Rehearsal,
    grid: Grid,
    cluster: Cluster,
    told: Told | None = None,
    memory: Memory | None = None,
) -> tuple[Ran, ...]:
    """All runs, in the order of the grid whichever ends first. A run that fails says so and stops no other.

    What `memory` has is not run again. Raises what `Rehearsal.digests` raises, and what the cluster raises when it
    cannot go on; all that had ended by then is in `memory`.
    """
    runs, digests = grid.runs, rehearsal.digests(grid)
    found: dict[int, Ran] = {}
    for place, (point, seed) in enumerate(runs):
        known = None if memory is None else memory.find(digests[place])
        if known is not None:
            found[place] = msgspec.structs.replace(known, point=point, seed=seed)
    missing = [place for place in range(len(runs)) if place not in found]
    tell = told or (lambda _done, _of: None)
    tell(len(found), len(runs))
    with closing(cluster.run(rehearsal, [runs[place] for place in missing])) as coming:
        for number, ran in coming:
            place = missing[number]
            found[place] = _checked(ran, digests[place])
            if memory is not None and not found[place].error:
                memory.keep(found[place])
            tell(len(found), len(runs))
    assert len(found) == len(runs), "every run has come to an end"
    return tuple(found[place] for place in range(len(runs)))


def once(rehearsal: Rehearsal, point: Point, seed: int) -> Ran:
    """One run; what went wrong with it is its result."""
    try:
        summary = rehearsal(seed, point.overrides)
    except StargateError as error:
        return Ran(point, seed, error=str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other runs go on
        return Ran(point, seed, error=f"{type(error).__name__}: {error}. This is a fault of Stargate.")
    identity = summary.identity
    return Ran(point, seed, headlines(summary), identity.input_digest, identity.state_digest)


def _checked(ran: Ran, digest: str) -> Ran:
    """It ran what is meant here: on another machine files of the same name may be others."""
    if ran.error or ran.input_digest == digest:
        return ran
    error = (
        "the files where it ran are not the files here. Give every node the same files under the same path."
    )
    return Ran(ran.point, ran.seed, error=error)
