"""Offers after a fact: made, received, answered, ended; and what then stands against a right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stargate.base.time import Instant
from stargate.broker.sourcing import fact as facts
from stargate.broker.sourcing.evolve_need import keep_refusal, move_need
from stargate.broker.sourcing.records import (
    Offer,
    Recorded,
    SourcingState,
)
from stargate.broker.sourcing.timers import arm, disarm, look, look_unless_covered, looked
from stargate.broker.sourcing.transitions import OFFER, step

Handlers = dict[type, Callable[[SourcingState, Any, Instant], None]]


def _offer_made(sourcing: SourcingState, fact: facts.OfferMade, at: Instant) -> None:
    assert fact.offer not in sourcing.offers, f"{fact.offer} was made already"
    need = move_need(sourcing, fact.need, facts.OfferMade)
    assert fact.version == need.version, f"{fact.offer} is for another version of {need.id}"
    assert 0 < fact.chips <= need.missing_chips, f"{fact.offer} is for more than is missing"
    offer = Offer(
        id=fact.offer,
        need=fact.need,
        version=fact.version,
        right=fact.right,
        requirement=fact.requirement,
        chips=fact.chips,
        offered_at=at,
        shared=fact.shared,
        share_chips=fact.share_chips,
        terms=fact.terms,
        quote=fact.quote,
        received_at=fact.received_at,
        deadline=fact.deadline,
        right_until=fact.right.until,
    )
    sourcing.offers[offer.id] = offer
    need.offers.append(offer.id)
    need.changed.pop(fact.right.clause, None)
    need.waits_for = "answers"
    looked(sourcing, need)
    arm(sourcing, offer.deadline, "offer_deadline", offer.id)
    arm(sourcing, offer.right_until, "right_end", offer.id)


def _offer_received(sourcing: SourcingState, fact: facts.OfferReceived, at: Instant) -> None:
    offer = _offer(sourcing, fact.offer, facts.OfferReceived)
    assert offer.received_at is None, f"{offer.id} was received already"
    offer.received_at = fact.received_at
    offer.deadline = fact.deadline
    arm(sourcing, offer.deadline, "offer_deadline", offer.id)


def _offer(sourcing: SourcingState, id: str, fact: type, outcome: str = "") -> Offer:
    offer = sourcing.offers[id]
    offer.status = step(OFFER, offer.status, fact, outcome)  # type: ignore[assignment]  # only statuses
    return offer


def _offer_answered(sourcing: SourcingState, fact: facts.OfferAnswered, at: Instant) -> None:
    offer = _offer(sourcing, fact.offer, facts.OfferAnswered)
    recorded = Recorded(
        at=at,
        answer=fact.answer,
        answered_by=fact.answered_by,
        effect=fact.effect,
        chips=fact.chips,
        terms=fact.terms,
        unmet=fact.unmet,
        text_ref=fact.text_ref,
    )
    if fact.effect:
        assert all(not earlier.effect for earlier in offer.answers), f"{offer.id} was answered already"
        assert offer.deadline is None or at < offer.deadline, f"{offer.id}: the answer is late"
    offer.answers.append(recorded)


def _offer_subscribed(sourcing: SourcingState, fact: facts.OfferSubscribed, at: Instant) -> None:
    offer = _offer(sourcing, fact.offer, facts.OfferSubscribed)
    assert 0 < fact.chips <= offer.chips, f"{offer.id}: more is taken than was offered"
    offer.taken_chips = fact.chips
    offer.pool = fact.pool
    offer.holder_terms = fact.terms
    disarm(sourcing, offer.deadline, "offer_deadline", offer.id)
    look(sourcing, sourcing.needs[offer.need], at)


def _offer_kept(sourcing: SourcingState, fact: facts.OfferKept, at: Instant) -> None:
    offer = _offer(sourcing, fact.offer, facts.OfferKept)
    assert not offer.kept, f"{offer.id} is kept already"
    disarm(sourcing, offer.right_until, "right_end", offer.id)
    offer.right_until, offer.kept = fact.until, fact.final
    arm(sourcing, offer.right_until, "right_end", offer.id)


def _offer_ended(sourcing: SourcingState, fact: facts.OfferEnded, at: Instant) -> None:
    offer = _offer(sourcing, fact.offer, facts.OfferEnded, fact.outcome)
    assert offer.ended_at is None, f"{offer.id} has ended already"
    assert 0 <= fact.taken_chips <= offer.chips, f"{offer.id}: more is taken than was offered"
    offer.ended_at = at
    offer.taken_chips = fact.taken_chips
    offer.unmet = fact.unmet
    offer.holder_terms = fact.terms or offer.holder_terms
    disarm(sourcing, offer.deadline, "offer_deadline", offer.id)
    disarm(sourcing, offer.right_until, "right_end", offer.id)
    need = sourcing.needs[offer.need]
    if fact.refusal is not None:
        keep_refusal(sourcing, need, fact.refusal)
    look(sourcing, need, at)


def _waiver_granted(sourcing: SourcingState, fact: facts.WaiverGranted, at: Instant) -> None:
    sourcing.waivers.append(fact.waiver)
    if fact.refusal is not None:
        need = sourcing.needs[fact.waiver.need]
        keep_refusal(sourcing, need, fact.refusal)
        look_unless_covered(sourcing, need, at)


HANDLERS: Handlers = {
    facts.OfferMade: _offer_made,
    facts.OfferReceived: _offer_received,
    facts.OfferAnswered: _offer_answered,
    facts.OfferSubscribed: _offer_subscribed,
    facts.OfferKept: _offer_kept,
    facts.OfferEnded: _offer_ended,
    facts.WaiverGranted: _waiver_granted,
}
