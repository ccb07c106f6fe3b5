"""Effects are requests to the outside. Each is idempotent under its id and may be emitted again after a crash."""

from __future__ import annotations

import msgspec

from stargate.base.time import Duration, Instant
from stargate.workloads import Layout, Workload


class StartAttempt(msgspec.Struct, frozen=True, tag="start_attempt", gc=False):
    """Start a gang of `nodes` x `chips_per_node` on a pool. Engines deduplicate by `attempt`."""

    id: str
    """(fact seq).(n)."""
    attempt: str
    workload_id: str
    number: int
    """Fencing epoch: 1 for the first attempt of the slot, then rising. A lower one may no longer write."""
    slot: int
    """0 for a run; the replica of a service."""
    provider: str
    pool: str
    nodes: tuple[int, ...]
    """Node indexes inside the pool, one rank each."""
    chips_per_node: int
    workload: Workload
    layout: Layout | None = None
    """How to cut the work over these chips, where it was sized."""


class StopAttempt(msgspec.Struct, frozen=True, tag="stop_attempt", gc=False):
    """Stop gracefully (SIGTERM, time to checkpoint), then by force. Unknown attempts are already stopped."""

    id: str
    attempt: str
    pool: str
    grace: Duration
    reason: str


class CheckpointAttempt(msgspec.Struct, frozen=True, tag="checkpoint_attempt"):
    """Ask the program to save its state now."""

    id: str
    attempt: str
    pool: str


class Notify(msgspec.Struct, frozen=True, tag="notify"):
    """Tell a party: an offer awaits its answer, a deal was signed, a delivery is late.

    Told again after a restart, however often: receivers deduplicate by `id`.
    """

    id: str
    party: str
    subject: str
    """What it is about: an offer's, need's or lease's id."""
    message: str
    due: Instant | None = None


Effect = StartAttempt | StopAttempt | CheckpointAttempt | Notify
