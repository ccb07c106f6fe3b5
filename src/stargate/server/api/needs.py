"""Needs: capacity that is required and not held. Providers see what is on the market, and no more than it takes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from stargate.agreements.right import Requirement
from stargate.base.time import Instant
from stargate.broker import State
from stargate.broker.sourcing.command import AwardNeed, OpenNeed, Part, ReviseNeed, WithdrawNeed
from stargate.broker.sourcing.records import Need, NeedStatus
from stargate.server.access import Resource, demand_sight, may, not_found
from stargate.server.api.identity import GivenId, fresh_id
from stargate.server.api.page import After, Id, IdempotencyKey, Limit, cut
from stargate.server.api.quotes import QuoteView, view_quotes
from stargate.server.api.route import Asking, Here, changing, reading
from stargate.server.api.terms import Chips, Name, RequirementBody, ScopeBody, Words
from stargate.server.auth import Actor
from stargate.server.house import House


class PartBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One part of a package of unlike parts."""

    chips: Chips
    scope: ScopeBody = {}


class NeedBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Capacity that is to be sourced. Rights are honoured first, then the market is asked."""

    requirement: RequirementBody
    party: Name
    """Who needs it: the grantor of any right."""
    id: GivenId = ""
    """Empty: the server makes one."""
    scope: ScopeBody = {}
    """What the capacity is for; agreements decide by it whether a right covers the need."""
    parent: Name | None = None
    parts: Annotated[tuple[PartBody, ...], Meta(max_length=64)] = ()
    emergency: bool = False
    renews: Name = ""


class RevisionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is required from now on."""

    requirement: RequirementBody


class WithdrawalBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Why nothing more is required."""

    reason: Words = ""


class AwardBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The buyer's choice. Rights and agreements still bind."""

    quote: Annotated[str, Meta(min_length=1, max_length=256)]
    """A quote's id, or `list:<pool>` for a standing offer of the catalog."""


class NeedView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A need. Providers see id, status, version and requirement, and their own quotes."""

    id: str
    status: NeedStatus
    version: int
    requirement: Requirement
    market_closes_at: Instant | None = None
    missing_chips: int | None = None
    """Not yet under any lease."""
    outcome: str = ""
    party: str = ""
    scope: dict[str, Any] = {}
    workload: str = ""
    parent: str = ""
    emergency: bool = False
    opened_at: Instant | None = None
    closed_at: Instant | None = None
    until: Instant | None = None
    clauses: tuple[str, ...] = ()
    """Rights whose scope covered the need when it was opened."""
    offers: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()
    actor: str = ""
    quotes: tuple[QuoteView, ...] = ()


class NeedPage(msgspec.Struct, frozen=True):
    """Needs, newest first."""

    items: tuple[NeedView, ...]
    total: int
    next: str | None


class NeedReceipt(msgspec.Struct, frozen=True):
    """The command is in the journal; this is how the need stands after it."""

    seq: int
    repeated: bool
    need: NeedView


LISTED = 200
"""Offers, quotes and leases shown of one need, the newest."""


def resource_of(state: State, need: Need) -> Resource:
    """Nobody's, until it is on the market; and that of parties that quoted, as long as it lives and after."""
    quotes = state.sourcing.quotes
    return Resource(
        parties=tuple({quotes[quote].party for quote in need.quotes}), public=need.status == "market"
    )


@reading("/v1/needs", "needs.read")
async def list_needs(
    house: Here,
    actor: Asking,
    limit: Limit = 50,
    after: After = "",
    wanted: Annotated[
        Literal["", "open", "asking", "market", "covered", "closed"],
        QueryParameter(name="state", description="`open` is all that are not closed. Empty: all."),
    ] = "",
) -> NeedPage:
    """Needs, newest first. A provider sees those on the market, and those that its party quoted for."""

    def view(state: State) -> NeedPage:
        needs = reversed(state.sourcing.needs.values())
        visible = (need for need in needs if may(actor, "needs.read", resource_of(state, need)).allowed)
        found, total, following = cut(
            visible, limit, after, lambda need: need.id, lambda need: _matches(need, wanted)
        )
        return NeedPage(tuple(_view(state, actor, need) for need in found), total, following)

    return await house.driver.read(view)


def _matches(need: Need, wanted: str) -> bool:
    return not wanted or (need.status != "closed" if wanted == "open" else need.status == wanted)


