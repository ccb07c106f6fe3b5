"""A holder's answer: what counts, what is only put on record, and what follows.

Rules (each tested):

- The first answer received before the deadline that is no counter-offer ends the offer; the deadline wins
a tie.
- Taking less than was offered (where the clause forbids it), or on other terms, is a counter-offer: it is
put on
  record and the offer stays open.
- Every refusal opens the way for third parties only as far as `Refusal` says.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from stargate.agreements.refusal import PARTS, matches, unmet
from stargate.agreements.right import Terms
from stargate.base.errors import ForbiddenError, InputError, Problem, StateConflictError, UserError
from stargate.base.time import FOREVER, Duration, Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.command import AnswerOffer
from stargate.broker.sourcing.fact import (
    OfferAnswered,
    OfferEnded,
    OfferSubscribed,
    QuoteReceived,
    SourcingFact,
    WaiverGranted,
)
from stargate.broker.sourcing.holding import choose_pool, holder_terms
from stargate.broker.sourcing.lease import sign_holder
from stargate.broker.sourcing.offer import end, is_open, lapse, refusal_of, void
from stargate.broker.sourcing.records import Need, Offer, Waiver
from stargate.broker.sourcing.request import current, named_chip, term
from stargate.broker.sourcing.view import View
from stargate.catalog import Pool


def decide_answer(view: View, command: AnswerOffer, at: Instant) -> tuple[SourcingFact, ...]:
    """Raises ForbiddenError, InputError or StateConflictError; then nothing is on record."""
    offer = view.sourcing.offers[command.offer]
    need = view.sourcing.needs[offer.need]
    if command.answered_by != offer.right.holder:
        raise ForbiddenError(
            f"offer {offer.id} was made to {offer.right.holder}, not to {command.answered_by}",
            "only the holder of the right may answer",
            (offer.right.clause,),
        )
    if not is_open(offer):
        return (_without_effect(command, f"the offer has ended: {offer.status}"),)
    if offer.status == "subscribed":
        return (_without_effect(command, "an earlier answer counts"),)
    ended = over(view, offer, at)
    if ended is not None:
        return (ended, _without_effect(command, f"it came too late: {ended.grounds[0].says}"))
    _check(command, offer)
    if command.answer in {"accept", "partial"}:
        return _exercise(view, need, offer, command, at)
    if command.answer == "counter":
        return (_without_effect(command, "a counter-offer is no exercise; the offer stays open"),)
    return _refuse(need, offer, command, at)


def over(view: View, offer: Offer, at: Instant) -> OfferEnded | None:
    """The end that time or the agreements have already brought; None while the offer can be answered."""
    if offer.deadline is not None and at >= offer.deadline:
        return lapse(view, offer, at)
    return void(view, offer, at)


def _check(command: AnswerOffer, offer: Offer) -> None:
    if command.answer == "cannot_meet":
        unknown = [name for name in command.unmet if name not in PARTS]
        if unknown or not command.unmet:
            wrong = f"{unknown[0]!r} is no part of a requirement" if unknown else "no unmet part is named"
            raise InputError((Problem(wrong, f"name one or more of {', '.join(PARTS)}", path="unmet"),))
    if command.answer == "partial":
        per_node = offer.requirement.chips_per_node
        chips = command.chips or 0
        if not 0 < chips <= offer.chips or chips % per_node:
            remedy = f"take a multiple of {per_node}, from {per_node} to {offer.chips}"
            raise InputError((Problem(f"{chips} chips cannot be taken", remedy, path="chips"),))
    if command.answer == "waive" and command.waiver == "until" and command.waived_until is None:
        raise InputError((Problem("the waiver has no end", "give `waived_until`", path="waived_until"),))
    if command.answer == "waive" and command.waiver == "class" and not command.waived_scope:
        raise InputError((Problem("the waived class is empty", "give `waived_scope`", path="waived_scope"),))


def _answered(command: AnswerOffer, *, effect: bool, says: str = "", clause: str = "") -> OfferAnswered:
    return OfferAnswered(
        offer=command.offer,
        answer=command.answer,
        answered_by=command.answered_by,
        effect=effect,
        chips=command.chips,
        terms=command.terms,
        unmet=command.unmet,
        pool=command.pool,
        text_ref=command.text_ref,
        grounds=(Ground(says, clause=clause),) if says else (),
    )


def _without_effect(command: AnswerOffer, says: str) -> OfferAnswered:
    return _answered(command, effect=False, says=says)


# -- refusing ----------------------------------------------------------------------------------------------


def _refuse(need: Need, offer: Offer, command: AnswerOffer, at: Instant) -> tuple[SourcingFact, ...]:
    holder = offer.right.holder
    answered = _answered(command, effect=True)
    refusal = refusal_of(need, offer, at, offer.chips, offer.terms)
    if command.answer == "decline":
        return (answered, end(offer, "declined", f"{holder} declined", refusal))
    if command.answer == "cannot_meet":
        says = f"{holder} cannot meet {', '.join(command.unmet)}"
        return (answered, end(offer, "cannot_meet", says, refusal, unmet=command.unmet))
    says = f"{holder} waived its right ({command.waiver})"
    ended = end(offer, "waived", says, refusal)
    if command.waiver == "need":
        return (answered, ended)
    waiver = Waiver(
        id=f"{offer.id}.w",
        clause=offer.right.clause,
        holder=holder,
        waiver=command.waiver,
        granted_at=at,
        scope=command.waived_scope,
        until=command.waived_until or FOREVER,
        text_ref=command.text_ref,
    )
    return (answered, WaiverGranted(waiver, grounds=(Ground(says, clause=offer.right.clause),)), ended)


# -- exercising --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taking:
    """What a holder takes, where, and on which terms."""

    chips: int
    pool: Pool
    terms: Terms


def _exercise(
    view: View, need: Need, offer: Offer, command: AnswerOffer, at: Instant
) -> tuple[SourcingFact, ...]:
    chips = offer.chips if command.answer == "accept" else command.chips or 0
    if chips < offer.chips and not offer.right.partial:
        return (_without_effect(command, "the clause allows no part; this is a counter-offer"),)
    taking = _taking(view, need, offer, command, chips, at)
    wrong = _not_met(need, offer, taking, at)
    if wrong:
        says = f"no exercise but a counter-offer: {', '.join(wrong)} not met; the offer stays open"
        return (_without_effect(command, says),)
    answered = _answered(command, effect=True)
    if offer.right.mode == "first_offer" and _wants_comparison(offer):
        return (answered, *_not_taken(need, offer, taking, at))
    if offer.shared:
        says = f"{offer.right.holder} takes up to {chips} chips; its part is known when all have answered"
        ground = Ground(says, clause=offer.right.clause)
        return (answered, OfferSubscribed(offer.id, chips, taking.pool.id, taking.terms, (ground,)))
    return (answered, *take(view, need, offer, taking, at, len(need.leases) + 1))


def _wants_comparison(offer: Offer) -> bool:
    """The buyer named no price: the holder's terms are its bid, and nobody dearer may get the deal."""
    return offer.terms is None and offer.requirement.max_price_micro_usd_per_chip_hour is None


