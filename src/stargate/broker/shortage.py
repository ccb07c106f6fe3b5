"""When what is held cannot serve a slot, or not in time: say what is needed, and hand it to sourcing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stargate.agreements.right import Requirement
from stargate.base.errors import UserError
from stargate.base.time import Duration, Instant
from stargate.broker import sourcing
from stargate.broker.ground import Ground
from stargate.broker.sourcing.command import Attribute, OpenNeed
from stargate.broker.sourcing.fact import NeedOpened

if TYPE_CHECKING:
    from stargate.broker.ask import Ask, Option
    from stargate.broker.fact import Fact
    from stargate.broker.place import Survey
    from stargate.broker.reserve import Start
    from stargate.broker.sourcing.records import Need
    from stargate.broker.state import State, Waiting


def decide_shortage(
    state: State, waiting: Waiting, ask: Ask, survey: Survey, start: Start | None, at: Instant
) -> tuple[Fact, ...]:
    """Facts that open (or go on with) the need of a slot; none where waiting will do or a need is open already.

    `start` is when and where the slot could start on held capacity; None: not by any end known today (or nobody asked,
    which is so only for work without a deadline).
    """
    if not may_open(state, waiting, at) or not _must_source(ask, survey, start):
        return ()
    known = needs_of(state, waiting.workload, waiting.slot)
    if known and known[-1].status == "covered":
        return _after_loss(state, known[-1], at)
    command = OpenNeed(
        id=f"need-{waiting.workload}.{waiting.slot}" + (f"-{len(known) + 1}" if known else ""),
        requirement=requirement_of(state, ask, at),
        party=state.records.policy.lab,
        scope=_scope(ask),
        workload=waiting.workload,
        moving_start=ask.workload.deadline is None,
    )
    try:
        facts = sourcing.decide(state, command, at)
    except UserError:
        return ()  # nobody asked for this need, so there is nobody to refuse: the slot waits for what is held
    return tuple(_because(fact, survey) if isinstance(fact, NeedOpened) else fact for fact in facts)


def may_open(state: State, waiting: Waiting, at: Instant) -> bool:
    """Whether policy buys by itself, and the slot has no need that is still under way or was closed too lately."""
    policy = state.records.policy
    if not policy.sourcing.automatic or not policy.lab:
        return False  # without a party to buy for, nothing can be bought
    known = needs_of(state, waiting.workload, waiting.slot)
    if not known or known[-1].status == "covered":
        return True
    return known[-1].status == "closed" and _may_ask_again(state, known[-1], at)


def _because(fact: NeedOpened, survey: Survey) -> NeedOpened:
    """The need with the reason why what is held will not do."""
    held = Ground(
        "nothing that is held can serve it" if not survey.busy else "what is held is busy for too long"
    )
    return msgspec.structs.replace(fact, grounds=(*fact.grounds, held, *survey.grounds()))


def needs_of(state: State, workload: str, slot: int) -> list[Need]:
    """The needs that a slot has opened, in order."""
    needs = state.sourcing.needs
    first = f"need-{workload}.{slot}"
    found: list[Need] = []
    while (need := needs.get(first if not found else f"{first}-{len(found) + 1}")) is not None:
        found.append(need)
    return found


def waits_for(state: State, need: Need) -> bool:
    """Whether the slot that a need was opened for still waits; a need of nobody's work always is waited for."""
    holder = state.records.workloads.get(need.workload or "")
    if holder is None:
        return True
    if holder.ended or holder.status == "cancelling":
        return False
    number = need.id.removeprefix(f"need-{holder.id}.").partition("-")[0]
    if need.id.startswith(f"need-{holder.id}.") and number.isdigit() and int(number) < len(holder.slots):
        return holder.slots[int(number)].status == "waiting"
    return True


def requirement_of(state: State, ask: Ask, at: Instant) -> Requirement:
    """What a provider would have to offer for this ask, each part testable."""
    policy = state.records.policy
    work = ask.workload
    option = ask.options[0]
    # Other sizes than the first would be other needs; what has the same count will do as well.
    alike = [one for one in ask.options if option.size is None or _as_good(one, option)]
    chips = dict.fromkeys(chip for one in alike for chip in one.chips)
    caps = [one.cap_micro_usd_per_chip_hour for one in alike]
    # Room for the start, and for moving on before the end: a lease is never cut to the second.
    margin = 2 * policy.migration.lease_end_notice + policy.migration.restart
    known = work.time_limit or (option.size is not None and option.size.duration)
    duration = Duration(option.duration + margin) if known else policy.sourcing.need_duration
    # A deadline makes the latest start a date; else it is a lead time that waiting for holders does not use up.
    start_by = at.plus(policy.sourcing.start_within)
    if work.deadline is not None:
        start_by = Instant(max(at, work.deadline - option.duration))
    return Requirement(
        chips=option.gang_chips,
        chip_types=tuple(chips),
        start_by=start_by,
        duration=duration,
        jurisdictions=work.residency,
        chips_per_node=option.chips_per_node,
        topology="block" if work.topology.required == "block" else "pool",
        max_price_micro_usd_per_chip_hour=None
        if None in caps
        else max(cap for cap in caps if cap is not None),
    )


def _as_good(one: Option, first: Option) -> bool:
    """Whether the same number of other chips takes no longer."""
    return (one.nodes, one.chips_per_node) == (first.nodes, first.chips_per_node) and (
        one.duration <= first.duration
    )


def _must_source(ask: Ask, survey: Survey, start: Start | None) -> bool:
    if not survey.busy:
        return True
    deadline = ask.workload.deadline
    return deadline is not None and (start is None or start.option.ends(start.at) > deadline)


def _after_loss(state: State, need: Need, at: Instant) -> tuple[Fact, ...]:
    """The deal was done, but none of its leases can be placed on any more."""
    for lease_id in need.leases:
        lease = state.sourcing.leases[lease_id]
        pool = state.catalog_pools.get(lease.pool)
        if not lease.open or pool is None or state.status_of(pool) == "up":
            continue
        return sourcing.reopen(state, need.id, lease_id, at)
    return ()


def _may_ask_again(state: State, need: Need, at: Instant) -> bool:
    """A need that could not be met is asked for again only after a while, or the market would be asked without end."""
    if need.closed_at is None or need.outcome == "met":
        return True
    return at >= need.closed_at.plus(state.sourcing_policy.start_within)


def _scope(ask: Ask) -> dict[str, Attribute]:
    work = ask.workload
    scope: dict[str, Attribute] = {"kind": work.kind}
    for name in ("team", "product", "model", "customer"):
        value: str = getattr(work, name)
        if value:
            scope[name] = value
    return scope