@reading("/v1/needs/{id:str}", "needs.read")
async def show_need(house: Here, actor: Asking, id: Id) -> NeedView:
    """One need, with the quotes that the caller may see."""
    return await house.driver.read(lambda state: _view(state, actor, find_need(state, actor, id)))


@changing("/v1/needs", "needs.change", status=201)
async def open_need(
    house: Here, actor: Asking, data: JSONBody[NeedBody], idempotency_key: IdempotencyKey = ""
) -> NeedReceipt:
    """Open a sourcing. Holders of rights that cover it are offered it first."""
    id = data.id or fresh_id("need", actor, idempotency_key)
    command = OpenNeed(
        id=id,
        requirement=data.requirement.record(),
        party=data.party,
        scope=data.scope,
        parent=data.parent,
        parts=tuple(Part(part.chips, part.scope) for part in data.parts),
        emergency=data.emergency,
        renews=data.renews,
        actor=actor.name,
    )
    return await _asked(house, actor, id, command, idempotency_key)


@changing("/v1/needs/{id:str}/revise", "needs.change")
async def revise_need(
    house: Here, actor: Asking, id: Id, data: JSONBody[RevisionBody], idempotency_key: IdempotencyKey = ""
) -> NeedReceipt:
    """Change what is required. Relaxing or enlarging it re-arms the rights of holders who refused."""
    command = ReviseNeed(id, data.requirement.record(), actor.name)
    return await _asked(house, actor, id, command, idempotency_key)


@changing("/v1/needs/{id:str}/withdraw", "needs.change")
async def withdraw_need(
    house: Here, actor: Asking, id: Id, data: JSONBody[WithdrawalBody], idempotency_key: IdempotencyKey = ""
) -> NeedReceipt:
    """Nothing more is required: open offers are withdrawn, leases stay until they end."""
    return await _asked(house, actor, id, WithdrawNeed(id, data.reason, actor.name), idempotency_key)


@changing("/v1/needs/{id:str}/award", "needs.change")
async def award_need(
    house: Here, actor: Asking, id: Id, data: JSONBody[AwardBody], idempotency_key: IdempotencyKey = ""
) -> NeedReceipt:
    """Choose a quote by hand."""
    return await _asked(house, actor, id, AwardNeed(id, data.quote, actor.name), idempotency_key)


async def _asked(
    house: House,
    actor: Actor,
    id: str,
    command: OpenNeed | ReviseNeed | WithdrawNeed | AwardNeed,
    key: str,
) -> NeedReceipt:
    receipt = await house.ask(actor, command, key)
    shown = await house.driver.read(lambda state: _view(state, actor, find_need(state, actor, id)))
    return NeedReceipt(receipt.seq, receipt.repeated, shown)


def find_need(state: State, actor: Actor, id: str) -> Need:
    """A need that the actor may see. Raises NotFoundError."""
    need = state.sourcing.needs.get(id)
    if need is None:
        raise not_found("need", id)
    demand_sight(actor, "needs.read", resource_of(state, need), "need", id)
    return need


def _view(state: State, actor: Actor, need: Need) -> NeedView:
    quotes = view_quotes(state, actor, need.quotes[-LISTED:])
    if actor.role == "provider":
        return NeedView(
            id=need.id,
            status=need.status,
            version=need.version,
            # What the buyer would pay at most is the buyer's to know.
            requirement=msgspec.structs.replace(need.requirement, max_price_micro_usd_per_chip_hour=None),
            market_closes_at=need.market_closes_at,
            quotes=quotes,
        )
    return NeedView(
        id=need.id,
        status=need.status,
        version=need.version,
        requirement=need.requirement,
        market_closes_at=need.market_closes_at,
        missing_chips=need.missing_chips,
        outcome=need.outcome,
        party=need.party,
        scope=dict(need.scope),
        workload=need.workload or "",
        parent=need.parent or "",
        emergency=need.emergency,
        opened_at=need.opened_at,
        closed_at=need.closed_at,
        until=need.until,
        clauses=need.clauses,
        offers=tuple(need.offers[-LISTED:]),
        leases=tuple(need.leases[-LISTED:]),
        actor=need.actor,
        quotes=quotes,
    )


ROUTES: tuple[Any, ...] = (list_needs, show_need, open_need, revise_need, withdraw_need, award_need)
