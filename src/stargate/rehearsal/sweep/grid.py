"""What a sweep goes through: every combination of its parameters' values, each with every seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import msgspec

from stargate.base.errors import InputError, LimitError, Problem

RUNS_LIMIT = 100_000
"""Rehearsals of one sweep."""

Value = str | int | float | bool
Overrides = Mapping[str, Value]
"""By dotted path: see `override`."""


class Point(msgspec.Struct, frozen=True):
    """One combination of values."""

    number: int
    overrides: dict[str, Value]


class Grid(msgspec.Struct, frozen=True):
    """Points and seeds, in a fixed order."""

    points: tuple[Point, ...]
    seeds: tuple[int, ...]

    @property
    def runs(self) -> list[tuple[Point, int]]:
        """Every rehearsal."""
        return [(point, seed) for point in self.points for seed in self.seeds]


def grid(seeds: Sequence[int], parameters: Mapping[str, Sequence[Value]]) -> Grid:
    """All combinations, the last parameter varying fastest.

    Raises InputError for a parameter without values and for no seeds, LimitError for more than RUNS_LIMIT runs.
    """
    empty = [name for name, values in parameters.items() if not values]
    if empty:
        raise InputError(
            tuple(Problem(f"parameter {name} has no values", "Give at least one.") for name in empty)
        )
    if not seeds:
        raise InputError((Problem("the sweep has no seeds", "Give at least one."),))
    runs = len(set(seeds))
    for values in parameters.values():
        runs *= len(values)
    if runs > RUNS_LIMIT:
        raise LimitError(
            f"the sweep has {runs:,} runs", f"take fewer seeds or values: {RUNS_LIMIT:,} at most"
        )
    points = tuple(
        Point(number, dict(zip(parameters, values, strict=True)))
        for number, values in enumerate(product(*parameters.values()))
    )
    return Grid(points, tuple(dict.fromkeys(seeds)))


def read_parameter(text: str) -> tuple[str, tuple[Value, ...]]:
    """`policy.backfill=easy,none` as a path and its values: numbers and true/false as such, else text.

    Raises InputError.
    """
    path, sign, values = text.partition("=")
    if not sign or not path.strip() or not values.strip():
        remedy = "Write a dotted path and values with commas, as policy.backfill=easy,none."
        raise InputError((Problem(f"{text!r} is no parameter of a sweep", remedy),))
    return path.strip(), tuple(_value(part.strip()) for part in values.split(","))


def _value(text: str) -> Value:
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
