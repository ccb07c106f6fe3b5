"""Rows of serving measurements as batches for calibration: maximal throughput, and latencies under load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stargate.performance.calibration.reading import Row
from stargate.performance.device import Device
from stargate.performance.inference.latency import LatencyBatch
from stargate.performance.inference.throughput import ThroughputBatch


def latency_batch(rows: Sequence[Row], devices: Mapping[tuple[str, str], Device]) -> LatencyBatch:
    """A batch of rows with the columns of `latency_given.csv`; `devices` by (chip, precision)."""
    return LatencyBatch(rows, devices)


def throughput_batch(rows: Sequence[Row], devices: Mapping[tuple[str, str], Device]) -> ThroughputBatch:
    """A batch of rows with the columns of `inference_given.csv`; `devices` by (chip, precision)."""
    return ThroughputBatch(rows, devices)
