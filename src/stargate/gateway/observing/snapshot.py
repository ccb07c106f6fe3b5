"""What a process has counted, at one moment; and what several have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import add

import msgspec

from stargate.gateway.observing.family import BY_NAME, SERIES_LIMIT
from stargate.gateway.observing.histogram import Histogram

Labels = tuple[str, ...]
Gauges = Sequence[tuple[str, Labels, float]]
"""Name, labels, value."""
_COMBINED: dict[str, Callable[[float, float], float]] = {"sum": add, "max": max, "min": min}


class Snapshot(msgspec.Struct, frozen=True):
    """Counters and histograms only ever rise within a process; gauges are as they are."""

    counters: Sequence[tuple[str, Labels, int]] = ()
    histograms: Sequence[tuple[str, Labels, list[int], int]] = ()
    """Counts of each bucket, and the sum in microseconds."""
    gauges: Gauges = ()


class Sum:
    """Snapshots, summed up."""

    def __init__(self) -> None:
        self.counters: dict[str, dict[Labels, int]] = {}
        self.histograms: dict[str, dict[Labels, Histogram]] = {}
        self.gauges: dict[str, dict[Labels, float]] = {}

    def add(self, snapshot: Snapshot) -> None:
        """One more process that lives."""
        self.add_past(snapshot)
        for name, labels, value in snapshot.gauges:
            if name in BY_NAME:
                found = self.gauges.setdefault(name, {})
                key = _bounded(found, labels)
                before = found.get(key)
                found[key] = value if before is None else _COMBINED[BY_NAME[name].over](before, value)

    def add_past(self, snapshot: Snapshot) -> None:
        """One more that is dead: what it counted stays, what it was is no more."""
        for name, labels, count in snapshot.counters:
            if name in BY_NAME:
                counted = self.counters.setdefault(name, {})
                key = _bounded(counted, labels)
                counted[key] = counted.get(key, 0) + count
        for name, labels, counts, sum_us in snapshot.histograms:
            family = BY_NAME.get(name)
            if family is None or len(counts) != len(family.bounds_s) + 1:
                continue  # another release counted in other buckets
            noted = self.histograms.setdefault(name, {})
            key = _bounded(noted, labels)
            histogram = noted.get(key)
            if histogram is None:
                histogram = noted[key] = Histogram(family.bounds_us)
            histogram.counts = [one + other for one, other in zip(histogram.counts, counts, strict=True)]
            histogram.sum_us += sum_us

    def past(self) -> Snapshot:
        """What stays of it."""
        return Snapshot(
            [
                (name, labels, count)
                for name, found in self.counters.items()
                for labels, count in found.items()
            ],
            [
                (name, labels, histogram.counts, histogram.sum_us)
                for name, found in self.histograms.items()
                for labels, histogram in found.items()
            ],
        )


def total(snapshots: Iterable[Snapshot]) -> Sum:
    """Of processes that live."""
    made = Sum()
    for snapshot in snapshots:
        made.add(snapshot)
    return made


def _bounded(found: Mapping[Labels, object], labels: Labels) -> Labels:
    return labels if labels in found or len(found) < SERIES_LIMIT else ("other",) * len(labels)
