"""What if: changes to what was declared, before or during a rehearsal.

Campuses that slip by months or are dropped, announced capacity that comes, agreements that are signed or end,
facts that become known. What a party answers is not here: see `parties` of a scenario.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from stargate.agreements import Agreement, WorldFact
from stargate.base.errors import Problem
from stargate.base.faults import did_you_mean
from stargate.base.time import DAY, Instant
from stargate.catalog import Infrastructure, Pool, Site
from stargate.catalog.dated import DatedCount, DatedPower, Id

Names = Annotated[tuple[Id, ...], Meta(max_length=10_000)]
StepT = TypeVar("StepT", DatedCount, DatedPower)


class _Change(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do", kw_only=True
):
    """The pools, and all pools of the sites, that it is about."""

    pools: Names = ()
    sites: Names = ()

    def fits(self, pool: Pool) -> bool:
        """Whether it is about a pool."""
        return pool.id in self.pools or pool.site in self.sites


class Slip(_Change, frozen=True, tag="slip", kw_only=True):
    """Everything that would come after the start of the rehearsal comes so many months later."""

    months: Annotated[int, Meta(ge=1, le=600)]


class Drop(_Change, frozen=True, tag="drop", kw_only=True):
    """What would come after a date does not come at all."""

    after: Instant | None = None
    """Not given: the start of the rehearsal."""


class Realise(_Change, frozen=True, tag="realise", kw_only=True):
    """What is announced with a date comes at that date, and counts as operational from then on."""


class Sign(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do", tag="sign"
):
    """Agreements come into the book, in place of any of the same id."""

    agreements: Annotated[tuple[str, ...], Meta(min_length=1, max_length=1_000)]
    """Files and folders, beside the scenario."""
    at: Instant | None = None
    """Not given: the start."""


class End(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do", tag="end"
):
    """Agreements are taken out of the book."""

    agreements: Names
    at: Instant | None = None


class Learn(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do", tag="fact"
):
    """A fact of the world becomes known."""

    fact: WorldFact
    at: Instant | None = None


Change = Slip | Drop | Realise | Sign | End | Learn


def problems(
    changes: tuple[Change, ...], infrastructure: Infrastructure, agreements: tuple[Agreement, ...]
) -> tuple[Problem, ...]:
    """Names that lead nowhere; each with its path below `changes`."""
    signed = {agreement.id: agreement for agreement in agreements}
    found: list[Problem] = []
    lists: list[tuple[str, str, tuple[str, ...], Collection[str]]]
    for place, change in enumerate(changes):
        if isinstance(change, End):
            lists = [("agreements", "agreement", change.agreements, signed)]
        elif isinstance(change, Slip | Drop | Realise):
            lists = [
                ("pools", "pool", change.pools, infrastructure.pools_by_id),
                ("sites", "site", change.sites, infrastructure.sites_by_id),
            ]
            if not change.pools and not change.sites:
                message = "the change is about nothing"
                found.append(Problem(message, "Name pools or sites.", path=f"changes[{place}]"))
        else:
            continue
        found += [
            Problem(f"there is no {kind} {id!r}", did_you_mean(id, known), path=f"changes[{place}].{field}")
            for field, kind, ids, known in lists
            for id in ids
            if id not in known
        ]
    return tuple(found)


def changed(infrastructure: Infrastructure, changes: tuple[Change, ...], start: Instant) -> Infrastructure:
    """The infrastructure with its dates moved, dropped or come true, in the order of the changes."""
    for change in changes:
        if isinstance(change, Slip | Drop | Realise):
            infrastructure = _applied(infrastructure, change, start)
    return infrastructure


def _applied(infrastructure: Infrastructure, change: Slip | Drop | Realise, start: Instant) -> Infrastructure:
    pools = tuple(
        msgspec.structs.replace(pool, nodes=_series(pool.nodes, change, start)) if change.fits(pool) else pool
        for pool in infrastructure.pools
    )
    sites = tuple(_sited(site, change, start) for site in infrastructure.sites)
    return msgspec.structs.replace(infrastructure, pools=pools, sites=sites)


def _sited(site: Site, change: Slip | Drop | Realise, start: Instant) -> Site:
    if site.id not in change.sites:
        return site
    return msgspec.structs.replace(site, power=_series(site.power, change, start))


def _series(steps: tuple[StepT, ...], change: Slip | Drop | Realise, start: Instant) -> tuple[StepT, ...]:
    """Each step in its turn; what has begun by the start stays as it is."""
    after = start if not isinstance(change, Drop) or change.after is None else change.after
    found: list[StepT] = []
    for step in steps:
        begins: Instant | None = step.from_
        if begins is None or (begins <= after and not isinstance(change, Realise)):
            found.append(step)
        elif isinstance(change, Slip):
            found.append(msgspec.structs.replace(step, from_=months_later(begins, change.months)))
        elif isinstance(change, Realise):
            found.append(msgspec.structs.replace(step, status="operational"))
    return tuple(found)


def months_later(at: Instant, months: int) -> Instant:
    """The same day and time so many months later; the last of the month where it has no such day."""
    moment = at.datetime()
    years, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + years, month + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    first = Instant.of(moment.replace(year=year, month=month, day=1))
    return first.plus((day - 1) * DAY)
