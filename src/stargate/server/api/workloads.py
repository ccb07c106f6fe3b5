"""Workloads: submit, look at, cancel, scale."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from stargate import workloads
from stargate.base.errors import InputError, Problem
from stargate.base.ids import attempt_id
from stargate.base.time import Instant
from stargate.broker import State
from stargate.broker.command import Cancel, Revise, Scale, Submit
from stargate.broker.records import WorkloadState
from stargate.broker.recover import cost_so_far
from stargate.server.access import not_found
from stargate.server.api.attempts import AttemptView, view_attempts
from stargate.server.api.identity import GivenId, fresh_id
from stargate.server.api.page import After, Id, IdempotencyKey, Limit, cut
from stargate.server.api.route import Asking, Here, changing, reading
from stargate.server.auth import Actor
from stargate.server.house import House
from stargate.workloads import Workload

YAML_LIMIT = 262_144
"""Characters."""
ATTEMPTS_SHOWN = 100
SLOTS_SHOWN = 200


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A workload, as YAML text or as the normalised record. Exactly one of the two."""

    id: GivenId = ""
    """Empty: its name with a few letters behind. The same id with the same workload is the same submission."""
    yaml: Annotated[str, Meta(max_length=YAML_LIMIT)] = ""
    """Workload YAML, or a plain SkyPilot task."""
    workload: Workload | None = None


class Scaling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many replicas a service is to have."""

    replicas: Annotated[int, Meta(ge=0, le=100_000)]


class Revision(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Another version of a service, as YAML text or as the normalised record. Exactly one of the two."""

    yaml: Annotated[str, Meta(max_length=YAML_LIMIT)] = ""
    workload: Workload | None = None


class SlotView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One gang that a workload wants running."""

    number: int
    status: str
    attempt: str = ""
    """The live attempt, or the last one."""
    attempts: int = 0
    """Made so far."""
    restarts: int = 0
    recoveries: int = 0
    not_before: Instant | None = None
    avoid: tuple[str, ...] = ()
    """Providers that are passed over while others can serve."""
    checkpoint_step: int | None = None


class WorkloadRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A workload in a list."""

    id: str
    name: str
    kind: str
    status: str
    """`waiting`, `starting`, `running`, `stopping` while it is active; else how it ended, or `cancelling`."""
    team: str
    priority: int
    actor: str
    submitted_at: Instant
    ended_at: Instant | None
    chips: int
    """Of one gang, where it runs; 0 before."""
    nodes: int
    replicas: int
    slots_placed: int
    slots_waiting: int
    provider: str
    pool: str
    """Of the first slot that has an attempt; empty: none yet."""
    step: int | None
    total_steps: int | None
    cost_micro_usd: int
    """So far."""
    rollout: str = ""
    """How far a new version of a service is, while it is rolled out."""
    given_up: str = ""
    """Why the last version of a service was given up, as far as this server has seen it."""


class WorkloadPage(msgspec.Struct, frozen=True):
    """Workloads, newest first."""

    items: tuple[WorkloadRow, ...]
    total: int
    next: str | None


class WorkloadView(WorkloadRow, frozen=True, omit_defaults=True, kw_only=True):
    """Everything about one workload."""

    workload: Workload
    """As it was understood. Scripts and values of variables are left out for roles that only count."""
    slots: tuple[SlotView, ...]
    attempts: tuple[AttemptView, ...]
    """The newest last, each with the grounds of its placement."""
    attempts_total: int
    ready: int
    """Replicas of a service that answer and get requests."""
    needs: tuple[str, ...]
    """What had to be sourced for it."""


class Accepted(msgspec.Struct, frozen=True):
    """The command is in the journal."""

    id: str
    seq: int
    """The last entry it caused; 0: nothing had to change."""
    repeated: bool
    """It had been handled before, and was not done again."""


WorkloadStatus = Literal[
    "",
    "active",
    "waiting",
    "starting",
    "running",
    "stopping",
    "cancelling",
    "succeeded",
    "failed",
    "cancelled",
]


