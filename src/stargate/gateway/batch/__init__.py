"""Runs a batch: asks the gateway line by line, and has each answer kept before it goes on.

The runner is the program of a workload of kind `batch`, wherever that is placed: it needs the gateway's address and a
key, and nothing of its machine's disk survives it. Its face is `python -m stargate.gateway.batch`. What a batch is, who
may ask for one and where its answers lie is the server's.
"""

from stargate.gateway.batch.record import (
    ANSWER_BYTES_LIMIT,
    INPUT_BYTES_LIMIT,
    LINE_BYTES_LIMIT,
    LINES_LIMIT,
    RESULTS_BYTES_LIMIT,
    Assignment,
    Line,
    Result,
    Results,
    Standing,
)

__all__ = [
    "ANSWER_BYTES_LIMIT", "INPUT_BYTES_LIMIT", "LINES_LIMIT", "LINE_BYTES_LIMIT", "RESULTS_BYTES_LIMIT", "Assignment",
    "Line", "Result", "Results", "Standing",
]  # fmt: skip
