"""Making offers to holders, and ending them: lapsed, withdrawn, void; what a refusal then allows."""

from __future__ import annotations

import msgspec

from stargate.agreements.refusal import deadline, entitlements
from stargate.agreements.right import Right, Terms
from stargate.base.time import FOREVER, Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.fact import OfferEnded, OfferKept, OfferMade, SourcingFact
from stargate.broker.sourcing.records import Need, Offer, OfferOutcome, Refusal
from stargate.broker.sourcing.request import current, moved_by
from stargate.broker.sourcing.rights import Standing, covering
from stargate.broker.sourcing.view import View


def is_open(offer: Offer) -> bool:
    """Its end is still to come."""
    return offer.status in {"offered", "subscribed"}


def open_offers(view: View, need: Need) -> tuple[Offer, ...]:
    """Offers of a need that have not ended."""
    return tuple(offer for id in need.offers if is_open(offer := view.sourcing.offers[id]))


def next_tier(asked: tuple[Standing, ...]) -> tuple[Standing, ...]:
    """Whom to ask now: the first in rank, together with those that share its rank pro rata."""
    if not asked:
        return ()
    first = asked[0]
    if first.right.sharing != "pro_rata":
        return (first,)
    return tuple(
        one for one in asked if one.right.rank == first.right.rank and one.right.sharing == "pro_rata"
    )


def offer_to(
    view: View, need: Need, tier: tuple[Standing, ...], at: Instant, grounds: tuple[Ground, ...]
) -> tuple[SourcingFact, ...]:
    """Offers to all of a tier."""
    shares: dict[str, int] = {}
    if len(tier) > 1:
        weights = {one.right.clause: one.right.weight for one in tier}
        shares = entitlements(need.missing_chips, need.requirement.chips_per_node, weights)
    return tuple(
        _offer(view, need, one, at, number, shares.get(one.right.clause), grounds)
        for number, one in enumerate(tier, len(need.offers) + 1)
    )


def _offer(
    view: View,
    need: Need,
    standing: Standing,
    at: Instant,
    number: int,
    share_chips: int | None,
    grounds: tuple[Ground, ...],
) -> OfferMade:
    changed = need.changed.get(standing.right.clause)
    terms = changed.terms if changed is not None else None
    chips = standing.chips if terms is None else min(standing.chips, terms.chips)
    quote = changed.quote if changed is not None else ""
    made = make(view, need, standing.right, at, chips=chips, number=number, grounds=grounds)
    return msgspec.structs.replace(
        made, terms=terms, quote=quote, shared=share_chips is not None, share_chips=share_chips or 0
    )


def make(
    view: View,
    need: Need,
    right: Right,
    at: Instant,
    *,
    chips: int,
    number: int,
    grounds: tuple[Ground, ...],
) -> OfferMade:
    """The notice to one holder. Received at once, or when it is acknowledged, as policy says."""
    at_once = view.sourcing_policy.notice == "on_issue"
    closes = deadline(right.window, right.calendar, at) if at_once else None
    when = f"it may answer before {closes}" if closes is not None else "its window runs from receipt"
    says = (
        f"{right.holder} has a right of first refusal ({right.mode}) and is asked for {chips} chips; {when}"
    )
    return OfferMade(
        offer=f"{need.id}.o{number}",
        need=need.id,
        version=need.version,
        right=right,
        requirement=current(need, at),
        chips=chips,
        received_at=at if at_once else None,
        deadline=closes,
        grounds=(Ground(says, clause=right.clause), *grounds),
    )


def refusal_of(need: Need, offer: Offer, at: Instant, chips: int, terms: Terms | None) -> Refusal:
    """What third parties may have from now on: the requirement as it is, at these terms, until the tail ends."""
    right = offer.right
    return Refusal(
        clause=right.clause,
        offer=offer.id,
        version=offer.version,
        requirement=current(need, at),
        chips=chips,
        at=offer.offered_at if terms is not None and terms == offer.terms else at,
        shift=moved_by(need, at),
        terms=terms,
        until=at.plus(right.tail) if right.tail else FOREVER,
        divisible=right.partial,
    )


def end(
    offer: Offer,
    outcome: OfferOutcome,
    says: str,
    refusal: Refusal | None = None,
    unmet: tuple[str, ...] = (),
    terms: Terms | None = None,
) -> OfferEnded:
    """An end in which the holder takes nothing."""
    ground = Ground(says, clause=offer.right.clause)
    return OfferEnded(offer.id, outcome, unmet=unmet, terms=terms, refusal=refusal, grounds=(ground,))


def lapse(view: View, offer: Offer, at: Instant) -> OfferEnded:
    """The window has closed without an answer that counts: the same as a refusal."""
    need = view.sourcing.needs[offer.need]
    refusal = refusal_of(need, offer, at, offer.chips, offer.terms)
    says = f"{offer.right.holder} did not answer before {offer.deadline}"
    return end(offer, "lapsed", says, refusal)


def withdraw(offer: Offer, says: str) -> OfferEnded:
    """The buyer takes the offer back; nothing stands against the right."""
    return end(offer, "withdrawn", says)


def void(view: View, offer: Offer, at: Instant) -> OfferEnded | None:
    """The end of an offer whose right has ended, rests or was changed, if the clause says so; else None."""
    found = follow_right(view, offer, at)
    return found if isinstance(found, OfferEnded) else None


def follow_right(view: View, offer: Offer, at: Instant) -> OfferEnded | OfferKept | None:
    """What becomes of an open offer now that its right is what it is; None: nothing new."""
    if offer.kept:
        return None
    right = offer.right
    found = view.fate(at, right)
    ground = Ground(found.says or f"the right is {found.status}", clause=right.clause)
    if found.status == "suspended":
        return end(offer, "void", f"the right rests: {found.says}")
    if found.status != "live" and found.open_offers == "void":
        return end(offer, "void", f"{ground.says}; open offers end with it")
    if found.status != "live":
        return OfferKept(offer.id, FOREVER, final=True, grounds=(ground,))
    if at < offer.right_until:
        return None
    until = _prolonged(view, offer, at)
    return OfferKept(offer.id, until, final=False, grounds=(Ground("the right was prolonged", right.clause),))


def _prolonged(view: View, offer: Offer, at: Instant) -> Instant:
    """Until when the right is known to live now."""
    need = view.sourcing.needs[offer.need]
    for right, _ in covering(view, need, at):
        if right.clause == offer.right.clause and right.until > at:
            return right.until
    return FOREVER