@changing("/v1/workloads", "workloads.submit", status=201)
async def submit_workload(
    house: Here, actor: Asking, data: JSONBody[Submission], idempotency_key: IdempotencyKey = ""
) -> Accepted:
    """Submit a run or a service. It is accepted when this answers, and will not be lost."""
    workload = _workload_of(data)
    id = data.id or fresh_id(workload.name, actor, idempotency_key)
    receipt = await house.ask(actor, Submit(id, workload, actor.name), idempotency_key)
    return Accepted(id, receipt.seq, receipt.repeated)


def _workload_of(data: Submission | Revision) -> Workload:
    if bool(data.yaml) == (data.workload is not None):
        raise InputError(
            (
                Problem(
                    "a submission holds `yaml` or `workload`, and one of them only", "Send one of the two."
                ),
            )
        )
    return workloads.sound(data.workload) if data.workload is not None else workloads.parse(data.yaml, "yaml")


@reading("/v1/workloads", "workloads.read")
async def list_workloads(
    house: Here,
    limit: Limit = 50,
    after: After = "",
    wanted: Annotated[
        WorkloadStatus,
        QueryParameter(
            name="state",
            description="Only those in this state; `active` is all that have not ended. Empty: all.",
        ),
    ] = "",
) -> WorkloadPage:
    """Workloads, newest first."""
    now = house.driver.now()

    def view(state: State) -> WorkloadPage:
        found, total, following = cut(
            reversed(state.records.workloads.values()),
            limit,
            after,
            lambda holder: holder.id,
            (lambda holder: _matches(state, holder, wanted)) if wanted else None,
        )
        return WorkloadPage(tuple(_row(house, state, holder, now) for holder in found), total, following)

    return await house.driver.read(view)


@reading("/v1/workloads/{id:str}", "workloads.read")
async def show_workload(house: Here, actor: Asking, id: Id) -> WorkloadView:
    """One workload: its slots, its attempts with their progress and the grounds of their placement, its needs."""
    now = house.driver.now()

    def view(state: State) -> WorkloadView:
        holder = state.records.workloads.get(id)
        if holder is None:
            raise not_found("workload", id)
        names = [
            attempt_id(id, number, count)
            for number, slot in enumerate(holder.slots)
            for count in range(1, slot.number + 1)
        ]
        found = [state.records.attempts[name] for name in names if name in state.records.attempts]
        found.sort(key=lambda attempt: attempt.placed_seq)
        return WorkloadView(
            **msgspec.structs.asdict(_row(house, state, holder, now)),
            workload=_discreet(holder.workload, actor),
            slots=tuple(_slot(holder, number) for number in range(min(SLOTS_SHOWN, len(holder.slots)))),
            attempts=view_attempts(house.fleet, found[-ATTEMPTS_SHOWN:], now),
            attempts_total=len(found),
            ready=sum(each.service == id and not each.draining for each in house.routing.endpoints),
            needs=tuple(need.id for need in state.sourcing.needs.values() if need.workload == id)[
                -SLOTS_SHOWN:
            ],
        )

    shown = await house.driver.read(view)
    return msgspec.structs.replace(shown, attempts=await _grounded(house, shown.attempts))


async def _grounded(house: House, attempts: tuple[AttemptView, ...]) -> tuple[AttemptView, ...]:
    grounds = await house.history.grounds([attempt.placed_seq for attempt in attempts])
    return tuple(
        msgspec.structs.replace(attempt, grounds=grounds.get(attempt.placed_seq, ())) for attempt in attempts
    )


@changing("/v1/workloads/{id:str}/cancel", "workloads.cancel")
async def cancel_workload(
    house: Here, actor: Asking, id: Id, idempotency_key: IdempotencyKey = ""
) -> Accepted:
    """End a workload for good: what runs is asked to stop, with time to save."""
    receipt = await house.ask(actor, Cancel(id, actor.name), idempotency_key)
    return Accepted(id, receipt.seq, receipt.repeated)


