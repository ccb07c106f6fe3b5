"""Sums, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from stargate.gateway.observing.family import FAMILIES, PREFIX, Family
from stargate.gateway.observing.snapshot import Sum

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


class _Registry:
    def __init__(self, made: Sum) -> None:
        self._made = made

    def collect(self) -> Iterator[Metric]:
        for family in FAMILIES:
            yield _metric(family, self._made)


def exposition(made: Sum, accept: str) -> tuple[str, bytes]:
    """Content type and text, in the format that the header `accept` asks for: Prometheus' own, or OpenMetrics."""
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415 - not before somebody asks

    encode, content_type = choose_encoder(accept)
    return content_type, encode(_Registry(made))


def _metric(family: Family, made: Sum) -> Metric:
    from prometheus_client.core import (  # noqa: PLC0415 - not before somebody asks
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    name = PREFIX + family.name
    if family.kind == "histogram":
        times = HistogramMetricFamily(name, family.says, labels=family.labels)
        bounds = [str(bound) for bound in family.bounds_s] + ["+Inf"]
        for labels, histogram in sorted(made.histograms.get(family.name, {}).items()):
            buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
            times.add_metric(labels, buckets, histogram.sum_us / 1e6)
        return times
    if family.kind == "counter":
        counts = CounterMetricFamily(name, family.says, labels=family.labels)
        found: dict[tuple[str, ...], int] = made.counters.get(family.name, {})
        for labels, count in sorted(({(): 0} if not family.labels and not found else found).items()):
            counts.add_metric(labels, count)
        return counts
    states = GaugeMetricFamily(name, family.says, labels=family.labels)
    for labels, value in sorted(made.gauges.get(family.name, {}).items()):
        states.add_metric(labels, value)
    return states
