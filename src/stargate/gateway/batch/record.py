"""What the runner of a batch and the control plane tell each other, and the bounds of a batch."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.gateway.record import Operation

LINES_LIMIT = 50_000
"""Requests of one batch, as OpenAI has it."""
INPUT_BYTES_LIMIT = 200_000_000
"""Of a file with requests, likewise."""
LINE_BYTES_LIMIT = 4 << 20
ANSWER_BYTES_LIMIT = 16 << 20
"""Of one answer that is kept."""
RESULTS_LIMIT = 256
RESULTS_BYTES_LIMIT = ANSWER_BYTES_LIMIT + (4 << 20)
"""Of results that are told at once."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request as its author wrote it: one line of the input."""

    custom_id: Annotated[str, Meta(min_length=1, max_length=512)]
    method: str
    url: str
    body: msgspec.Raw


class Assignment(msgspec.Struct, frozen=True):
    """What is left to do of a batch."""

    batch: str
    operation: Operation
    lines: int
    input_bytes: int
    """Size of the input: what arrives shorter has not arrived."""
    open: bool
    """There is something to do, and this runner is the one to do it."""
    done: tuple[tuple[int, int], ...] = ()
    """Lines that have their answer: from the first of each span up to, and without, the second."""


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to a line, final whatever it says."""

    line: Annotated[int, Meta(ge=0, lt=LINES_LIMIT)]
    """From 0."""
    status: Annotated[int, Meta(ge=0, le=599)]
    """As the gateway answered; 0: its answer is of no use, and `body` is an error of ours."""
    request: Annotated[str, Meta(max_length=128)]
    """The gateway's id for the request that brought it."""
    body: Annotated[bytes, Meta(max_length=ANSWER_BYTES_LIMIT)]
    """JSON."""


class Results(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answers to be kept. Told again they change nothing: of each line the first answer holds."""

    epoch: Annotated[int, Meta(ge=0, le=2**53)]
    """Rises with every start of a runner; of two that run only the newer goes on."""
    results: Annotated[tuple[Result, ...], Meta(max_length=RESULTS_LIMIT)]


class Standing(msgspec.Struct, frozen=True):
    """What was told is kept."""

    open: bool
    """There is more to do, and this runner is the one to do it."""
    kept: int
    """Lines that have their answer."""
