"""What is asked of the performance model, and what it answers: the only door between it and the broker."""

from __future__ import annotations

from typing import Protocol

import msgspec

from stargate.broker.sizing.asked import Serve, Train
from stargate.performance.device import Device
from stargate.performance.estimate import DoesNotFit, Range
from stargate.workloads import Layout


class RunEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run on so many chips, in its best layout."""

    seconds: Range
    """From start to end, failures and checkpoints included."""
    energy_kwh: float
    """At the meter; 0 where the chip's power is not known."""
    memory_bytes: float
    """Per chip, of the chip that needs most."""
    memory_available_bytes: float
    binds: str
    """The term that takes most of the time."""
    layout: Layout
    lent_by: str = ""
    """The chip whose constants stand in, as there are no measurements of this one; empty: there are."""


class ServiceEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """One replica on so many chips, and how many of them carry the traffic."""

    replicas: int
    ttft_seconds: Range | None
    """At the load that each replica then has, of the asked percentile; None: not known."""
    tpot_seconds: Range | None
    energy_kwh_per_hour: float
    """Of all replicas."""
    memory_bytes: float
    memory_available_bytes: float
    binds: str
    layout: Layout
    lent_by: str = ""
    """As of a run."""


class TooSlow(msgspec.Struct, frozen=True, kw_only=True):
    """A replica that misses a bound even when it is nearly idle: more replicas do not help. An answer, no failure."""

    what: str
    """`ttft` or `tpot`."""
    seconds: float
    """What it takes at least."""
    bound_seconds: float

    def __str__(self) -> str:
        return (
            f"its {self.what} is {self.seconds * 1e3:.0f} ms at the least, where {self.bound_seconds * 1e3:.0f} ms "
            f"are asked: {(self.seconds - self.bound_seconds) * 1e3:.0f} ms too much"
        )


class NoLayout(msgspec.Struct, frozen=True, kw_only=True):
    """No way to cut the work over so many chips keeps what is settled already. An answer, no failure."""

    says: str

    def __str__(self) -> str:
        return self.says


RunAnswer = RunEstimate | DoesNotFit | NoLayout
ServiceAnswer = ServiceEstimate | DoesNotFit | TooSlow | NoLayout


class Estimator(Protocol):
    """Pure: the same question gets the same answer."""

    def least_chips(self, work: Train, device: Device, seconds: float) -> int:
        """Fewer cannot do the run in this time, or hold it, whatever the layout. Cheap: it saves questions."""
        ...

    def train(self, work: Train, device: Device, chips: int) -> RunAnswer:
        """The run on so many chips."""
        ...

    def serve(self, work: Serve, device: Device, chips: int) -> ServiceAnswer:
        """Replicas of so many chips each."""
        ...
