"""Which decision answers which command, and what is due now. The rules are in the modules per noun.

Every decision reads the state and leaves it alone; what a need does next is decided when the clock reaches
its `look` timer, one step at a time, each step seeing what the one before has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stargate.agreements.refusal import deadline
from stargate.base.errors import ForbiddenError, NotFoundError, StateConflictError
from stargate.base.time import Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing import delivery, quote
from stargate.broker.sourcing.answer import decide_answer
from stargate.broker.sourcing.command import (
    AcknowledgeOffer,
    AnswerOffer,
    AwardNeed,
    GrantWaiver,
    OpenNeed,
    ReopenOffer,
    ReportDelivery,
    ReviseNeed,
    SourcingCommand,
    SubmitQuote,
    WithdrawNeed,
    WithdrawQuote,
)
from stargate.broker.sourcing.fact import (
    MarketWindowClosed,
    NeedWaits,
    OfferReceived,
    SourcingFact,
    TailExpired,
)
from stargate.broker.sourcing.need import close, decide_open, decide_revise, decide_withdraw, step
from stargate.broker.sourcing.offer import follow_right, is_open, lapse, make, open_offers
from stargate.broker.sourcing.records import Need, SourcingState, Timer, TimerKind
from stargate.broker.sourcing.rights import standings
from stargate.broker.sourcing.view import View
from stargate.broker.sourcing.waiver import decide_waiver

Facts = tuple[SourcingFact, ...]


def decide(view: View, command: SourcingCommand, at: Instant) -> Facts:
    """The facts that a command leads to. Raises UserError and its kind where it is refused."""
    _exists(view.sourcing, command)
    return _COMMANDS[type(command)](view, command, at)


def decide_due(view: View, at: Instant) -> Facts:
    """What the first due timer brings about; to be asked again until it is empty."""
    timers = view.sourcing.timers
    if not timers or timers[0].at > at:
        return ()
    facts = _DUE[timers[0].kind](view, timers[0], at)
    assert facts, f"a due timer leads to something: {timers[0]}"
    return facts


def next_due(sourcing: SourcingState) -> Instant | None:
    """When `decide_due` has something to do at the latest; None: nothing waits for time."""
    return sourcing.timers[0].at if sourcing.timers else None


def review(view: View, at: Instant) -> Facts:
    """What one need can do now that catalog, agreements or supply have changed; to be asked until empty."""
    if view.unchanged(at):
        return ()
    for lease in view.sourcing.leases.values():
        owed = lease.open and lease.delivery in {"due", "curing"}
        if owed and (facts := delivery.deliver_if_there(view, lease, at)):
            return facts
    for id in view.sourcing.open_needs:
        facts = _moves_on(view, view.sourcing.needs[id], at)
        if facts:
            return facts
    view.note_review()
    return ()


def _moves_on(view: View, need: Need, at: Instant) -> Facts:
    if need.look_at is not None or need.status == "covered":
        return ()
    for offer in open_offers(view, need):
        found = follow_right(view, offer, at)
        if found is not None:
            return (found,)
    facts = step(view, need, at)
    return () if any(isinstance(fact, NeedWaits) for fact in facts) else facts


# -- commands ----------------------------------------------------------------------------------------------


def _exists(sourcing: SourcingState, command: SourcingCommand) -> None:
    if isinstance(command, ReviseNeed | WithdrawNeed | SubmitQuote | AwardNeed):
        if command.need not in sourcing.needs:
            raise NotFoundError(f"no need {command.need!r}", "`stargate offers` lists needs and their offers")
    elif isinstance(command, AcknowledgeOffer | AnswerOffer | ReopenOffer) and (
        command.offer not in sourcing.offers
    ):
        raise NotFoundError(f"no offer {command.offer!r}", "`stargate offers` lists them")


def _acknowledge(view: View, command: AcknowledgeOffer, at: Instant) -> Facts:
    offer = view.sourcing.offers[command.offer]
    right = offer.right
    if command.received_by != right.holder:
        raise ForbiddenError(
            f"offer {offer.id} was made to {right.holder}",
            "only the holder can say that it arrived",
            (right.clause,),
        )
    if offer.received_at is not None or offer.status != "offered":
        return ()
    closes = deadline(right.window, right.calendar, at)
    says = f"received by {right.holder}; it may answer before {closes}"
    return (OfferReceived(offer.id, at, closes, (Ground(says, clause=right.clause),)),)


def _reopen_offer(view: View, command: ReopenOffer, at: Instant) -> Facts:
    """The buyer asks again although a refusal stands."""
    offer = view.sourcing.offers[command.offer]
    need = view.sourcing.needs[offer.need]
    if is_open(offer):
        return ()
    if need.status not in {"asking", "market"} or open_offers(view, need):
        raise StateConflictError(
            f"need {need.id} is {need.status} or is being offered", "only an open need can be offered again"
        )
    for standing in standings(view, need, at):
        if standing.right.clause == offer.right.clause and standing.chips:
            number = len(need.offers) + 1
            ground = Ground("the buyer asks again", clause=offer.right.clause)
            return (
                make(view, need, standing.right, at, chips=standing.chips, number=number, grounds=(ground,)),
            )
    raise StateConflictError(
        f"{offer.right.clause} has nothing to be asked about", "the right has ended, rests, or was used"
    )


_COMMANDS: dict[type, Callable[[View, Any, Instant], Facts]] = {
    OpenNeed: decide_open,
    ReviseNeed: decide_revise,
    WithdrawNeed: decide_withdraw,
    AcknowledgeOffer: _acknowledge,
    AnswerOffer: decide_answer,
    ReopenOffer: _reopen_offer,
    GrantWaiver: decide_waiver,
    SubmitQuote: quote.decide_submit,
    WithdrawQuote: quote.decide_withdraw_quote,
    AwardNeed: quote.decide_award_command,
    ReportDelivery: delivery.decide_report,
}


# -- timers ------------------------------------------------------------------------------------------------


def _look(view: View, timer: Timer, at: Instant) -> Facts:
    return step(view, view.sourcing.needs[timer.id], at)


def _offer_due(view: View, timer: Timer, at: Instant) -> Facts:
    return (lapse(view, view.sourcing.offers[timer.id], at),)


def _right_ended(view: View, timer: Timer, at: Instant) -> Facts:
    offer = view.sourcing.offers[timer.id]
    found = follow_right(view, offer, at)
    assert found is not None, f"the right behind {offer.id} was to be looked at"
    return (found,)


def _tail_ended(view: View, timer: Timer, at: Instant) -> Facts:
    says = "the refusal no longer stands: its tail is over"
    return (TailExpired(timer.id, timer.clause, (Ground(says, clause=timer.clause),)),)


def _market_closes(view: View, timer: Timer, at: Instant) -> Facts:
    return (MarketWindowClosed(timer.id, (Ground("the time to collect quotes is over"),)),)


def _start_missed(view: View, timer: Timer, at: Instant) -> Facts:
    need = view.sourcing.needs[timer.id]
    return close(view, need, "unmet", f"the latest start has passed with {need.missing_chips} chips missing")


_DUE: dict[TimerKind, Callable[[View, Timer, Instant], Facts]] = {
    "look": _look,
    "offer_deadline": _offer_due,
    "right_end": _right_ended,
    "tail_end": _tail_ended,
    "market_close": _market_closes,
    "start_by": _start_missed,
    "term_end": _look,
    "quote_end": lambda _view, timer, _at: quote.expire(timer.id),
    "lease_start": lambda view, timer, at: delivery.start(view, view.sourcing.leases[timer.id], at),
    "delivery_end": lambda view, timer, at: delivery.fail(view, view.sourcing.leases[timer.id], at),
    "cure_end": lambda view, timer, at: delivery.give_up(view, view.sourcing.leases[timer.id], at),
    "lease_end": lambda view, timer, at: delivery.end(view, view.sourcing.leases[timer.id], at),
}
