"""Models that are served by name, wherever they run: what a client asks for, and what it is charged."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stargate.catalog.dated import Name, Sourced

ModelId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._:/-]{0,126}[A-Za-z0-9])?$",
        description="a name of letters, digits, dots, dashes, underscores, colons and strokes",
    ),
]
FALLBACKS_LIMIT = 16


class TokenPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What tokens of a model cost."""

    input_usd_per_million_tokens: Decimal = Decimal(0)
    cached_usd_per_million_tokens: Decimal | None = None
    """For input that an endpoint still knew; None: as other input."""
    output_usd_per_million_tokens: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        cached = self.cached_usd_per_million_tokens or Decimal(0)
        if min(self.input_usd_per_million_tokens, cached, self.output_usd_per_million_tokens) < 0:
            raise ValueError("a price is negative; write 0 or more")


class ServedModel(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A model by the name that clients use."""

    id: ModelId
    owner: Name = ""
    """As OpenAI's list of models says it."""
    context_tokens: Annotated[int, Meta(ge=0, le=10**9)] = 0
    """The most that fits; 0: not known."""
    price: TokenPrice = TokenPrice()
    """What keys are charged for their budgets; what is owed is reckoned by the agreements."""
    fallbacks: Annotated[tuple[ModelId, ...], Meta(max_length=FALLBACKS_LIMIT)] = ()
    """Models that answer in its place, in this order, where none of its own endpoints can."""
    prefer: Literal["cheapest", "fastest", "balanced"] = "balanced"
    """By what its endpoints are told apart: by price first, by load and speed, or by all of them."""
    hedge_after_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    """When a second endpoint is asked where the first has not begun to answer by then; 0: never. Both may bill."""

    def __post_init__(self) -> None:
        if self.id in self.fallbacks:
            raise ValueError(f"{self.id} falls back on itself; name other models")
