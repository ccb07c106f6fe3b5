"""Moves that pay for themselves: a running, checkpointing job goes to cheaper capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stargate.base.money import cost_micro_usd, format_usd, micro_usd
from stargate.base.time import Instant
from stargate.broker import preempt
from stargate.broker.ask import ask_of
from stargate.broker.fact import Fact, Stopping
from stargate.broker.ground import Ground
from stargate.broker.place import move_cost, place

if TYPE_CHECKING:
    from stargate.broker.records import AttemptState
    from stargate.broker.state import State

MOVES_PER_PASS = 1
"""One at a time: the next is judged against what the first leaves."""
LOOKS_PER_PASS = 32


def decide_moves(state: State, at: Instant) -> tuple[Fact, ...]:
    """Attempts to stop because going on elsewhere is cheaper, the most expensive looked at first."""
    policy = state.records.policy.migration
    if not policy.enabled or state.queue:
        return ()
    paying = sorted(
        (attempt for attempt in state.live.values() if _movable(state, attempt, at)),
        key=lambda attempt: (-attempt.price_micro_usd_per_chip_hour * attempt.chips, attempt.id),
    )
    for attempt in paying[:LOOKS_PER_PASS]:
        move = _move(state, attempt, at)
        if move is not None:
            return (move,)
    return ()


def _movable(state: State, attempt: AttemptState, at: Instant) -> bool:
    if attempt.status != "running":
        return False
    work = state.records.workloads[attempt.workload].workload
    supply = state.supplies.by_id.get(attempt.supply)
    return (
        work.checkpoint is not None
        and work.time_limit is not None
        and supply is not None
        and supply.marginal > 0
        and attempt.expected_end > at
    )


def _move(state: State, attempt: AttemptState, at: Instant) -> Stopping | None:
    holder = state.records.workloads[attempt.workload]
    slot = holder.slots[attempt.slot]
    ask = ask_of(state, holder, slot)
    choice = place(state, ask, at).choice
    here = state.supplies.by_id[attempt.supply]
    if choice is None or choice.supply.marginal >= here.marginal:
        return None
    policy = state.records.policy.migration
    remaining = attempt.expected_end - at
    there = choice.supply
    saving = cost_micro_usd(here.marginal - there.marginal, attempt.chips, remaining)
    price = max(there.marginal, here.marginal)
    cost = (
        cost_micro_usd(price, attempt.chips, policy.restart)
        + preempt.lost_work(state, attempt, at)
        + move_cost(state, ask, there.kind)
    )
    if saving - cost < max(1, micro_usd(policy.min_saving_usd)):
        return None
    says = (
        f"moving to {there.kind.provider}/{there.pool} saves {format_usd(saving)} until {attempt.expected_end}"
        f" and costs {format_usd(cost)}"
    )
    return Stopping(attempt.id, "migrated", (Ground(says),))
