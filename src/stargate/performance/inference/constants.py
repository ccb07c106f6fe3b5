"""What calibration fits for serving: three constants per chip and precision, and those that all chips share."""

from __future__ import annotations

import msgspec

from stargate.performance.calibration.measured import Span
from stargate.performance.number import Number


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """All positive. Defaults are where a fit starts. Each may be a column."""

    bandwidth: Number = 0.94
    """Share of the memory's peak bandwidth that reading weights reaches. Per chip and precision."""
    compute: Number = 0.72
    """Share of peak FLOPs that large matrices reach. Per chip and precision."""
    kernel_seconds: Number = 4.6e-06
    """From the start of one small kernel to the next. Per chip and precision."""
    release: Number = 1.0
    """Time of an iteration under a software release against the average one."""

    overlap: Number = 0.75
    """Share of the shorter of reading and computing that the longer does not hide."""
    tile_rows: Number = 18.0
    """Rows that a matrix costs at least, beyond those it has: tiles are padded."""
    attention: Number = 0.92
    """Share of 16-bit peak that attention over a prompt reaches."""
    cache: Number = 0.63
    """Bandwidth of reading caches against that of reading weights."""
    collective_seconds: Number = 8.8e-06
    """Latency of one collective operation within the scale-up domain."""
    link: Number = 0.58
    """Share of a link's bandwidth that collectives reach."""
    eager: Number = 3.4
    """Latency of a kernel in an iteration with prompts, which is launched one by one, against a recorded one."""
    iteration_seconds: Number = 0.0003
    """Of the host per iteration: scheduling, sampling, sending tokens."""
    sequence_seconds: Number = 1.5e-06
    """Of the host per sequence and iteration: sampling, stop conditions, text, sending a token."""
    begin_seconds: Number = 0.001
    """By which the host holds an engine up for each request that begins: placing it, making its first token."""
    request_seconds: Number = 0.011
    """Of a request before its prompt is computed: tokens made, queued, answered."""
    admission: Number = 2.0
    """Iterations that pass before an engine takes up a request. Per engine."""
    burst: Number = 0.085
    """Share of the sequences in flight whose prompts stand before a new one: a closed loop moves in waves."""
    reserve: Number = 0.75
    """Share of the answer for which memory is set aside when a sequence is admitted."""
    grouped: Number = 0.5
    """Share of FLOPs that the many matrices of wide experts reach, against single ones."""
    narrow_width: Number = 540.0
    """Width of an expert on one chip at which its matrices reach half of what those of wide ones do."""
    scattered: Number = 0.93
    """Share of bandwidth that reading experts reaches, against large matrices."""
    uneven: Number = 0.79
    """What the busiest chip has more than an even share where experts are spread over chips."""
    evenness: Number = 1.2
    """How evenly tokens choose experts: the shape of a gamma distribution of their popularity. Large: all alike."""
    balance: Number = 1.0
    """Iterations that copies of attention wait for one another's prompts. Per engine."""


CELL: dict[str, Span] = {
    "bandwidth": Span(0.94, 0.3, 1.0, 600.0),
    "compute": Span(0.72, 0.1, 1.0, 600.0),
    "kernel_seconds": Span(4.6e-06, 1e-6, 2e-5, 600.0),
}
"""Per chip and precision; each is drawn to the value of the same name that all cells share."""

SHARED: dict[str, Span] = {
    "bandwidth": Span(0.94, 0.3, 1.0, 4.0),
    "compute": Span(0.72, 0.1, 1.0, 4.0),
    "kernel_seconds": Span(4.6e-06, 1e-6, 2e-5, 4.0),
    "overlap": Span(0.75, 0.03, 1.0, 4.0),
    "tile_rows": Span(18.0, 1.0, 128.0, 4.0),
    "attention": Span(0.92, 0.05, 1.0, 4.0),
    "cache": Span(0.63, 0.2, 1.3, 4.0),
    "collective_seconds": Span(8.8e-06, 1.5e-6, 3e-5, 4.0),
    "link": Span(0.58, 0.05, 1.0, 4.0),
    "eager": Span(3.4, 1.0, 10.0, 4.0),
    "iteration_seconds": Span(0.0003, 5e-5, 1e-2, 4.0),
    "sequence_seconds": Span(1.5e-06, 5e-7, 5e-5, 4.0),
    "begin_seconds": Span(1e-3, 1e-5, 1e-2, 4.0),
    "request_seconds": Span(0.011, 1e-3, 0.3, 4.0),
    "burst": Span(0.085, 0.01, 0.3, 30.0),
    "grouped": Span(0.5, 0.05, 1.0, 4.0),
    "narrow_width": Span(540.0, 20.0, 20000.0, 4.0),
    "scattered": Span(0.93, 0.3, 1.2, 4.0),
    "uneven": Span(0.79, 0.01, 2.0, 4.0),
    "evenness": Span(1.2, 0.3, 100.0, 4.0),
}
"""The same for all chips."""

ENGINES: dict[str, dict[str, Span]] = {
    "admission": {
        "TensorRT-LLM": Span(8.9, 0.2, 100.0, 2.0),
        "vllm": Span(0.59, 0.2, 100.0, 2.0),
        "sglang": Span(25.0, 0.2, 100.0, 2.0),
    },
    "balance": {
        "TensorRT-LLM": Span(31.0, 0.2, 200.0, 2.0),
        "vllm": Span(1.8, 0.2, 200.0, 2.0),
        "sglang": Span(1.0, 0.2, 200.0, 2.0),
    },
    "reserve": {
        "TensorRT-LLM": Span(1.0, 0.95, 1.05, 1000.0),
        "vllm": Span(0.75, 0.3, 1.5, 20.0),
        "sglang": Span(0.75, 0.3, 1.5, 20.0),
    },
}
"""What differs by the design of an engine. TensorRT-LLM sets memory aside for whole answers
(`GUARANTEED_NO_EVICT`) and lets copies of attention wait for one another (`attention_dp_config`); SGLang looks for
new requests once in several iterations (`--scheduler-recv-interval`)."""

RELEASES = Span(1.0, 0.25, 4.0, 600.0)
ENGINE_MEAN = Span(1.0, 0.9, 1.1, 1000.0)
"""The mean of an engine's releases."""
LINES: dict[str, Span] = {
    "TensorRT": Span(1.0, 0.5, 2.0, 50.0),
    "Dynamo TensorRT-LLM": Span(1.0, 0.5, 2.0, 50.0),
}
"""Means of releases that go by another name than their engine: MLPerf's own harness, and Dynamo's images."""
PREFIX = "serving_"
"""Of the names of these constants in a calibration."""
