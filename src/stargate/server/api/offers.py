"""Offers to holders of first-refusal rights: what is put before them, and their answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from stargate.agreements.right import Requirement, Right, Terms
from stargate.base.time import Instant
from stargate.broker import State
from stargate.broker.sourcing.command import (
    AcknowledgeOffer,
    Answer,
    AnswerOffer,
    GrantWaiver,
    ReopenOffer,
    WaiverScope,
)
from stargate.broker.sourcing.records import Offer, OfferStatus, Recorded
from stargate.server.access import Resource, may, sighted
from stargate.server.api.page import After, Id, IdempotencyKey, Limit, cut
from stargate.server.api.route import Asking, Here, changing, reading
from stargate.server.api.terms import Chips, Name, Names, ScopeBody, TermsBody, Words, demand_time
from stargate.server.auth import Actor
from stargate.server.house import House


class AnswerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A holder's answer. It counts from the moment at which the server receives it."""

    answer: Answer
    chips: Chips | None = None
    """`partial`: how many of the offered chips are taken."""
    unmet: Names = ()
    """`cannot_meet`: which parts of the requirement, by field name, as `start_by`."""
    terms: TermsBody | None = None
    """`first_offer`: the holder's terms; `match`: the matching terms (none: exactly those put)."""
    pool: Name = ""
    waiver: WaiverScope = "need"
    waived_scope: ScopeBody = {}
    waived_until: Instant | None = None
    text_ref: Words = ""
    """The writing that says so."""

    def __post_init__(self) -> None:
        if self.waived_until is not None:
            demand_time(self.waived_until)


class WaiverBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A right that its holder gives up in writing. It cannot be taken back."""

    id: Annotated[str, Meta(min_length=1, max_length=128)]
    clause: Annotated[str, Meta(min_length=1, max_length=257)]
    """`agreement/clause`."""
    holder: Name
    waiver: WaiverScope
    need: Name = ""
    waived_scope: ScopeBody = {}
    waived_until: Instant | None = None
    text_ref: Words = ""

    def __post_init__(self) -> None:
        if self.waived_until is not None:
            demand_time(self.waived_until)


class OfferView(msgspec.Struct, frozen=True):
    """An offer, as its holder and the buyer see it."""

    id: str
    need: str
    version: int
    status: OfferStatus
    right: Right
    """The right as it was when the offer was made: holder, mode, clause."""
    chips: int
    """How many the holder may take."""
    share_chips: int
    requirement: Requirement
    terms: Terms | None
    """`match`: the third party's terms."""
    offered_at: Instant
    received_at: Instant | None
    deadline: Instant | None
    """A timely answer is received before this instant."""
    answers: tuple[Recorded, ...]
    taken_chips: int
    pool: str
    holder_terms: Terms | None
    unmet: tuple[str, ...]
    ended_at: Instant | None


class OfferPage(msgspec.Struct, frozen=True):
    """Offers, newest first."""

    items: tuple[OfferView, ...]
    total: int
    next: str | None


class OfferReceipt(msgspec.Struct, frozen=True):
    """The command is in the journal; this is how the offer stands after it."""

    seq: int
    repeated: bool
    offer: OfferView


class Recording(msgspec.Struct, frozen=True):
    """The command is in the journal."""

    seq: int
    """The last entry it caused; 0: nothing had to change."""
    repeated: bool


def resource_of(offer: Offer) -> Resource:
    """An offer is its holder's."""
    return Resource(parties=(offer.right.holder,))


@reading("/v1/offers", "offers.read")
async def list_offers(
    house: Here,
    actor: Asking,
    limit: Limit = 50,
    after: After = "",
    wanted: Annotated[
        Literal["", "open", "ended"],
        QueryParameter(name="state", description="`open` awaits an answer. Empty: all."),
    ] = "",
) -> OfferPage:
    """Offers, newest first. A provider sees those made to its party."""

    def keep(offer: Offer) -> bool:
        return not wanted or (wanted == "open") == (offer.ended_at is None)

    def view(state: State) -> OfferPage:
        offers = reversed(state.sourcing.offers.values())
        visible = (offer for offer in offers if may(actor, "offers.read", resource_of(offer)).allowed)
        found, total, following = cut(visible, limit, after, lambda offer: offer.id, keep)
        return OfferPage(tuple(_view(offer) for offer in found), total, following)

    return await house.driver.read(view)


