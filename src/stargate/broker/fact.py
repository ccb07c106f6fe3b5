"""Facts happened, and are all that is journalled. Each carries its grounds; the entry names its cause."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from stargate.agreements import Agreement, WorldFact
from stargate.base.time import Instant
from stargate.broker.command import FailureClass
from stargate.broker.ground import Ground
from stargate.broker.policy import Policy
from stargate.broker.sourcing.fact import SourcingFact
from stargate.catalog import Infrastructure
from stargate.workloads import Workload

StopReason = Literal[
    "preempted",
    "migrated",
    "cancelled",
    "drained",
    "lease_end",
    "scaled_down",
    "capacity",
    "replaced",
    "unready",
]


class Declared(msgspec.Struct, frozen=True, tag="declared"):
    """What exists, what was promised, how to decide: replaced as a whole."""

    infrastructure: Infrastructure
    agreements: tuple[Agreement, ...]
    policy: Policy
    grounds: tuple[Ground, ...] = ()


class FactDeclared(msgspec.Struct, frozen=True, tag="fact_declared"):
    """A fact of the world was put on record."""

    fact: WorldFact
    grounds: tuple[Ground, ...] = ()


class SupplyMarked(msgspec.Struct, frozen=True, tag="supply_marked"):
    """A provider, site or pool was seen up, lost or draining."""

    scope: Literal["provider", "site", "pool"]
    id: str
    status: Literal["up", "draining", "lost"]
    grounds: tuple[Ground, ...] = ()


class CapacitySet(msgspec.Struct, frozen=True, tag="capacity_set"):
    """A pool has this many nodes now, by count or because the catalog's date came."""

    pool: str
    nodes: int
    counted: bool
    """True: an engine or operator counted; the catalog's series no longer applies."""
    grounds: tuple[Ground, ...] = ()


class Repriced(msgspec.Struct, frozen=True, tag="repriced"):
    """A dated price of a pool took effect."""

    pool: str
    price_micro_usd_per_chip_hour: int | None
    grounds: tuple[Ground, ...] = ()


class Submitted(msgspec.Struct, frozen=True, tag="submitted", gc=False):
    """A workload was accepted; its slots wait."""

    id: str
    workload: Workload
    actor: str
    grounds: tuple[Ground, ...] = ()


class Placed(msgspec.Struct, frozen=True, tag="placed", gc=False):
    """A slot got a gang of nodes. The attempt exists from here on."""

    attempt: str
    workload: str
    slot: int
    number: int
    supply: str
    pool: str
    provider: str
    nodes: tuple[int, ...]
    chips_per_node: int
    price_micro_usd_per_chip_hour: int
    expected_end: Instant
    score_micro_usd: int
    grounds: tuple[Ground, ...] = ()


class Stopping(msgspec.Struct, frozen=True, tag="stopping", gc=False):
    """An attempt was asked to stop."""

    attempt: str
    reason: StopReason
    grounds: tuple[Ground, ...] = ()


class Accepted(msgspec.Struct, frozen=True, tag="accepted", gc=False):
    """The engine has the attempt."""

    attempt: str
    grounds: tuple[Ground, ...] = ()


class Started(msgspec.Struct, frozen=True, tag="started", gc=False):
    """The program runs."""

    attempt: str
    step: int | None
    grounds: tuple[Ground, ...] = ()


class Checkpointed(msgspec.Struct, frozen=True, tag="checkpointed", gc=False):
    """The program's state is safe up to this step."""

    attempt: str
    step: int
    grounds: tuple[Ground, ...] = ()


class Ended(msgspec.Struct, frozen=True, tag="ended", gc=False):
    """An attempt is over; its nodes are free."""

    attempt: str
    outcome: Literal["done", "failed", "stopped", "lost"]
    failure: FailureClass | None
    first_step: int | None
    last_step: int | None
    cost_micro_usd: int
    detail: str = ""
    metrics: dict[str, Decimal] = {}
    grounds: tuple[Ground, ...] = ()


class Requeued(msgspec.Struct, frozen=True, tag="requeued", gc=False):
    """A slot waits again."""

    workload: str
    slot: int
    not_before: Instant
    avoid: tuple[str, ...]
    """Providers to pass over while others can serve."""
    counts: Literal["recovery", "restart", "none"]
    """Which bound this try counts against."""
    grounds: tuple[Ground, ...] = ()


class WorkloadEnded(msgspec.Struct, frozen=True, tag="workload_ended", gc=False):
    """A workload is over."""

    workload: str
    outcome: Literal["succeeded", "failed", "cancelled"]
    grounds: tuple[Ground, ...] = ()


class CancelRequested(msgspec.Struct, frozen=True, tag="cancel_requested"):
    """A workload is to end as soon as its attempts have stopped."""

    workload: str
    actor: str
    grounds: tuple[Ground, ...] = ()


class Scaled(msgspec.Struct, frozen=True, tag="scaled"):
    """A service has this many replicas from now on."""

    workload: str
    replicas: int
    actor: str
    grounds: tuple[Ground, ...] = ()


class Revised(msgspec.Struct, frozen=True, tag="revised"):
    """A service has a new version: whatever is placed from now on is that."""

    workload: str
    to: Workload
    replicas: int
    """That it has, but for one beside them while they are replaced."""
    actor: str
    grounds: tuple[Ground, ...] = ()


class RolloutEnded(msgspec.Struct, frozen=True, tag="rollout_ended"):
    """All replicas are of the new version; or it has failed, and the service is what it was before."""

    workload: str
    outcome: Literal["done", "failed"]
    grounds: tuple[Ground, ...] = ()


BrokerFact = (
    Declared
    | FactDeclared
    | SupplyMarked
    | CapacitySet
    | Repriced
    | Submitted
    | Placed
    | Stopping
    | Accepted
    | Started
    | Checkpointed
    | Ended
    | Requeued
    | WorkloadEnded
    | CancelRequested
    | Scaled
    | Revised
    | RolloutEnded
)
Fact = BrokerFact | SourcingFact


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A fact in its place: gapless number, time, and the id of the command that caused it."""

    seq: int
    at: Instant
    cause: str
    fact: Fact
