"""After an attempt ends: finish, try again (where, when, how often), or give up. By whose fault it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from stargate.base.money import cost_micro_usd
from stargate.base.time import Duration, Instant
from stargate.broker.fact import Ended, Fact, Requeued, WorkloadEnded
from stargate.broker.ground import Ground

if TYPE_CHECKING:
    from decimal import Decimal

    from stargate.broker.command import FailureClass
    from stargate.broker.records import AttemptState, Slot, WorkloadState
    from stargate.broker.state import State

Outcome = Literal["done", "failed", "stopped", "lost"]


def end_attempt(
    state: State,
    attempt: AttemptState,
    at: Instant,
    outcome: Outcome,
    *,
    failure: FailureClass | None = None,
    step: int | None = None,
    detail: str = "",
    metrics: dict[str, Decimal] | None = None,
    ground: Ground | None = None,
    ending: frozenset[str] = frozenset(),
) -> tuple[Fact, ...]:
    """The end of an attempt and what follows for its slot; `ending` are others that end with it."""
    grounds = () if ground is None else (ground,)
    ended = Ended(
        attempt=attempt.id,
        outcome=outcome,
        failure=failure,
        first_step=attempt.first_step,
        last_step=step if step is not None else attempt.checkpoint_step,
        cost_micro_usd=cost_so_far(attempt, at),
        detail=detail,
        metrics=metrics or {},
        grounds=grounds,
    )
    holder = state.records.workloads[attempt.workload]
    return (ended, *_next(state, holder, attempt, at, outcome, failure, ending))


def cost_so_far(attempt: AttemptState, at: Instant) -> int:
    """Micro-USD from the engine's acceptance on, at the quoted price."""
    if attempt.accepted_at is None:
        return 0
    return cost_micro_usd(
        attempt.price_micro_usd_per_chip_hour, attempt.chips, max(0, at - attempt.accepted_at)
    )


def _next(
    state: State,
    holder: WorkloadState,
    attempt: AttemptState,
    at: Instant,
    outcome: Outcome,
    failure: FailureClass | None,
    ending: frozenset[str],
) -> tuple[Fact, ...]:
    slot = holder.slots[attempt.slot]
    if holder.status == "cancelling":
        others = [
            s for s in holder.slots if s.status == "placed" and s.attempt not in ending and s is not slot
        ]
        if others:
            return ()
        return (
            WorkloadEnded(holder.id, "cancelled", (Ground("it was cancelled, and all it ran has stopped"),)),
        )
    if attempt.slot >= holder.replicas:
        return ()  # scaled down: nobody wants this replica any more
    if outcome == "done" and holder.workload.kind != "serve":
        return (WorkloadEnded(holder.id, "succeeded", (Ground(f"{attempt.id} finished"),)),)
    if outcome == "done":
        failure = "user"  # a replica is not meant to exit
    if outcome == "stopped" and attempt.stop_reason == "unready":
        failure = "user"  # it ran, and did not do what it is for: sooner or later again, as what exits
    elif outcome == "stopped":
        return (_requeue(holder, attempt, at, (), "none", f"it was stopped: {attempt.stop_reason}"),)
    return _retry(state, holder, slot, attempt, at, failure or "infrastructure")


def _retry(
    state: State, holder: WorkloadState, slot: Slot, attempt: AttemptState, at: Instant, failure: FailureClass
) -> tuple[Fact, ...]:
    work = holder.workload
    recovery = state.records.policy.recovery
    # A service keeps trying: its replicas are wanted until somebody says otherwise.
    endless = work.kind == "serve"
    if failure == "user":
        if slot.restarts >= work.max_restarts and not endless:
            says = (
                f"the program failed and may restart {work.max_restarts} times; it did {slot.restarts} times"
            )
            return (WorkloadEnded(holder.id, "failed", (Ground(says),)),)
        wait = _backoff(recovery.backoff, recovery.backoff_max, slot.restarts)
        return (
            _requeue(holder, attempt, at.plus(wait), (), "restart", "the program failed; it may try again"),
        )
    if slot.recoveries >= work.max_recoveries and not endless:
        says = f"it was recovered {slot.recoveries} times; {work.max_recoveries} is its bound"
        return (WorkloadEnded(holder.id, "failed", (Ground(says),)),)
    # The first loss is no fault of the work: it goes on at once, elsewhere.
    wait = (
        Duration(0)
        if slot.recoveries == 0
        else _backoff(recovery.backoff, recovery.backoff_max, slot.recoveries)
    )
    if failure == "preempted":
        says = f"{attempt.provider} took its capacity back"
        return (_requeue(holder, attempt, at.plus(wait), (), "recovery", says),)
    avoid = tuple(dict.fromkeys((*slot.avoid, attempt.provider)))
    cause = "had no capacity" if failure == "no_capacity" else "broke"
    says = f"{attempt.provider} {cause}; another provider comes first"
    return (_requeue(holder, attempt, at.plus(wait), avoid, "recovery", says),)


def _requeue(
    holder: WorkloadState,
    attempt: AttemptState,
    not_before: Instant,
    avoid: tuple[str, ...],
    counts: Literal["recovery", "restart", "none"],
    says: str,
) -> Requeued:
    return Requeued(holder.id, attempt.slot, not_before, avoid, counts, (Ground(says),))


def _backoff(first: Duration, most: Duration, tries: int) -> Duration:
    return Duration(min(most, first << min(tries, 40)))