@reading("/v1/offers/{id:str}", "offers.read")
async def show_offer(house: Here, actor: Asking, id: Id) -> OfferView:
    """One offer: what is required, on which terms, and until when it may be answered."""
    return await house.driver.read(lambda state: _view(_find(state, actor, "offers.read", id)))


@changing("/v1/offers/{id:str}/answer", "offers.answer")
async def answer_offer(
    house: Here, actor: Asking, id: Id, data: JSONBody[AnswerBody], idempotency_key: IdempotencyKey = ""
) -> OfferReceipt:
    """Answer for the holder. An operator's answer is recorded as the holder's, entered by the operator."""
    holder = await house.driver.read(lambda state: _find(state, actor, "offers.answer", id).right.holder)
    command = AnswerOffer(
        offer=id,
        answer=data.answer,
        answered_by=holder,
        chips=data.chips,
        unmet=data.unmet,
        terms=data.terms.record() if data.terms is not None else None,
        pool=data.pool,
        waiver=data.waiver,
        waived_scope=data.waived_scope,
        waived_until=data.waived_until,
        text_ref=data.text_ref,
    )
    return await _asked(house, actor, id, command, idempotency_key)


@changing("/v1/offers/{id:str}/acknowledge", "offers.answer")
async def acknowledge_offer(
    house: Here, actor: Asking, id: Id, idempotency_key: IdempotencyKey = ""
) -> OfferReceipt:
    """The holder has received the notice: its window counts from now."""
    holder = await house.driver.read(lambda state: _find(state, actor, "offers.answer", id).right.holder)
    return await _asked(house, actor, id, AcknowledgeOffer(id, holder), idempotency_key)


@changing("/v1/offers/{id:str}/reopen", "offers.reopen")
async def reopen_offer(
    house: Here, actor: Asking, id: Id, idempotency_key: IdempotencyKey = ""
) -> OfferReceipt:
    """Ask a holder again although its refusal stands."""
    return await _asked(house, actor, id, ReopenOffer(id, actor.name), idempotency_key)


@changing("/v1/waivers", "waivers.grant")
async def grant_waiver(
    house: Here, actor: Asking, data: JSONBody[WaiverBody], idempotency_key: IdempotencyKey = ""
) -> Recording:
    """Record that a holder gave up its right in writing, for one need, a class of needs, or until a date."""
    command = GrantWaiver(
        id=data.id,
        clause=data.clause,
        holder=data.holder,
        granted_by=data.holder,
        waiver=data.waiver,
        need=data.need,
        waived_scope=data.waived_scope,
        waived_until=data.waived_until,
        text_ref=data.text_ref,
    )
    receipt = await house.ask(actor, command, idempotency_key)
    return Recording(receipt.seq, receipt.repeated)


async def _asked(
    house: House, actor: Actor, id: str, command: AnswerOffer | AcknowledgeOffer | ReopenOffer, key: str
) -> OfferReceipt:
    receipt = await house.ask(actor, command, key)
    shown = await house.driver.read(lambda state: _view(_find(state, actor, "offers.read", id)))
    return OfferReceipt(receipt.seq, receipt.repeated, shown)


def _find(state: State, actor: Actor, action: str, id: str) -> Offer:
    return sighted(state.sourcing.offers, resource_of, "offer", id, actor, action)


def _view(offer: Offer) -> OfferView:
    return OfferView(
        id=offer.id,
        need=offer.need,
        version=offer.version,
        status=offer.status,
        right=offer.right,
        chips=offer.chips,
        share_chips=offer.share_chips,
        requirement=offer.requirement,
        terms=offer.terms,
        offered_at=offer.offered_at,
        received_at=offer.received_at,
        deadline=offer.deadline,
        answers=tuple(offer.answers),
        taken_chips=offer.taken_chips,
        pool=offer.pool,
        holder_terms=offer.holder_terms,
        unmet=offer.unmet,
        ended_at=offer.ended_at,
    )


ROUTES: tuple[Any, ...] = (
    list_offers,
    show_offer,
    answer_offer,
    acknowledge_offer,
    reopen_offer,
    grant_waiver,
)