@changing("/v1/workloads/{id:str}/scale", "workloads.scale")
async def scale_workload(
    house: Here, actor: Asking, id: Id, data: JSONBody[Scaling], idempotency_key: IdempotencyKey = ""
) -> Accepted:
    """Set the number of replicas of a service."""
    receipt = await house.ask(actor, Scale(id, data.replicas, actor.name), idempotency_key)
    return Accepted(id, receipt.seq, receipt.repeated)


@changing("/v1/workloads/{id:str}/revise", "workloads.submit")
async def revise_workload(
    house: Here, actor: Asking, id: Id, data: JSONBody[Revision], idempotency_key: IdempotencyKey = ""
) -> Accepted:
    """Roll out another version of a service: its replicas are replaced one by one, and requests go on.

    Where the version does not become ready, the one before goes on. The name that it had stays.
    """
    receipt = await house.ask(actor, Revise(id, _workload_of(data), actor.name), idempotency_key)
    return Accepted(id, receipt.seq, receipt.repeated)


def _discreet(workload: Workload, actor: Actor) -> Workload:
    """Scripts and values of variables are for those who run work, not for those who count it."""
    workload = msgspec.structs.replace(workload, rollout=None)  # it holds those of another version
    if actor.role in {"operator", "engineer"}:
        return workload
    return msgspec.structs.replace(workload, setup="", run="", envs=dict.fromkeys(workload.envs, "***"))


def _matches(state: State, holder: WorkloadState, wanted: str) -> bool:
    if wanted == "active":
        return not holder.ended
    return status_of(state, holder) == wanted


def status_of(state: State, holder: WorkloadState) -> str:
    """What it does, in one word: of several slots the one that is furthest."""
    if holder.status != "active":
        return holder.status
    live = {state.records.attempts[slot.attempt].status for slot in holder.slots if slot.status == "placed"}
    if "running" in live:
        return "running"
    if live & {"placed", "accepted"}:
        return "starting"
    return "stopping" if live else "waiting"


def _row(house: House, state: State, holder: WorkloadState, now: Instant) -> WorkloadRow:
    attempts = [state.records.attempts[slot.attempt] for slot in holder.slots if slot.attempt]
    first = next((one for one in attempts if one.status != "ended"), attempts[0] if attempts else None)
    progress = house.fleet.progress(first.id, first.pool) if first is not None else None
    step = progress.step if progress is not None else None
    work = holder.workload
    return WorkloadRow(
        id=holder.id,
        name=work.name,
        kind=work.kind,
        status=status_of(state, holder),
        team=work.team,
        priority=work.priority,
        actor=holder.actor,
        submitted_at=holder.at,
        ended_at=holder.ended_at,
        chips=first.chips if first is not None else 0,
        nodes=work.nodes,
        replicas=holder.replicas,
        slots_placed=sum(slot.status == "placed" for slot in holder.slots),
        slots_waiting=sum(slot.status == "waiting" for slot in holder.slots),
        provider=first.provider if first is not None else "",
        pool=first.pool if first is not None else "",
        step=step if step is not None or first is None else first.checkpoint_step,
        total_steps=progress.total_steps if progress is not None else None,
        cost_micro_usd=holder.cost_micro_usd
        + sum(cost_so_far(one, now) for one in attempts if one.status != "ended"),
        rollout=house.rollouts.told(state, holder),
        given_up="" if holder.ended else house.rollouts.given_up(holder.id),
    )


def _slot(holder: WorkloadState, number: int) -> SlotView:
    slot = holder.slots[number]
    return SlotView(
        number=number,
        status=slot.status,
        attempt=slot.attempt,
        attempts=slot.number,
        restarts=slot.restarts,
        recoveries=slot.recoveries,
        not_before=slot.not_before if slot.status == "waiting" and slot.not_before else None,
        avoid=slot.avoid,
        checkpoint_step=slot.checkpoint_step,
    )


ROUTES: tuple[Any, ...] = (
    submit_workload,
    list_workloads,
    show_workload,
    cancel_workload,
    scale_workload,
    revise_workload,
)
