"""Commands ask. Each may be refused, and nothing has happened until a fact says so."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from stargate.agreements import Agreement, WorldFact
from stargate.base.time import Instant
from stargate.broker.policy import Policy
from stargate.broker.sourcing.command import SourcingCommand
from stargate.catalog import Infrastructure
from stargate.workloads import Workload

FailureClass = Literal["no_capacity", "preempted", "infrastructure", "user"]
"""Whose fault an attempt's end was; recovery depends on it.

`no_capacity`: never started; `preempted`: taken away by the provider; `infrastructure`: node, network
or provider broke; `user`: the program failed by itself.
"""


class Declare(msgspec.Struct, frozen=True, tag="declare"):
    """What exists, what was promised and how to decide, as one consistent whole. Replaces what was declared."""

    infrastructure: Infrastructure
    agreements: tuple[Agreement, ...]
    policy: Policy


class DeclareFact(msgspec.Struct, frozen=True, tag="declare_fact"):
    """A fact of the world that agreements rest on: a claim, its verification, a delivery, a price."""

    fact: WorldFact


class Submit(msgspec.Struct, frozen=True, tag="submit", gc=False):
    """Run or serve this. `workload.name` with the id makes retries safe: the same id is the same submission."""

    id: str
    workload: Workload
    actor: str = ""


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """End a workload for good."""

    workload: str
    actor: str = ""


class Scale(msgspec.Struct, frozen=True, tag="scale"):
    """Set the number of replicas of a service."""

    workload: str
    replicas: int
    actor: str = ""


class Revise(msgspec.Struct, frozen=True, tag="revise"):
    """Let a service be another version of itself: what starts from now on is that, and what runs goes on."""

    workload: str
    to: Workload
    actor: str = ""


class EndRollout(msgspec.Struct, frozen=True, tag="end_rollout"):
    """A new version is everywhere; or it has failed, and the one before is to go on."""

    workload: str
    outcome: Literal["done", "failed"]
    says: str = ""


class Replace(msgspec.Struct, frozen=True, tag="replace"):
    """Stop a replica, and start another in its place: a new version's, or one that answers."""

    attempt: str
    reason: Literal["replaced", "unready"]
    says: str = ""


class Report(msgspec.Struct, frozen=True, tag="report", gc=False):
    """What an engine says about one attempt. Repeats and late arrivals are harmless."""

    attempt: str
    phase: Literal["accepted", "running", "checkpointed", "done", "failed", "stopped"]
    failure: FailureClass | None = None
    """Given with `failed`."""
    step: int | None = None
    """With `running`: the first step this attempt works on; otherwise the last one it has finished (or saved)."""
    detail: str = ""
    metrics: dict[str, Decimal] = {}
    """Final figures of the program, as `loss`."""


class MarkSupply(msgspec.Struct, frozen=True, tag="mark_supply"):
    """The health of a provider, site or pool: `lost` comes from engines, `draining` from operators.

    Each has its own mark. `up` ends the loss of what is lost, and its draining only if it is not lost.
    """

    scope: Literal["provider", "site", "pool"]
    id: str
    status: Literal["up", "draining", "lost"]
    evidence: str = ""


class SetCapacity(msgspec.Struct, frozen=True, tag="set_capacity"):
    """What an engine or operator counts in a pool now, where it differs from the catalog."""

    pool: str
    nodes: int
    evidence: str = ""


class Wake(msgspec.Struct, frozen=True, tag="wake"):
    """The clock reached a time that the state asked for, or it is time to look at the queue again."""

    due: bool = True
    """Look whether dates of the catalog or ends of leases have come."""
    reconsider: bool = True
    """Look also whether open needs can move on, and whether running work should move."""


BrokerCommand = (
    Declare
    | DeclareFact
    | Submit
    | Cancel
    | Scale
    | Revise
    | EndRollout
    | Replace
    | Report
    | MarkSupply
    | SetCapacity
    | Wake
)
Command = BrokerCommand | SourcingCommand


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A command on its way in: when it was received and the id that its facts will name as cause."""

    id: str
    at: Instant
    command: Command
