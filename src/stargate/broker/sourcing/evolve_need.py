"""Needs after a fact: opened, revised, put to the market, covered, opened again, closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stargate.base.time import Duration, Instant
from stargate.broker.sourcing import fact as facts
from stargate.broker.sourcing.records import (
    ChangedDeal,
    Need,
    Refusal,
    SourcingState,
)
from stargate.broker.sourcing.timers import arm, disarm, look, looked, missed_start
from stargate.broker.sourcing.transitions import NEED, step

Handlers = dict[type, Callable[[SourcingState, Any, Instant], None]]


def move_need(sourcing: SourcingState, id: str, fact: type) -> Need:
    """The need, taken to the state that the fact leads to."""
    need = sourcing.needs[id]
    before = need.status
    need.status = step(NEED, before, fact)  # type: ignore[assignment]  # the table holds only statuses
    if before == "market" and need.status != "market":
        disarm(sourcing, need.market_closes_at, "market_close", need.id)
        need.market_closes_at = None
    return need


def _start_timers(sourcing: SourcingState, need: Need) -> None:
    """While chips are missing, a fixed start that passes closes the need, and so does the end of its term."""
    if need.status in {"covered", "closed"}:
        return
    if not need.moving_start:
        arm(sourcing, missed_start(need), "start_by", need.id)
    arm(sourcing, need.until, "term_end", need.id)


def _stop_timers(sourcing: SourcingState, need: Need) -> None:
    disarm(sourcing, missed_start(need), "start_by", need.id)
    disarm(sourcing, need.until, "term_end", need.id)


def prolong(sourcing: SourcingState, need: Need, until: Instant) -> None:
    """A lease was signed: the term of the need lasts as long, if it did not already."""
    _stop_timers(sourcing, need)
    need.until = max(need.until or until, until)
    _start_timers(sourcing, need)


def _need_opened(sourcing: SourcingState, fact: facts.NeedOpened, at: Instant) -> None:
    assert fact.need not in sourcing.needs, f"{fact.need} was opened already"
    need = Need(
        id=fact.need,
        party=fact.party,
        requirement=fact.requirement,
        opened_at=at,
        notice_at=at,
        root=fact.root or fact.need,
        scope=fact.scope,
        workload=fact.workload,
        parent=fact.parent,
        parts=fact.parts,
        emergency=fact.emergency,
        renews=fact.renews,
        moving_start=fact.moving_start,
        clauses=fact.clauses,
        actor=fact.actor,
    )
    sourcing.needs[need.id] = need
    sourcing.opened.append(need.id)
    sourcing.open_needs[need.id] = at
    sourcing.families.setdefault(need.root, []).append(need.id)
    _start_timers(sourcing, need)
    look(sourcing, need, at)


def _need_revised(sourcing: SourcingState, fact: facts.NeedRevised, at: Instant) -> None:
    need = sourcing.needs[fact.need]
    assert fact.version == need.version + 1, f"{need.id} is at version {need.version}"
    assert fact.requirement.chips >= need.held_chips, f"{need.id} holds more than it requires"
    _stop_timers(sourcing, need)
    need = move_need(sourcing, fact.need, facts.NeedRevised)
    need.version = fact.version
    need.requirement = fact.requirement
    if need.moving_start:
        need.shift = Duration(need.shift + at - need.notice_at)
    need.notice_at = at
    need.stated_shift = need.shift
    for clause in fact.rearmed:
        forget_refusal(sourcing, need, clause)
    need.changed = {}
    need.market_heard = False
    _start_timers(sourcing, need)
    look(sourcing, need, at)


def forget_refusal(sourcing: SourcingState, need: Need, clause: str) -> None:
    """No refusal stands under the clause any more."""
    refusal = need.refusals.pop(clause, None)
    if refusal is not None:
        disarm(sourcing, refusal.until, "tail_end", need.id, clause)


def keep_refusal(sourcing: SourcingState, need: Need, refusal: Refusal) -> None:
    """This refusal stands now, in place of an earlier one under its clause."""
    forget_refusal(sourcing, need, refusal.clause)
    need.refusals[refusal.clause] = refusal
    arm(sourcing, refusal.until, "tail_end", need.id, refusal.clause)


def _need_waits(sourcing: SourcingState, fact: facts.NeedWaits, at: Instant) -> None:
    need = move_need(sourcing, fact.need, facts.NeedWaits)
    looked(sourcing, need)
    need.waits_for = fact.waits_for


def _market_opened(sourcing: SourcingState, fact: facts.MarketOpened, at: Instant) -> None:
    need = move_need(sourcing, fact.need, facts.MarketOpened)
    looked(sourcing, need)
    need.market_closes_at = fact.closes_at
    if fact.closes_at is None:
        look(sourcing, need, at)
    else:
        need.waits_for = "quotes"
        arm(sourcing, fact.closes_at, "market_close", need.id)


def _market_window_closed(sourcing: SourcingState, fact: facts.MarketWindowClosed, at: Instant) -> None:
    need = move_need(sourcing, fact.need, facts.MarketWindowClosed)
    assert need.market_closes_at is not None, f"{need.id} has no market window"
    assert at >= need.market_closes_at, f"{need.id}: the market window is still open"
    disarm(sourcing, need.market_closes_at, "market_close", need.id)
    need.market_closes_at = None
    need.market_heard = True
    look(sourcing, need, at)


def _terms_changed(sourcing: SourcingState, fact: facts.TermsChanged, at: Instant) -> None:
    need = move_need(sourcing, fact.need, facts.TermsChanged)
    assert fact.version == need.version + 1, f"{need.id} is at version {need.version}"
    need.version = fact.version
    forget_refusal(sourcing, need, fact.clause)
    need.changed[fact.clause] = ChangedDeal(fact.quote, fact.terms)
    look(sourcing, need, at)


def _tail_expired(sourcing: SourcingState, fact: facts.TailExpired, at: Instant) -> None:
    need = sourcing.needs[fact.need]
    refusal = need.refusals[fact.clause]
    assert at >= refusal.until, f"{need.id}: the refusal under {fact.clause} still stands"
    need = move_need(sourcing, fact.need, facts.TailExpired)
    forget_refusal(sourcing, need, fact.clause)
    if need.status != "covered":
        look(sourcing, need, at)


def _need_covered(sourcing: SourcingState, fact: facts.NeedCovered, at: Instant) -> None:
    need = sourcing.needs[fact.need]
    assert need.held_chips == need.requirement.chips, f"{need.id} lacks {need.missing_chips} chips"
    _stop_timers(sourcing, need)
    need = move_need(sourcing, fact.need, facts.NeedCovered)
    looked(sourcing, need)


def _need_reopened(sourcing: SourcingState, fact: facts.NeedReopened, at: Instant) -> None:
    need = sourcing.needs[fact.need]
    _stop_timers(sourcing, need)
    need = move_need(sourcing, fact.need, facts.NeedReopened)
    need.notice_at = fact.notice_at
    need.shift = Duration(need.shift + fact.shift)
    need.changed = {}
    need.market_heard = False
    _start_timers(sourcing, need)
    look(sourcing, need, at)


def _need_closed(sourcing: SourcingState, fact: facts.NeedClosed, at: Instant) -> None:
    need = sourcing.needs[fact.need]
    open_offers = [id for id in need.offers if sourcing.offers[id].status in {"offered", "subscribed"}]
    assert not open_offers, f"{need.id} closes with open offers {open_offers}"
    _stop_timers(sourcing, need)
    need = move_need(sourcing, fact.need, facts.NeedClosed)
    looked(sourcing, need)
    for clause in tuple(need.refusals):
        forget_refusal(sourcing, need, clause)
    need.outcome = fact.outcome
    need.closed_at = at
    need.waits_for = ""
    del sourcing.open_needs[need.id]


HANDLERS: Handlers = {
    facts.NeedOpened: _need_opened,
    facts.NeedRevised: _need_revised,
    facts.NeedWaits: _need_waits,
    facts.NeedCovered: _need_covered,
    facts.NeedReopened: _need_reopened,
    facts.NeedClosed: _need_closed,
    facts.MarketOpened: _market_opened,
    facts.MarketWindowClosed: _market_window_closed,
    facts.TermsChanged: _terms_changed,
    facts.TailExpired: _tail_expired,
}
