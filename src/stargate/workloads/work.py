"""The work itself, where people state it instead of a number of chips: what to train on, what traffic to serve."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stargate.base.time import Duration

TOKENS_LIMIT = 10**18
SEQUENCE_LIMIT = 10**9
"""Tokens of one sequence, one prompt or one answer."""
BATCH_LIMIT = 10**12
WAYS_LIMIT = 10**6

Precision = Literal["bf16", "fp8", "mxfp8", "nvfp4", "int8"]
"""Of the large matrices; what stays wider (norms, the output table) is known to the performance model."""
Recompute = Literal["none", "attention", "selective", "minimal", "full"]
Sharding = Literal["none", "zero1", "zero2", "zero3", "fsdp"]
Tokens = Annotated[int, Meta(ge=1, le=SEQUENCE_LIMIT)]
Ways = Annotated[int, Meta(ge=1, le=WAYS_LIMIT)]


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the work is cut over chips. What is not said is searched for when the work is sized."""

    tensor_parallel: Ways | None = None
    pipeline_parallel: Ways | None = None
    virtual_stages: Ways | None = None
    """Parts of the model that each stage of the pipeline holds (interleaving)."""
    context_parallel: Ways | None = None
    expert_parallel: Ways | None = None
    data_parallel: Ways | None = None
    micro_batch_size: Ways | None = None
    """Sequences that pass a stage at once."""
    sharding: Sharding | None = None
    """What data-parallel chips share out: the optimizer's state (`zero1`), gradients too (`zero2`), parameters
    too (`zero3`, `fsdp`)."""
    recompute: Recompute | None = None
    """What the backward pass computes again."""


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A model to train on so many tokens. None: what is usual for the model is assumed, and shown."""

    tokens: Annotated[int, Meta(ge=1, le=TOKENS_LIMIT)]
    sequence_length: Tokens | None = None
    batch_sequences: Annotated[int, Meta(ge=1, le=BATCH_LIMIT)] | None = None
    """Sequences in one step, over all chips."""
    batch_tokens: Annotated[int, Meta(ge=1, le=BATCH_LIMIT)] | None = None
    """The same in tokens; one of the two at most."""


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bound that so many of a hundred requests must keep."""

    percentile: Annotated[int, Meta(ge=1, le=99)]
    within: Duration


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Requests to be served: how many, how long, how fast."""

    requests_per_s: Decimal
    """At the peak that must be carried."""
    input_tokens: Tokens
    """Of a request, on average."""
    output_tokens: Tokens
    ttft: Latency | None = None
    """Time to the first token."""
    tpot: Latency | None = None
    """Time per output token after the first."""
