"""The contract of every execution engine.

An engine runs attempts (gangs of processes, one per node) on the pools of its kind and says what it
learns. Calls ask; answers come as `Report` and `MarkSupply` through `say`, given at construction.

An attempt as an engine sees it::

    start ──► accepted ──► running ──► checkpointed* ──► done       every rank exited with 0
                 │            │              │      ├──► failed     with whose fault it was
                 └────────────┴── stop ──────┴──────┴──► stopped    asked to, and nothing of it is left

- `accepted` is durable: from here on the attempt never starts a second time, whatever crashes.
- `running` may come twice: when all ranks run, and again with `step` once the program has told its
  first step. `checkpointed` comes when the program has saved more than before; at most once a second.
- Exactly one of `done`, `failed`, `stopped` is an attempt's outcome. It never changes, and after it nothing of
  the attempt is running. Reports may repeat (after a reconnection, a second `start` or `stop`), in order.
- An attempt that the engine never heard of is already stopped: `stop` says so, and a `start` of it that
  arrives later does not run.

Failure classes of `failed`:

| class | when |
|---|---|
| `no_capacity` | it could not be started at all: no node, no agent to start it |
| `preempted` | the provider took it away in good order |
| `infrastructure` | killed by a signal that nobody here sent, its node or provider was lost, superseded |
| `user` | the program (or its set-up) exited with a code other than 0, or passed its time limit |

A provider that an engine loses sight of is `MarkSupply(provider, lost)`, and `up` when it is back. `lost` comes
before the failures of its attempts, so nobody is tempted to restart them there. A silent provider may still
be running its attempts: `number`, the fencing epoch, keeps them from writing checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol, runtime_checkable

import msgspec

from stargate.broker.command import MarkSupply, Report
from stargate.broker.effect import CheckpointAttempt, StartAttempt, StopAttempt

Say = Callable[[Report | MarkSupply], None]
"""Takes what an engine learned. Called on the engine's event loop; must not block."""

LOG_PAGE_LIMIT = 1 << 20
"""The most bytes that one call of `logs` returns."""


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a program says it is. For views only: never journalled, and as honest as the program."""

    first_step: int | None = None
    """The first step of this attempt: one more than the checkpoint it began from."""
    step: int | None = None
    """The last step finished."""
    total_steps: int | None = None
    checkpoint_step: int | None = None
    """The last step that is safe."""
    loss: Decimal | None = None
    done: bool = False
    metrics: dict[str, Decimal] = {}
    """Further figures of the program."""
    address: str = ""
    """`host:port` of the first rank of a service."""


class LogPage(msgspec.Struct, frozen=True):
    """A piece of a log."""

    data: bytes
    next_offset: int
    """Where to read on; equal to the offset asked for when there is nothing new."""


@runtime_checkable
class Engine(Protocol):
    """One kind of execution engine, serving many pools."""

    async def open(self) -> None:
        """Connect, and report on everything that still runs or ended recently. Raises EngineError."""

    async def start(self, effect: StartAttempt) -> None:
        """Run an attempt, once ever. Returns when that is durable or has failed; both are reported."""

    async def stop(self, effect: StopAttempt) -> None:
        """Ask an attempt to end within its grace, then end it. Reported when nothing of it is left."""

    async def checkpoint(self, effect: CheckpointAttempt) -> None:
        """Pass on the wish that the program saves its state now."""

    async def logs(self, attempt: str, rank: int | None, offset: int, limit: int) -> LogPage:
        """Output of one rank, or of all in one with rank None, from a byte offset. Raises NotFoundError."""

    def progress(self, attempt: str) -> Progress | None:
        """What the program last said, also after its end; None if it said nothing."""

    async def close(self) -> None:
        """Let go. What runs goes on running."""
