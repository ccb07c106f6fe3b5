"""Who must hear of a sourcing fact. Effects carry the entry's number, so that saying it twice does no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stargate.base.time import Instant
from stargate.broker.effect import Notify
from stargate.broker.sourcing.fact import (
    CoverGranted,
    DeliveryDue,
    DeliveryFailed,
    LeaseSigned,
    NeedClosed,
    OfferEnded,
    OfferMade,
    OfferReceived,
    TermsChanged,
)
from stargate.broker.sourcing.records import SourcingState

if TYPE_CHECKING:
    from stargate.broker.fact import Entry


class Host(Protocol):
    """The broker's state after the fact."""

    @property
    def sourcing(self) -> SourcingState:
        """Needs, offers, leases."""


def react(state: Host, entry: Entry) -> tuple[Notify, ...]:
    """Notices to holders, providers and buyers."""
    told = _told(state.sourcing, entry.fact)
    return tuple(
        Notify(f"{entry.seq}.{number}", party, subject, message, due)
        for number, (party, subject, message, due) in enumerate(told)
        if party
    )


_Told = tuple[tuple[str, str, str, Instant | None], ...]


def _told(sourcing: SourcingState, fact: object) -> _Told:
    if isinstance(fact, OfferMade):
        message = f"{fact.chips} chips are offered to you under {fact.right.clause} ({fact.right.mode})"
        return ((fact.right.holder, fact.offer, message, fact.deadline),)
    if isinstance(fact, OfferReceived):
        right = sourcing.offers[fact.offer].right
        return ((right.grantor, fact.offer, f"{right.holder} has received the offer", fact.deadline),)
    if isinstance(fact, OfferEnded):
        offer = sourcing.offers[fact.offer]
        message = f"the offer under {offer.right.clause} has ended: {fact.outcome}"
        need = sourcing.needs[offer.need]
        return ((offer.right.holder, offer.id, message, None), (need.party, offer.id, message, None))
    if isinstance(fact, TermsChanged):
        buyer = sourcing.needs[fact.need].party
        return ((buyer, fact.need, f"the deal must be offered again under {fact.clause}", None),)
    if isinstance(fact, LeaseSigned):
        message = f"{fact.chips} chips in {fact.pool} from {fact.start} until {fact.until}"
        buyer = sourcing.needs[fact.need].party
        return ((fact.party, fact.lease, message, fact.start), (buyer, fact.lease, message, fact.start))
    return _told_of_delivery(sourcing, fact)


def _told_of_delivery(sourcing: SourcingState, fact: object) -> _Told:
    if isinstance(fact, DeliveryDue):
        lease = sourcing.leases[fact.lease]
        message = f"delivery of {lease.ordered_chips} chips in {lease.pool} is due"
        return ((lease.party, lease.id, message, fact.deliver_by),)
    if isinstance(fact, DeliveryFailed):
        lease = sourcing.leases[fact.lease]
        message = f"{fact.missing_chips} of {lease.ordered_chips} chips were not delivered"
        buyer = sourcing.needs[lease.need].party
        return (
            (lease.party, lease.id, message, fact.cure_until),
            (buyer, lease.id, message, fact.cure_until),
        )
    if isinstance(fact, CoverGranted):
        lease = sourcing.leases[fact.lease]
        message = f"{fact.chips} chips are bought elsewhere in place of those not delivered"
        return ((lease.party, lease.id, message, None),)
    if isinstance(fact, NeedClosed) and fact.outcome == "unmet":
        need = sourcing.needs[fact.need]
        return ((need.party, need.id, f"the need could not be met: {fact.grounds[0].says}", None),)
    return ()
