"""Leases: capacity that is held, and what of it has been delivered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from stargate.agreements.right import Terms
from stargate.base.time import Instant
from stargate.broker import State
from stargate.broker.sourcing.command import ReportDelivery
from stargate.broker.sourcing.records import DeliveryStatus, Lease, LeaseKind, LeaseStatus
from stargate.server.access import Resource, may, sighted
from stargate.server.api.page import After, Id, IdempotencyKey, Limit, cut
from stargate.server.api.route import Asking, Here, changing, reading
from stargate.server.api.terms import CHIPS_LIMIT, Words
from stargate.server.auth import Actor


class DeliveryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What has been delivered up to now, or that the rest will not come."""

    delivered_chips: Annotated[int, Meta(ge=0, le=CHIPS_LIMIT)]
    failed: bool = False
    """The rest will not come within the time for delivery."""
    evidence: Words = ""


class LeaseView(msgspec.Struct, frozen=True):
    """A lease."""

    id: str
    need: str
    provider: str
    party: str
    pool: str
    status: LeaseStatus
    delivery: DeliveryStatus
    kind: LeaseKind
    chips: int
    """Usable once active; until then, what was signed."""
    ordered_chips: int
    price_micro_usd_per_chip_hour: int
    start: Instant
    until: Instant
    signed_at: Instant
    agreement: str
    clause: str
    """The right that was exercised; empty: a deal of the market."""
    offer: str
    quote: str
    terms: Terms | None
    deliver_by: Instant | None
    cure_until: Instant | None
    ended_at: Instant | None
    reason: str


class LeasePage(msgspec.Struct, frozen=True):
    """Leases, newest first."""

    items: tuple[LeaseView, ...]
    total: int
    next: str | None


class LeaseReceipt(msgspec.Struct, frozen=True):
    """The command is in the journal; this is how the lease stands after it."""

    seq: int
    repeated: bool
    lease: LeaseView


def resource_of(lease: Lease) -> Resource:
    """A lease is its provider's party's."""
    return Resource(parties=(lease.party,))


@reading("/v1/leases", "leases.read")
async def list_leases(
    house: Here,
    actor: Asking,
    limit: Limit = 50,
    after: After = "",
    wanted: Annotated[
        Literal["", "open", "ended"],
        QueryParameter(name="state", description="`open` holds or will hold. Empty: all."),
    ] = "",
) -> LeasePage:
    """Leases, newest first. A provider sees its own."""

    def view(state: State) -> LeasePage:
        leases = reversed(state.sourcing.leases.values())
        visible = (lease for lease in leases if may(actor, "leases.read", resource_of(lease)).allowed)
        found, total, following = cut(
            visible,
            limit,
            after,
            lambda lease: lease.id,
            lambda lease: not wanted or lease.open == (wanted == "open"),
        )
        return LeasePage(tuple(_view(lease) for lease in found), total, following)

    return await house.driver.read(view)


@reading("/v1/leases/{id:str}", "leases.read")
async def show_lease(house: Here, actor: Asking, id: Id) -> LeaseView:
    """One lease."""
    return await house.driver.read(lambda state: _view(_find(state, actor, "leases.read", id)))


@changing("/v1/leases/{id:str}/deliver", "leases.deliver")
async def report_delivery(
    house: Here, actor: Asking, id: Id, data: JSONBody[DeliveryBody], idempotency_key: IdempotencyKey = ""
) -> LeaseReceipt:
    """Say what has been delivered, or that the provider gave up on the rest."""
    await house.driver.read(lambda state: _view(_find(state, actor, "leases.deliver", id)))
    command = ReportDelivery(
        lease=id,
        delivered_chips=data.delivered_chips,
        failed=data.failed,
        evidence=data.evidence,
        reported_by=actor.party or actor.name,
    )
    receipt = await house.ask(actor, command, idempotency_key)
    shown = await house.driver.read(lambda state: _view(_find(state, actor, "leases.read", id)))
    return LeaseReceipt(receipt.seq, receipt.repeated, shown)


def _find(state: State, actor: Actor, action: str, id: str) -> Lease:
    return sighted(state.sourcing.leases, resource_of, "lease", id, actor, action)


def _view(lease: Lease) -> LeaseView:
    return LeaseView(
        id=lease.id,
        need=lease.need,
        provider=lease.provider,
        party=lease.party,
        pool=lease.pool,
        status=lease.status,
        delivery=lease.delivery,
        kind=lease.kind,
        chips=lease.chips,
        ordered_chips=lease.ordered_chips,
        price_micro_usd_per_chip_hour=lease.price_micro_usd_per_chip_hour,
        start=lease.start,
        until=lease.until,
        signed_at=lease.signed_at,
        agreement=lease.agreement,
        clause=lease.clause,
        offer=lease.offer,
        quote=lease.quote,
        terms=lease.terms,
        deliver_by=lease.deliver_by,
        cure_until=lease.cure_until,
        ended_at=lease.ended_at,
        reason=lease.reason,
    )


ROUTES: tuple[Any, ...] = (list_leases, show_lease, report_delivery)
