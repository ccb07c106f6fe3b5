"""What the broker remembers of workloads and attempts: plain mutable records, written to snapshots as they are.

All fields are always written, defaults too: msgspec knows a default by identity, so leaving defaults out would
make the bytes, and with them the digest, depend on whether an equal value was computed or read back.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from stargate.agreements import Agreement, WorldFact
from stargate.base.time import Instant
from stargate.broker.command import FailureClass
from stargate.broker.effect import Notify
from stargate.broker.fact import StopReason
from stargate.broker.policy import Policy
from stargate.broker.sourcing.records import SourcingState
from stargate.catalog import Infrastructure
from stargate.workloads import Workload

AttemptStatus = Literal["placed", "accepted", "running", "stopping", "ended"]
SlotStatus = Literal["waiting", "placed", "done"]
WorkloadStatus = Literal["active", "cancelling", "succeeded", "failed", "cancelled"]


class AttemptState(msgspec.Struct, gc=False):
    """One execution of one slot on one placement."""

    id: str
    workload: str
    slot: int
    number: int
    supply: str
    pool: str
    provider: str
    nodes: tuple[int, ...]
    """One rank each, as long as it holds them: what has ended holds none."""
    chips_per_node: int
    price_micro_usd_per_chip_hour: int
    placed_at: Instant
    placed_seq: int
    expected_end: Instant
    status: AttemptStatus = "placed"
    accepted_at: Instant | None = None
    started_at: Instant | None = None
    first_step: int | None = None
    checkpoint_step: int | None = None
    safe_at: Instant | None = None
    """When the program's state was last known to be safe."""
    stop_reason: StopReason | None = None
    stop_seq: int = 0
    fence_seq: int = 0
    """The entry with which its supply came back after it was lost, and it was told to stop once more."""
    outcome: Literal["done", "failed", "stopped", "lost", ""] = ""
    failure: FailureClass | None = None
    last_step: int | None = None
    ended_at: Instant | None = None
    cost_micro_usd: int = 0
    detail: str = ""
    metrics: dict[str, Decimal] = {}
    stood_on: tuple[int, ...] = ()
    """The nodes it had, once it has ended, as `spans`: it is remembered for ever, however large it was."""

    @property
    def chips(self) -> int:
        """Accelerators of the whole gang."""
        return (len(self.nodes) or sum(self.stood_on[1::2])) * self.chips_per_node


class Slot(msgspec.Struct, gc=False):
    """One gang that a workload wants running: the only one of a run, or one replica of a service."""

    status: SlotStatus = "waiting"
    attempt: str = ""
    """The live attempt, or the last one."""
    number: int = 0
    """Attempts made so far."""
    not_before: Instant = Instant(0)
    avoid: tuple[str, ...] = ()
    restarts: int = 0
    recoveries: int = 0
    checkpoint_step: int | None = None


class WorkloadState(msgspec.Struct, gc=False):
    """A workload from its submission on."""

    id: str
    workload: Workload
    seq: int
    at: Instant
    actor: str = ""
    status: WorkloadStatus = "active"
    slots: list[Slot] = []
    replicas: int = 1
    """Slots wanted: 1 for a run; as last scaled for a service."""
    ended_at: Instant | None = None
    cost_micro_usd: int = 0
    """Of its ended attempts."""

    @property
    def ended(self) -> bool:
        """Nothing more will happen to it."""
        return self.status in {"succeeded", "failed", "cancelled"}


class Records(msgspec.Struct):
    """All that a snapshot holds; everything else in the state is derived from it."""

    seq: int = 0
    at: Instant = Instant(0)
    infrastructure: Infrastructure = msgspec.field(default_factory=Infrastructure)
    agreements: tuple[Agreement, ...] = ()
    policy: Policy = Policy()
    world_facts: list[WorldFact] = []
    marks: dict[str, Literal["draining", "lost"]] = {}
    """`provider:azure`, `site:abilene`, `pool:x` to its status; absent means up."""
    drained: dict[str, bool] = {}
    """Of those that are lost: what an operator wants empty, also once it is back."""
    nodes: dict[str, int] = {}
    """Nodes of each pool as last set."""
    counted: dict[str, bool] = {}
    """Pools whose nodes were counted by an engine or operator: the catalog's dates no longer apply."""
    prices: dict[str, int] = {}
    """Micro-USD per chip-hour of each pool as last set; absent: no price known."""
    workloads: dict[str, WorkloadState] = {}
    attempts: dict[str, AttemptState] = {}
    sourcing: SourcingState = msgspec.field(default_factory=SourcingState)
    notices: list[Notify] = []
    """What parties were told last, at most NOTICES_LIMIT: told again after a restart, under the same ids."""
    burned: dict[str, int] = {}
    """Micro-USD used so far under each agreement."""
    causes: dict[str, int] = {}
    """Recent command ids to the last fact each caused: a repeated command is answered, not repeated."""


CAUSES_LIMIT = 100_000
NOTICES_LIMIT = 1_000
"""More than one batch of commands brings: what a crash may have kept from being told is among them."""
