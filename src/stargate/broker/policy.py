"""How to decide where agreements leave the choice: teams and quotas, independence, recovery, sourcing."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from stargate.base.time import DAY, HOUR, MINUTE, SECOND, Duration


class Team(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A team's share. Words as in Kueue: nominal quota, and how much of others' idle quota it may borrow."""

    id: str
    nominal_chips: int
    borrowing_limit_chips: int | None = None
    """None: as much as others leave idle."""

    def __post_init__(self) -> None:
        if self.nominal_chips < 0 or (self.borrowing_limit_chips or 0) < 0:
            raise ValueError("a quota is zero or more chips")


class Recovery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How often and how fast lost work is tried again."""

    backoff: Duration = Duration(1 * SECOND)
    """Wait before the second try; doubles with each further one."""
    backoff_max: Duration = Duration(5 * MINUTE)
    stop_grace: Duration = Duration(30 * SECOND)
    """Time a program has to save its state when it is asked to stop."""


class Migration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When a running job moves to cheaper capacity."""

    enabled: bool = True
    min_saving_usd: Decimal = Decimal(1)
    """Least saving over the job's remaining time, after the cost of the move."""
    restart: Duration = Duration(5 * MINUTE)
    """Time during which a moving job holds chips without progress."""
    lease_end_notice: Duration = Duration(10 * MINUTE)
    """How long before the end of a lease its jobs are moved."""


class Sizing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How stated work (tokens, traffic) becomes a number of chips."""

    longest: Duration = Duration(90 * DAY)
    """A run without a deadline or a time limit gets the cheapest size that is done within this."""

    def __post_init__(self) -> None:
        if self.longest <= 0:
            raise ValueError("longest leaves no time to run; write a duration such as 30d")


class SourcingPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How missing capacity is bought."""

    automatic: bool = True
    """Open a sourcing when held capacity cannot serve a workload in time."""
    market_window: Duration = Duration(0)
    """How long quotes are collected; 0: decide as soon as one fits."""
    need_duration: Duration = Duration(1 * DAY)
    """Term asked for where a workload has no time limit."""
    start_within: Duration = Duration(1 * HOUR)
    """Latest start asked for where a workload has no deadline."""
    capital_cost_fraction_per_year: Decimal = Decimal("0.10")
    """What a prepayment costs."""
    delay_cost_fraction_per_day: Decimal = Decimal("0.05")
    """What a day of later start is worth, as a fraction of the deal."""
    preferred_providers: tuple[str, ...] = ()
    """Break ties in this order."""
    manual_award: bool = False
    """Quotes are scored, and a person awards."""
    max_parts: int = 8
    """Into how many deals a need may be split, where its topology allows it."""
    notice: Literal["on_issue", "on_acknowledgement"] = "on_issue"
    """When a holder has received an offer: as soon as it is made, or when it says so."""
    delivery_grace: Duration = Duration(1 * DAY)
    """How late a third party may deliver before its deal has failed; holders have what their clause says."""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole policy; the `policy:` document."""

    lab: str = ""
    """The party on whose behalf everything is placed and bought."""
    teams: tuple[Team, ...] = ()
    """Empty: no quotas. Otherwise every workload names one of these."""
    max_provider_share: Decimal | None = None
    """Independence: the largest part of all chips in use that one provider may hold, 0 to 1."""
    order: Literal["priority", "fifo", "sjf", "srtf"] = "priority"
    """Who is next: higher priority; who came first; the shortest expected run; the least left to run, which also
    takes the place of what has more left. All but the first leave priority aside."""
    backfill: Literal["easy", "none"] = "easy"
    """What may start behind the first that is blocked: work that cannot delay it, or nothing."""
    preemption: bool = True
    backfill_depth: int = 1_000
    """How many waiting slots behind the first blocked one are tried in a pass."""
    expected_run: Duration = Duration(1 * DAY)
    """Run time assumed where a workload states none."""
    max_workloads: int = 1_000_000
    """Workloads that have not ended; more are refused."""
    recovery: Recovery = Recovery()
    migration: Migration = Migration()
    sourcing: SourcingPolicy = SourcingPolicy()
    sizing: Sizing = Sizing()

    def __post_init__(self) -> None:
        share = self.max_provider_share
        if share is not None and not 0 < share <= 1:
            raise ValueError("max_provider_share is a fraction above 0, at most 1")
        names = [team.id for team in self.teams]
        if len(set(names)) != len(names):
            raise ValueError("a team is declared twice")
