"""Facts of the world that agreements rest on: claims, verifications, deliveries, prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from stargate.agreements import FactStatus, WorldFact
from stargate.base.time import Instant
from stargate.broker import State
from stargate.broker.command import DeclareFact
from stargate.server.api.offers import Recording
from stargate.server.api.page import IdempotencyKey, Limit
from stargate.server.api.route import Asking, Here, changing, reading
from stargate.server.api.terms import Name, Words, demand_time

TEXT_LIMIT = 1_024


class FactBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that is so from a time on."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    """As `agi_revenue_usd` or `shipped/api/microsoft`."""
    value: Any
    """A whole or decimal number, text, or true or false."""
    valid_from: Instant | None = None
    """From when it is so; None: from now."""
    source: Words = ""
    evidence_sha256: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    verified_by: Name = ""
    """The party that verified or rejected it."""
    status: FactStatus = "claimed"

    def __post_init__(self) -> None:
        _demand_scalar(self.value)
        if self.valid_from is not None:
            demand_time(self.valid_from)
        if self.status == "verified" and not self.verified_by:
            raise ValueError("a verified fact names who verified it; add verified_by")


def _demand_scalar(value: object) -> None:
    """Raises ValueError for what no agreement could compare."""
    if isinstance(value, bool):
        return
    if isinstance(value, str):
        if len(value) > TEXT_LIMIT:
            raise ValueError(f"the text is longer than {TEXT_LIMIT} characters; name a document instead")
    elif isinstance(value, int | Decimal):
        if not _usable(Decimal(value)):
            raise ValueError(
                "the number is out of range; write at most 18 digits on either side of the point"
            )
    else:
        raise ValueError("a value is a number, text, or true or false; write one of them")  # noqa: TRY004 - msgspec


def _usable(number: Decimal) -> bool:
    return (
        number.is_finite()
        and (not number or -18 <= number.adjusted() <= 17)
        and len(number.as_tuple().digits) <= 36
    )


class FactPage(msgspec.Struct, frozen=True):
    """Facts, the last recorded first."""

    items: tuple[WorldFact, ...]
    total: int
    next: int | None


@changing("/v1/facts", "facts.declare", status=201)
async def declare_fact(
    house: Here, actor: Asking, data: JSONBody[FactBody], idempotency_key: IdempotencyKey = ""
) -> Recording:
    """Put a fact on record. It is recorded as of now, and nothing on record is ever changed."""
    now = house.driver.now()
    valid_from = data.valid_from if data.valid_from is not None else now
    fact = WorldFact(
        name=data.name,
        value=data.value,
        valid_from=valid_from,
        recorded_at=now,
        source=data.source or actor.name,
        evidence_sha256=data.evidence_sha256,
        verified_by=data.verified_by,
        status=data.status,
    )
    receipt = await house.ask(actor, DeclareFact(fact), idempotency_key, said=data)
    return Recording(receipt.seq, receipt.repeated)


@reading("/v1/facts", "journal.read")
async def list_facts(
    house: Here,
    limit: Limit = 50,
    after: Annotated[int, QueryParameter(ge=0, le=2**53, description="How many were seen.")] = 0,
) -> FactPage:
    """Facts on record, the last first."""

    def view(state: State) -> FactPage:
        facts = state.records.world_facts
        found = tuple(reversed(facts[max(0, len(facts) - after - limit) : max(0, len(facts) - after)]))
        seen = after + len(found)
        return FactPage(found, len(facts), seen if seen < len(facts) and found else None)

    return await house.driver.read(view)


ROUTES: tuple[Any, ...] = (declare_fact, list_facts)
