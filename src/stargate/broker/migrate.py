"""Moves that pay for themselves: a running, checkpointing job goes to cheaper capacity."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from stargate.base.money import cost_micro_usd, format_usd, micro_usd
from stargate.base.time import Instant
from stargate.broker import preempt
from stargate.broker.ask import ask_of
from stargate.broker.fact import Fact, Stopping
from stargate.broker.ground import Ground
from stargate.broker.place import least_marginals, move_cost, place, placed
from stargate.broker.trial import Trial

if TYPE_CHECKING:
    from stargate.broker.ask import Option
    from stargate.broker.records import AttemptState
    from stargate.broker.state import State
    from stargate.workloads import Workload

MOVES_AT_ONCE = 32
"""Moves under way at a time; more wait."""
LOOKS_PER_PASS = 32


def decide_moves(state: State, at: Instant) -> tuple[Fact, ...]:
    """One attempt to stop because going on elsewhere is cheaper, the most expensive looked at first.

    Those that are moving already are counted where they will go: no two are sent to one place.
    """
    if state.queue or not state.records.policy.migration.enabled:
        return ()
    moving = [attempt for attempt in state.stopping.values() if attempt.stop_reason == "migrated"]
    if len(moving) >= MOVES_AT_ONCE:
        return ()
    paying = _paying(state, at)
    if not paying:
        return ()
    with Trial(state) as trial:
        for attempt in moving:
            _arrive(state, trial, attempt, at)
        for attempt in paying:
            move = _move(state, attempt, at)
            if move is not None:
                return (move,)
    return ()


def _paying(state: State, at: Instant) -> list[AttemptState]:
    """Those that cost most by the hour, of those that are paid by use."""
    dearest = state.tally.dearest(state.live, state.supplies)
    return list(islice((attempt for attempt in dearest if _movable(state, attempt, at)), LOOKS_PER_PASS))


def _movable(state: State, attempt: AttemptState, at: Instant) -> bool:
    work = state.records.workloads[attempt.workload].workload
    return (
        attempt.status == "running"
        and work.kind != "serve"
        and work.checkpoint is not None
        and (work.time_limit is not None or _is_timed(work))
        and attempt.expected_end > at
    )


def _is_timed(work: Workload) -> bool:
    """Whether it was sized, and so its run time is known."""
    return any(size.duration for size in work.sizes)


def _arrive(state: State, trial: Trial, attempt: AttemptState, at: Instant) -> None:
    """As if a moving attempt had found its new place."""
    holder = state.records.workloads[attempt.workload]
    slot = holder.slots[attempt.slot]
    ask = ask_of(state, holder, slot)
    choice = place(state, ask, at).choice
    if choice is not None:
        trial.occupy(placed(ask, attempt.slot, slot, choice, at))


def _move(state: State, attempt: AttemptState, at: Instant) -> Stopping | None:
    holder = state.records.workloads[attempt.workload]
    ask = ask_of(state, holder, holder.slots[attempt.slot])
    here, policy = state.supplies.by_id[attempt.supply], state.records.policy.migration
    least = max(1, micro_usd(policy.min_saving_usd))
    # What it loses, and what it pays while it starts again, wherever it goes: nobody looks where that is too much.
    dear = cost_micro_usd(here.marginal, attempt.chips, policy.restart) + preempt.lost_work(
        state, attempt, at
    )
    if all(_saving(state, attempt, o, m, at) - dear < least for o, m in least_marginals(state, ask, at)):
        return None
    choice = place(state, ask, at).choice
    if choice is None:
        return None
    there = choice.supply
    saving = _saving(state, attempt, choice.option, there.marginal, at)
    cost = (
        cost_micro_usd(max(there.marginal, here.marginal), attempt.chips, policy.restart)
        + preempt.lost_work(state, attempt, at)
        + move_cost(state, ask, there.kind)
    )
    if saving - cost < least:
        return None
    says = (
        f"moving to {there.kind.provider}/{there.pool} saves {format_usd(saving)} until {attempt.expected_end}"
        f" and costs {format_usd(cost)}"
    )
    return Stopping(attempt.id, "migrated", (Ground(says),))


def _saving(state: State, attempt: AttemptState, option: Option, marginal: int, at: Instant) -> int:
    """What the rest of it would cost less at this marginal price. It takes another time on other chips."""
    here, remaining = state.supplies.by_id[attempt.supply], attempt.expected_end - at
    there_remaining = remaining * option.duration // (attempt.expected_end - attempt.placed_at)
    return cost_micro_usd(here.marginal, attempt.chips, remaining) - cost_micro_usd(
        marginal, option.gang_chips, there_remaining
    )
