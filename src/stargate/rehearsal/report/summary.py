"""The summary of a rehearsal: what people and programs read of it. JSON by `base.wire`."""

from __future__ import annotations

from typing import Literal

import msgspec

from stargate.base.time import Instant
from stargate.rehearsal.report.spread import Spread

Scope = Literal["provider", "site", "pool"]
HAPPENINGS_LIMIT = 1_000
"""Events of capacity that are told one by one; the rest is counted."""


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was rehearsed: enough to do it again and to know that it was the same."""

    title: str = ""
    policy: str = ""
    seed: int = 0
    input_digest: str = ""
    state_digest: str = ""
    commit: str = ""
    dated: bool = True
    """Its dates mean something; False: time is told from the beginning on, as in a trace."""
    overrides: dict[str, str] = {}
    """Parameters that differ from the scenario's."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the workloads."""

    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    unfinished: int
    wait_seconds: Spread
    """From submission to the first gang, of all that got one."""
    completion_seconds: Spread
    """From submission to the end (JCT), of runs that succeeded."""
    bounded_slowdown: Spread
    """Completion over the time whose work was kept, of the same; `figures.bounded_slowdown` says more."""
    deadlines_met: int
    deadlines_missed: int
    """Of what succeeded or failed later than it was wanted, or has not ended; not of what failed before."""
    stops: dict[str, int]
    """Attempts that were asked to stop, by reason: `preempted`, `migrated` and others."""
    failures: dict[str, int]
    """Attempts that ended by themselves, by whose fault it was."""
    recoveries: int
    restarts: int


class ChipTime(msgspec.Struct, frozen=True, kw_only=True):
    """Where the chip-hours went. `used` = `useful` + `discarded` + `saving` + `redone` + `overhead`."""

    held_chip_hours: float
    """Owned, reserved, on demand and leased, up or not."""
    used_chip_hours: float
    """Under attempts, from placement to end."""
    useful_chip_hours: float
    """Work that was kept: of what succeeded, still runs, or served."""
    discarded_chip_hours: float
    """Work of runs that failed or were cancelled in the end."""
    saving_chip_hours: float
    """Work stood still while a checkpoint was saved; 0 where nobody knows how long that takes."""
    redone_chip_hours: float
    """Work since the last checkpoint, lost when an attempt ended and another had to do it again."""
    overhead_chip_hours: float
    """Chips held while a program started or stopped."""
    down_chip_hours: float
    """Held, and lost to an outage."""
    stranded_chip_hours: float
    """Free where the first in line may run, while it waited (looked at now and then: see `Collector`)."""
    fragmented_chip_hours: float
    """Of these, when they would have been enough for it, had they stood together."""
    utilisation: float
    """`used` of `held`."""
    goodput: float
    """`useful` of `used`."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, site or pool."""

    id: str
    held_chip_hours: float
    used_chip_hours: float
    down_chip_hours: float
    utilisation: float
    owed_micro_usd: int
    """For what is reserved or leased, used or not."""
    metered_micro_usd: int
    """For attempts, at the price they were placed at."""
    paid_micro_usd: int
    """What it costs: what is owed, and of what is metered that which is on demand."""
    energy_mwh: float
    failures: int
    """Attempts that failed or were lost, but for the fault of their own program."""


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A team's part."""

    id: str
    workloads: int
    used_chip_hours: float
    useful_chip_hours: float
    metered_micro_usd: int
    average_wait_seconds: float
    preemptions: int


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Runs whose gangs are of about one size. `used` = `worked` + `saving` + `redone` + `overhead`."""

    most_chips: int | None
    """Of a gang, and more than the class before has; None: all that are larger."""
    workloads: int
    wait_seconds: Spread
    used_chip_hours: float
    worked_chip_hours: float
    """Work that no later attempt did again, whatever became of its run."""
    saving_chip_hours: float
    redone_chip_hours: float
    overhead_chip_hours: float
    interruptions: int
    """Attempts that failed or were lost, but for the fault of their own program."""
    effective: float
    """`worked` of `used`."""


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """A clause that decisions rested on."""

    id: str
    """`agreement/clause`."""
    decisions: dict[str, int]
    """Kinds of facts whose grounds cite it, with their number."""
    first: Instant
    last: Instant
    says: str
    """The first ground that cited it."""


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Spend under an agreement, and when its clauses bound."""

    id: str
    committed_micro_usd: int
    """The most that was committed at any time."""
    burned_micro_usd: int
    clauses: tuple[Clause, ...]


class Refusals(msgspec.Struct, frozen=True, kw_only=True):
    """What a holder of a right of first refusal was asked, and what it said."""

    clause: str
    holder: str
    offers: int
    outcomes: dict[str, int]
    """Accepted, declined, lapsed and so on; `open`: not answered by the end."""
    offered_chips: int
    taken_chips: int
    leases: int
    average_answer_seconds: float
    """From the offer to its end."""


class Deal(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that was signed."""

    id: str
    at: Instant
    provider: str
    pool: str
    chips: int
    price_micro_usd_per_chip_hour: int
    start: Instant
    until: Instant
    agreement: str
    clause: str
    """The right that was exercised; empty: of the market."""
    says: str


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """Capacity changed."""

    at: Instant
    kind: str
    """The kind of fact."""
    subject: str
    says: str


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Levels over time: for each of equal parts of the run its average."""

    part_seconds: float
    begins: Instant
    whole: dict[str, tuple[float, ...]]
    """`held_chips`, `used_chips`, `down_chips`, `stranded_chips`, `fragmented_chips`, `waiting_slots`, `power_mw`,
    `largest_provider_share` (of the chips in use)."""
    used_chips: dict[str, dict[str, tuple[float, ...]]]
    """By `provider`, `site` and `pool`, then by id."""
    held_chips: dict[str, dict[str, tuple[float, ...]]]
    burned_usd: dict[str, tuple[float, ...]]
    """By agreement, up to the end of each part."""
    power_mw: dict[str, tuple[float, ...]]
    """By site."""
    bindings: dict[str, tuple[int, ...]]
    """By clause: decisions that cited it in each part."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a report says."""

    identity: Identity
    begins: Instant
    ends: Instant
    facts: dict[str, int]
    """Number of facts by kind."""
    work: Work
    chip_time: ChipTime
    providers: tuple[Place, ...]
    sites: tuple[Place, ...]
    pools: tuple[Place, ...]
    teams: tuple[Team, ...]
    sizes: tuple[Size, ...]
    owed_micro_usd: int
    metered_micro_usd: int
    paid_micro_usd: int
    energy_mwh: float
    largest_provider_share: float
    """Of the chip-hours used."""
    agreements: tuple[Agreement, ...]
    rights: tuple[Refusals, ...]
    deals: tuple[Deal, ...]
    happenings: tuple[Happening, ...]
    """The first HAPPENINGS_LIMIT."""
    happened: int
    """All of them."""
    course: Course
