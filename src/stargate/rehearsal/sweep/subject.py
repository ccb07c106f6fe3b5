"""What can be swept: a scenario under values for its paths, a trace under policies and chips."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stargate.base.errors import InputError, NotFoundError, Problem
from stargate.base.faults import did_you_mean
from stargate.rehearsal.flat import digest, ordered
from stargate.rehearsal.given import read
from stargate.rehearsal.policies import named
from stargate.rehearsal.report.flat import reported as reported_flat
from stargate.rehearsal.report.staged import reported
from stargate.rehearsal.report.summary import Summary
from stargate.rehearsal.scenario import load
from stargate.rehearsal.stage import input_digest
from stargate.rehearsal.sweep.grid import Grid, Overrides, Value
from stargate.rehearsal.sweep.override import changed_digest, overridden

PARTS = ("policy", "chips", "nodes_of")
"""What can be changed of a trace's rehearsal."""


class OfScenario(msgspec.Struct, frozen=True):
    """A scenario's file."""

    path: str

    def digests(self, grid: Grid) -> list[str]:
        """Raises what reading raises, and what `overridden` does: each value is tried once."""
        plan = load(Path(self.path))
        for overrides in _each_once(grid):
            overridden(plan, overrides)
        changed = [changed_digest(plan, point.overrides) for point in grid.points]
        return [input_digest(changed[point.number], seed) for point, seed in grid.runs]

    def __call__(self, seed: int, overrides: Overrides) -> Summary:
        """Read, change, rehearse."""
        plan = overridden(load(Path(self.path)), overrides)
        return reported(plan, seed, overrides=_told(overrides))[1]


class OfTrace(msgspec.Struct, frozen=True):
    """A trace's file, on the flat pool: PARTS may be changed. Nothing is drawn: seeds change nothing."""

    path: str

    def digests(self, grid: Grid) -> list[str]:
        """Raises what reading raises, and NotFoundError or InputError for other paths and values."""
        trace = read(Path(self.path))
        jobs = ordered(trace.jobs)
        found = {}
        for point in grid.points:
            policy, chips, nodes_of = flat_parts(point.overrides)
            found[point.number] = digest(jobs, trace.chips(chips), nodes_of, named(policy))
        return [found[point.number] for point, _ in grid.runs]

    def __call__(self, seed: int, overrides: Overrides) -> Summary:
        """Read and rehearse."""
        trace = read(Path(self.path))
        policy, chips, nodes_of = flat_parts(overrides)
        title = Path(self.path).name
        return reported_flat(trace.jobs, trace.chips(chips), policy, title=title, nodes_of=nodes_of)[1]


def _each_once(grid: Grid) -> list[dict[str, Value]]:
    """The first point, and those that differ from it in one value."""
    first = grid.points[0].overrides
    return [
        point.overrides
        for point in grid.points
        if sum(value != first[name] for name, value in point.overrides.items()) <= 1
    ]


def _told(overrides: Overrides) -> dict[str, str]:
    return {name: str(value) for name, value in overrides.items()}


def flat_parts(overrides: Overrides) -> tuple[str, int | None, int]:
    """Policy, chips and chips of a node, as overrides say. Raises NotFoundError and InputError for others."""
    for path in overrides:
        if path not in PARTS:
            raise NotFoundError(f"a trace has no {path!r} to change", did_you_mean(path, PARTS))
    return (
        str(overrides.get("policy", "own")),
        _chips(overrides, "chips"),
        _chips(overrides, "nodes_of") or 1,
    )


def _chips(overrides: Overrides, path: str) -> int | None:
    chips = overrides.get(path)
    if chips is None:
        return None
    if not isinstance(chips, int) or isinstance(chips, bool) or chips < 1:
        problem = Problem(f"{path}={chips} is no number of chips", "Write a whole number above 0.")
        raise InputError((problem,))
    return chips
