"""What a sweep comes to: for each point the mean of each figure over the seeds, and where they lie."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from hashlib import blake2b
from itertools import groupby
from typing import TextIO

import msgspec

from stargate.rehearsal.sweep.grid import Value
from stargate.rehearsal.sweep.run import Ran


class Spot(msgspec.Struct, frozen=True):
    """One figure at one point, over the seeds."""

    mean: float
    p10: float
    median: float
    p90: float


class Failure(msgspec.Struct, frozen=True):
    """Runs of a point that came to nothing, by what was wrong."""

    error: str
    seeds: tuple[int, ...]


class Result(msgspec.Struct, frozen=True):
    """One point."""

    overrides: dict[str, Value]
    runs: int
    """That came to an end."""
    figures: dict[str, Spot]
    """By the names of `headline.HEADLINES`; empty where no run came to an end."""
    failures: tuple[Failure, ...] = ()
    digests: dict[str, str] = {}
    """Of the final states, by seed."""


def results(ran: Sequence[Ran]) -> tuple[Result, ...]:
    """By point, in the order of the grid."""
    found = []
    for _, group in groupby(ran, key=lambda each: each.point.number):
        runs = list(group)
        whole = [each for each in runs if not each.error]
        wrong: dict[str, list[int]] = {}
        for each in runs:
            if each.error:
                wrong.setdefault(each.error, []).append(each.seed)
        found.append(
            Result(
                overrides=runs[0].point.overrides,
                runs=len(whole),
                figures={name: spot([each.figures[name] for each in whole]) for name in whole[0].figures}
                if whole
                else {},
                failures=tuple(Failure(error, tuple(seeds)) for error, seeds in wrong.items()),
                digests={str(each.seed): each.state_digest for each in whole},
            )
        )
    return tuple(found)


def digest(found: Sequence[Result]) -> str:
    """Of all final states: equal sweeps, equal digest, wherever they ran."""
    summed = blake2b(digest_size=16)
    for result in found:
        summed.update(msgspec.json.encode((result.overrides, result.digests), order="deterministic"))
    return summed.hexdigest()


def spot(values: Sequence[float]) -> Spot:
    """Mean, and the 10th, 50th and 90th of a hundred, between the values that are nearest (linear).

    There must be one.
    """
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        low = math.floor(place)
        high = min(low + 1, len(ordered) - 1)
        return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 6)

    return Spot(round(math.fsum(ordered) / len(ordered), 6), at(0.1), at(0.5), at(0.9))


def write(found: Sequence[Result], out: TextIO) -> None:
    """As CSV: a row for each figure and point."""
    names = list(dict.fromkeys(name for result in found for name in result.overrides))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*names, "figure", "runs", "mean", "p10", "median", "p90"))
    for result in found:
        point = [result.overrides.get(name, "") for name in names]
        for name, each in result.figures.items():
            writer.writerow((*point, name, result.runs, each.mean, each.p10, each.median, each.p90))
