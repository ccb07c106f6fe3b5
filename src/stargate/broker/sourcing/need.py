"""A need from opening to closing: whom to ask next, when to go to the market, when it is covered or over."""

from __future__ import annotations

import msgspec

from stargate.agreements.refusal import moved, rearming
from stargate.agreements.right import Requirement
from stargate.base.errors import InputError, NotFoundError, Problem, StateConflictError
from stargate.base.ids import is_name
from stargate.base.time import Duration, Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.award import decide_award
from stargate.broker.sourcing.command import OpenNeed, ReviseNeed, WithdrawNeed
from stargate.broker.sourcing.fact import (
    MarketOpened,
    NeedClosed,
    NeedCovered,
    NeedOpened,
    NeedRevised,
    NeedWaits,
    QuoteEnded,
    SourcingFact,
)
from stargate.broker.sourcing.offer import next_tier, offer_to, open_offers, withdraw
from stargate.broker.sourcing.records import Need
from stargate.broker.sourcing.request import current, moved_by, named_chips
from stargate.broker.sourcing.rights import Standing, covering, standings
from stargate.broker.sourcing.tier import allocate
from stargate.broker.sourcing.view import View

PARTS_LIMIT = 64
FAMILY_LIMIT = 1_000
"""Needs split from one."""


# -- commands ----------------------------------------------------------------------------------------------


def decide_open(view: View, command: OpenNeed, at: Instant) -> tuple[SourcingFact, ...]:
    """A new need. The same command again changes nothing. Raises InputError, NotFoundError or StateConflictError."""
    command = msgspec.structs.replace(command, requirement=named_chips(view, command.requirement))
    known = view.sourcing.needs.get(command.id)
    if known is not None:
        if _same(known, command):
            return ()
        raise StateConflictError(
            f"need {command.id!r} exists already and is not the same", "choose another id"
        )
    _check(view, command)
    root = command.id if command.parent is None else view.sourcing.needs[command.parent].root
    opened = NeedOpened(
        need=command.id,
        party=command.party,
        requirement=command.requirement,
        scope=command.scope,
        workload=command.workload,
        parent=command.parent,
        parts=command.parts,
        emergency=command.emergency,
        renews=command.renews,
        moving_start=command.moving_start,
        root=root,
        actor=command.actor,
    )
    preview = Need(
        id=command.id,
        party=command.party,
        requirement=command.requirement,
        opened_at=at,
        notice_at=at,
        root=root,
        scope=command.scope,
        parts=command.parts,
        emergency=command.emergency,
        renews=command.renews,
    )
    clauses = tuple(right.clause for right, _ in covering(view, preview, at))
    return (msgspec.structs.replace(opened, clauses=clauses),)


def _same(known: Need, command: OpenNeed) -> bool:
    return (
        known.version == 1
        and known.requirement == command.requirement
        and (known.party, known.scope, known.workload) == (command.party, command.scope, command.workload)
        and (known.parent, known.parts, known.renews) == (command.parent, command.parts, command.renews)
    )


def _check(view: View, command: OpenNeed) -> None:
    problems = []
    if not is_name(command.id) and not (command.workload is not None and is_name(command.id[:64])):
        problems.append(
            Problem(
                f"{command.id!r} is no usable id",
                "use letters, digits, dot, dash and underscore; at most 128",
                path="id",
            )
        )
    if not command.party:
        problems.append(Problem("nobody is named who needs it", "name the buying party", path="party"))
    chips = sum(part.chips for part in command.parts)
    if command.parts and (
        chips != command.requirement.chips or any(part.chips < 1 for part in command.parts)
    ):
        remedy = f"let the parts add up to {command.requirement.chips}"
        problems.append(Problem(f"the parts have {chips} chips", remedy, path="parts"))
    if len(command.parts) > PARTS_LIMIT:
        problems.append(Problem("too many parts", f"give at most {PARTS_LIMIT}", path="parts"))
    if problems:
        raise InputError(tuple(problems))
    if command.parent is not None:
        parent = view.sourcing.needs.get(command.parent)
        if parent is None:
            raise NotFoundError(f"no need {command.parent!r}", "name the need that this one is split from")
        if len(view.sourcing.families[parent.root]) >= FAMILY_LIMIT:
            raise StateConflictError(f"{parent.root} is split into too many needs", "open one larger need")
    if command.renews and command.renews not in view.sourcing.leases:
        raise NotFoundError(f"no lease {command.renews!r}", "name the lease that is to be extended")