def _taking(view: View, need: Need, offer: Offer, command: AnswerOffer, chips: int, at: Instant) -> Taking:
    pool = choose_pool(view, need, offer.right.holder, chips, at, command.pool)
    named = named_chip(view, command.terms) if command.terms is not None else _put(offer, at)
    terms = holder_terms(view, need, pool, chips, at, named)
    if terms is None:
        raise StateConflictError(
            f"no price is known for pool {pool.id}", "answer with `terms` that say the price"
        )
    return Taking(chips, pool, terms)


def _put(offer: Offer, at: Instant) -> Terms | None:
    """The terms put before the holder, with their lead time counted from now."""
    if offer.terms is None:
        return None
    start = Instant(min(offer.terms.start + (at - offer.offered_at), FOREVER))
    return msgspec.structs.replace(offer.terms, start=start)


def _not_met(need: Need, offer: Offer, taking: Taking, at: Instant) -> tuple[str, ...]:
    """Parts of the requirement, or of the terms put, that the holder's terms do not meet."""
    requirement = current(need, at)
    left = Duration(min(requirement.duration, term(need, taking.terms.start)))
    if left <= 0:
        raise UserError(f"the term of {need.id} is over", "nothing is left to be taken")
    wrong = unmet(msgspec.structs.replace(requirement, duration=left), taking.terms)
    put = _put(offer, at)
    if put is not None:
        wrong += matches(msgspec.structs.replace(put, chips=taking.chips), taking.terms, requirement)
    return tuple(dict.fromkeys(wrong))


def _not_taken(need: Need, offer: Offer, taking: Taking, at: Instant) -> tuple[SourcingFact, ...]:
    """A first offer without a price named by the buyer: the holder's terms bid, and are the ceiling."""
    right = offer.right
    refusal = refusal_of(need, offer, at, offer.chips, taking.terms)
    says = f"{right.holder} named its terms; they stand as a quote, and third parties may not get better ones"
    return (
        end(offer, "not_taken", says, refusal, terms=taking.terms),
        QuoteReceived(
            quote=f"{offer.id}.q",
            need=need.id,
            provider=taking.pool.provider,
            party=right.holder,
            pool=taking.pool.id,
            terms=taking.terms,
            valid_until=refusal.until,
            quoted_by=right.holder,
            offer=offer.id,
            grounds=(Ground(f"the terms of {right.holder} in answer to {offer.id}", clause=right.clause),),
        ),
    )


def take(
    view: View, need: Need, offer: Offer, taking: Taking, at: Instant, number: int
) -> tuple[SourcingFact, ...]:
    """The holder gets these chips: the offer ends, and the lease is signed."""
    right = offer.right
    whole = taking.chips == offer.chips
    refused = offer.chips - taking.chips
    ground = Ground(f"{right.holder} takes {taking.chips} of {offer.chips} chips", clause=right.clause)
    # What was wanted and went to others pro rata was not refused.
    wanted = offer.taken_chips == offer.chips
    refusal = None if whole or wanted else refusal_of(need, offer, at, refused, offer.terms)
    return (
        OfferEnded(
            offer.id,
            "accepted" if whole else "partial",
            taken_chips=taking.chips,
            terms=taking.terms,
            refusal=refusal,
            grounds=(ground,),
        ),
        sign_holder(view, need, offer, taking.pool, taking.terms, number, (ground,)),
    )
