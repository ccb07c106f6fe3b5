"""A place that serves a model: a replica of a service of ours, or a provider's own API."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stargate.gateway.record.application import LIST_LIMIT, Count, Name

Operation = Literal["chat/completions", "completions", "embeddings", "responses"]
"""What may be asked of a model: the end of the path, below `/v1/`."""
OPERATIONS: tuple[Operation, ...] = ("chat/completions", "completions", "embeddings", "responses")

Abort = Literal["cancel", "drain"]
"""What happens upstream when a client leaves: it is told to stop, or read to its end because it bills anyway."""


Prefer = Literal["cheapest", "fastest", "balanced"]
"""By what endpoints that may answer are told apart: by price first; by load and speed alone; or by load and speed, the
dearest counted as if it were twice as busy."""


ENDPOINT_ID_LIMIT = 320
"""Two names and what stands between and behind them."""


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Where a request can be sent."""

    id: Annotated[str, Meta(max_length=ENDPOINT_ID_LIMIT)]
    """The attempt of a replica; or `API/MODEL`, of a provider's entry in the catalog and what it is asked for."""
    model: Name
    """What clients call it."""
    url: Annotated[str, Meta(pattern=r"^https?://[^\s?#]+[^/\s?#]$", max_length=1_024)]
    """Up to and with `/v1`."""
    provider: Name
    party: Name
    """The provider as a party of agreements."""
    upstream_model: Name = ""
    """What it is called there; empty: the same."""
    operations: Annotated[tuple[Operation, ...], Meta(max_length=len(OPERATIONS))] = OPERATIONS
    service: Name = ""
    """The workload that it is a replica of; empty: an external provider's."""
    site: Name = ""
    jurisdiction: Name = ""
    pool: Name = ""
    chip: Name = ""
    tenure: Name = ""
    agreement: Name = ""
    secret: Name = ""
    """Name of the secret that is its key. Never its value."""
    cost_usd_per_million_tokens: Decimal = Decimal(0)
    """What an output token costs us there: of two that are alike the cheaper is asked."""
    outstanding_requests: Count = 0
    """The most that are sent there at a time by one worker; 0: no bound of its own."""
    abort: Abort = "cancel"
    usage_path: Annotated[str, Meta(max_length=256)] = ""
    """Where it says what a request has used, as `/usage/{request_id}`; empty: nowhere."""
    tokenize_path: Annotated[str, Meta(max_length=256)] = ""
    """Where it cuts a text into tokens, as `/tokenize`; empty: nowhere."""
    draining: bool = False
    """It finishes what it has and gets nothing new."""


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What an application is charged, for its budget. The ledger rates by the agreements themselves."""

    input_usd_per_million_tokens: Decimal = Decimal(0)
    cached_usd_per_million_tokens: Decimal | None = None
    """None: as other input."""
    output_usd_per_million_tokens: Decimal = Decimal(0)


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What can be asked for by name."""

    id: Name
    owner: Name = ""
    created_s: Count = 0
    """Seconds since 1970, as OpenAI's list says it."""
    context_tokens: Count = 0
    """0: not known."""
    price: Price = Price()
    fallbacks: Annotated[tuple[Name, ...], Meta(max_length=LIST_LIMIT)] = ()
    """Models that answer in its place, in this order, where none of its own endpoints can."""
    prefer: Prefer = "balanced"
    hedge_after_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    """When a second endpoint is asked where the first has not begun to answer by then; 0: never."""
    wakes: bool = False
    """It may be scaled to zero: a request that finds no endpoint waits until one has been started."""