def decide_revise(view: View, command: ReviseNeed, at: Instant) -> tuple[SourcingFact, ...]:
    """A new version. Relaxing arms refused rights again, tightening does not; open offers are replaced."""
    need = view.sourcing.needs[command.need]
    if need.status == "closed":
        raise StateConflictError(f"need {need.id} is closed", "open a new need")
    command = msgspec.structs.replace(command, requirement=named_chips(view, command.requirement))
    if command.requirement == need.requirement:
        return ()
    if command.requirement.chips < max(need.held_chips, 1):
        raise StateConflictError(
            f"{need.held_chips} chips are under lease already", "require at least as many"
        )
    if need.parts and command.requirement.chips != need.requirement.chips:
        raise StateConflictError(
            "the chips of a package belong to its parts", "withdraw it, and open one with other parts"
        )
    relaxed = rearming(current(need, at), command.requirement)
    rearmed = {
        clause: changed
        for clause, refusal in need.refusals.items()
        if (changed := rearming(_put_now(need, refusal.requirement, refusal.shift, at), command.requirement))
    }
    grounds = tuple(
        Ground(f"the refusal no longer stands: {', '.join(changed)} became easier or larger", clause=clause)
        for clause, changed in rearmed.items()
    )
    withdrawn = tuple(
        withdraw(offer, f"version {need.version} was revised") for offer in open_offers(view, need)
    )
    revised = NeedRevised(
        need=need.id,
        version=need.version + 1,
        requirement=command.requirement,
        relaxed=relaxed,
        rearmed=tuple(rearmed),
        actor=command.actor,
        grounds=grounds,
    )
    return (*withdrawn, revised)


def _put_now(need: Need, requirement: Requirement, shift: Duration, at: Instant) -> Requirement:
    """What was refused, with dates as far moved as the need's own have been since."""
    return moved(requirement, Duration(moved_by(need, at) - shift))


def decide_withdraw(view: View, command: WithdrawNeed, at: Instant) -> tuple[SourcingFact, ...]:
    """The buyer wants nothing more; leases stay until they end. Withdrawing twice changes nothing."""
    need = view.sourcing.needs[command.need]
    if need.status == "closed":
        return ()
    return close(view, need, "withdrawn", command.reason or "withdrawn by the buyer")


def close(view: View, need: Need, outcome: str, says: str) -> tuple[SourcingFact, ...]:
    """The need is over: its open offers and quotes with it. `outcome` as in NeedClosed."""
    assert outcome in {"met", "withdrawn", "unmet"}, "a way in which needs end"
    return (
        *(withdraw(offer, says) for offer in open_offers(view, need)),
        *release_quotes(view, need, says),
        NeedClosed(need.id, outcome, (Ground(says),)),  # type: ignore[arg-type]  # asserted above
    )


def release_quotes(view: View, need: Need, says: str) -> tuple[QuoteEnded, ...]:
    """Quotes that are no longer wanted."""
    return tuple(
        QuoteEnded(id, "released", (Ground(says),))
        for id in need.quotes
        if view.sourcing.quotes[id].status == "open"
    )


# -- the next step -----------------------------------------------------------------------------------------


def step(view: View, need: Need, at: Instant) -> tuple[SourcingFact, ...]:
    """What happens next to a need that can move on. Never empty."""
    if need.missing_chips == 0:
        says = f"leases cover all {need.requirement.chips} chips"
        return (*release_quotes(view, need, says), NeedCovered(need.id, (Ground(says),)))
    if not view.wanted(need):
        return close(view, need, "withdrawn", "the work that it was opened for no longer waits for it")
    if need.until is not None and at >= need.until:
        return close(view, need, "unmet", "its term is over")
    waiting = open_offers(view, need)
    if waiting:
        return allocate(view, need, waiting, at) or (_waits_for_answers(waiting[0].right.holder, need),)
    standing = standings(view, need, at)
    asked = tuple(one for one in standing if _must_ask(one) and _comes_first(need, one))
    if asked:
        passed = tuple(one.ground for one in standing if not _must_ask(one))
        return offer_to(view, need, next_tier(asked), at, passed)
    if need.status == "asking":
        return (_open_market(view, need, standing, at),)
    if need.market_closes_at is not None:
        return (
            NeedWaits(need.id, "quotes", (Ground(f"quotes are collected until {need.market_closes_at}"),)),
        )
    return decide_award(view, need, at, standing)


def _comes_first(need: Need, standing: Standing) -> bool:
    """A match waits for a quote to match, unless a deal is at hand already."""
    return standing.right.mode != "match" or standing.right.clause in need.changed


def _must_ask(standing: Standing) -> bool:
    return standing.chips > 0 and standing.refusal is None


def _waits_for_answers(holder: str, need: Need) -> NeedWaits:
    return NeedWaits(need.id, "answers", (Ground(f"{holder} has not answered yet"),))


def _open_market(view: View, need: Need, standing: tuple[Standing, ...], at: Instant) -> MarketOpened:
    window = view.sourcing_policy.market_window
    closes = at.plus(window) if window and not need.market_heard else None
    grounds = tuple(one.ground for one in standing) or (Ground("no right of first refusal covers the need"),)
    return MarketOpened(need.id, closes, grounds)
