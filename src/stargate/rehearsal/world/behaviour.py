"""How engines behave: how long starts take, how often they are refused, what a checkpoint costs, what breaks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stargate.base.time import HOUR, SECOND, Duration
from stargate.catalog import Pool
from stargate.catalog.dated import Id
from stargate.performance.runs.failures import interruptions_per_chip_hour
from stargate.rehearsal.draw import AT_ONCE, Chance, Delay

Names = Annotated[tuple[Id, ...], Meta(max_length=10_000)]


class Failures(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Infrastructure that breaks under a running gang: exponential in its chip-hours."""

    rate: Literal["published", "none"] = "none"
    """`published`: by kind of chip, as `stargate.performance.runs.failures` has it from reports."""
    chip_hours_between: Annotated[float, Meta(gt=0)] | None = None
    """Instead: so many chip-hours between two."""
    times: Annotated[float, Meta(ge=0, le=1_000_000)] = 1.0
    """Every rate times this."""

    def __post_init__(self) -> None:
        if self.rate == "published" and self.chip_hours_between is not None:
            raise ValueError("rate and chip_hours_between say the same thing; give one of them")

    def rate_per_chip_hour(self, chip: str) -> float:
        """Failures of a run for each hour of one of its chips."""
        if self.chip_hours_between is not None:
            return self.times / self.chip_hours_between
        return self.times * _published(chip) if self.rate == "published" else 0.0


@cache
def _published(chip: str) -> float:
    return interruptions_per_chip_hour(chip).point


class Saving(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Checkpoints."""

    interval: Duration | None = None
    """Of work between two; not given: the workload's own."""
    stall: Duration = Duration(0)
    """For which each stops the work."""
    on_stop: Duration = Duration(0)
    """Time to save when asked to stop; more than the grace, and nothing is saved."""
    reported_every: Duration = Duration(1 * HOUR)
    """The broker hears of one so often at most; 0: only before an end."""


class Reports(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What becomes of reports on their way. None is lost: engines repeat them until they are heard."""

    late: Chance = 0.0
    late_by: Delay = AT_ONCE
    repeated: Chance = 0.0
    """Said once more, `late_by` after the first time."""


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Engines of some pools. All names that are given have to fit; none: every pool."""

    providers: Names = ()
    sites: Names = ()
    pools: Names = ()
    accept: Delay = AT_ONCE
    """Until the engine has a start."""
    start: Delay = AT_ONCE
    """From then until the program runs (or a replica is ready): images, weights, checkpoint read back."""
    refused: Chance = 0.0
    """A start is refused: no capacity after all."""
    stretch: Annotated[float, Meta(gt=0, le=1_000)] = 1.0
    """All work takes this many times as long here."""
    failures: Failures = Failures()
    saving: Saving = Saving()
    reports: Reports = Reports()

    def fits(self, pool: Pool) -> bool:
        """Whether it speaks of a pool."""
        return all(
            not names or name in names
            for names, name in (
                (self.providers, pool.provider),
                (self.sites, pool.site),
                (self.pools, pool.id),
            )
        )

    def failures_per_us(self, chip: str, chips: int) -> float:
        """Rate at which a gang of so many chips is interrupted."""
        return self.failures.rate_per_chip_hour(chip) * chips / HOUR


Behaviours = Mapping[str, tuple[Behaviour, str]]
"""By pool: the behaviour of its engine, and its chip."""

STEP = SECOND
"""Progress is told to the broker in steps of one second of work."""
