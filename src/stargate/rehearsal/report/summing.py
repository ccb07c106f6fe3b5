"""The collector's counts as a summary: units for people, shares, levels over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from stargate.base.money import MICRO_PER_USD
from stargate.base.time import HOUR, SECOND, Instant
from stargate.rehearsal.report.capacity import Stand
from stargate.rehearsal.report.energy import Watts, energy_mwh, watts
from stargate.rehearsal.report.progress import Progress
from stargate.rehearsal.report.spread import spread
from stargate.rehearsal.report.summary import (
    Agreement,
    ChipTime,
    Course,
    Identity,
    Place,
    Summary,
    Team,
    Work,
)

if TYPE_CHECKING:
    from stargate.rehearsal.report.collector import Collector

PLACES = 6
"""Decimal places of what is not an integer."""
_SCOPES: dict[str, Callable[[Stand], str]] = {
    "provider": lambda stand: stand.pool.provider,
    "site": lambda stand: stand.pool.site,
    "pool": lambda stand: stand.pool.id,
}


def summed(collector: Collector, identity: Identity, ends: Instant) -> Summary:
    """Everything that was collected; `finish` has settled it."""
    progress, stands = collector.progress, collector.capacity.stands
    power = {
        name: watts(collector.capacity.infrastructure, stand.pool, collector.draws)
        for name, stand in stands.items()
    }
    places = {scope: _places(stands.values(), power, progress, key) for scope, key in _SCOPES.items()}
    providers = places["provider"]
    used = progress.used_chip_us / HOUR
    return Summary(
        identity=identity,
        begins=collector.begins,
        ends=ends,
        facts=dict(sorted(collector.facts.items())),
        work=_work(progress),
        chip_time=_chip_time(collector),
        providers=providers,
        sites=places["site"],
        pools=places["pool"],
        teams=_teams(progress),
        sizes=progress.sizes.figures(),
        owed_micro_usd=sum(place.owed_micro_usd for place in providers),
        metered_micro_usd=sum(place.metered_micro_usd for place in providers),
        paid_micro_usd=sum(place.paid_micro_usd for place in providers),
        energy_mwh=_round(sum(place.energy_mwh for place in providers)),
        largest_provider_share=_share(max((place.used_chip_hours for place in providers), default=0.0), used),
        agreements=_agreements(collector),
        rights=collector.rights.figures(),
        deals=tuple(collector.rights.deals),
        happenings=tuple(collector.capacity.happenings),
        happened=collector.capacity.happened,
        course=_course(collector, power, ends),
    )


def _work(progress: Progress) -> Work:
    outcomes = progress.outcomes
    return Work(
        submitted=progress.submitted,
        succeeded=outcomes["succeeded"],
        failed=outcomes["failed"],
        cancelled=outcomes["cancelled"],
        unfinished=outcomes["unfinished"],
        wait_seconds=spread(progress.waits, SECOND),
        completion_seconds=spread(progress.completions, SECOND),
        bounded_slowdown=spread(progress.slowdowns),
        deadlines_met=progress.met,
        deadlines_missed=progress.missed,
        stops=dict(sorted(progress.stops.items())),
        failures=dict(sorted(progress.failures.items())),
        recoveries=progress.recoveries,
        restarts=progress.restarts,
    )


def _chip_time(collector: Collector) -> ChipTime:
    progress, stands = collector.progress, collector.capacity.stands.values()
    held = sum(stand.held.whole for stand in stands)
    return ChipTime(
        held_chip_hours=_hours(held),
        used_chip_hours=_hours(progress.used_chip_us),
        useful_chip_hours=_hours(progress.useful_chip_us),
        discarded_chip_hours=_hours(progress.discarded_chip_us),
        saving_chip_hours=_hours(progress.saving_chip_us),
        redone_chip_hours=_hours(progress.redone_chip_us),
        overhead_chip_hours=_hours(progress.overhead_chip_us),
        down_chip_hours=_hours(sum(stand.down.whole for stand in stands)),
        stranded_chip_hours=_hours(collector.stranded.whole),
        fragmented_chip_hours=_hours(collector.fragmented.whole),
        utilisation=_share(progress.used_chip_us, held),
        goodput=_share(progress.useful_chip_us, progress.used_chip_us),
    )


def _places(
    stands: Iterable[Stand], power: Mapping[str, Watts], progress: Progress, key: Callable[[Stand], str]
) -> tuple[Place, ...]:
    groups: dict[str, list[Stand]] = {}
    for stand in stands:
        groups.setdefault(key(stand), []).append(stand)
    found = []
    for name, group in sorted(groups.items()):
        held, used, down = (
            sum(getattr(stand, level).whole for stand in group) for level in ("held", "used", "down")
        )
        ids = [stand.pool.id for stand in group]
        energy = sum(
            energy_mwh(power[stand.pool.id], stand.held.whole, stand.used.whole, stand.down.whole)
            for stand in group
        )
        found.append(
            Place(
                id=name,
                held_chip_hours=_hours(held),
                used_chip_hours=_hours(used),
                down_chip_hours=_hours(down),
                utilisation=_share(used, held),
                owed_micro_usd=sum(stand.owed_micro_usd for stand in group),
                metered_micro_usd=sum(progress.metered[pool] for pool in ids),
                paid_micro_usd=sum(stand.owed_micro_usd + stand.by_use_micro_usd for stand in group),
                energy_mwh=_round(energy),
                failures=sum(progress.broken[pool] for pool in ids),
            )
        )
    return tuple(found)


def _teams(progress: Progress) -> tuple[Team, ...]:
    return tuple(
        Team(
            id=name,
            workloads=team.workloads,
            used_chip_hours=_hours(team.used_chip_us),
            useful_chip_hours=_hours(team.useful_chip_us),
            metered_micro_usd=team.metered_micro_usd,
            average_wait_seconds=_round(team.waited_us / max(1, team.waits) / SECOND),
            preemptions=team.preemptions,
        )
        for name, team in sorted(progress.teams.items())
    )


def _agreements(collector: Collector) -> tuple[Agreement, ...]:
    clauses = collector.bindings.figures()
    return tuple(
        Agreement(
            id=name,
            committed_micro_usd=collector.committed.get(name, 0),
            burned_micro_usd=collector.burned[name].whole if name in collector.burned else 0,
            clauses=clauses.get(name, ()),
        )
        for name in sorted(clauses.keys() | collector.burned.keys() | collector.committed.keys())
    )


def _course(collector: Collector, power: Mapping[str, Watts], ends: Instant) -> Course:
    grid, stands = collector.grid, collector.capacity.stands
    grid.reach(ends)
    parts = grid.parts(ends)
    last = ends - grid.begins - (parts - 1) * grid.part_us
    lengths = [grid.part_us] * (parts - 1) + [last] if parts else []
    held = {name: stand.held.amounts(ends) for name, stand in stands.items()}
    used = {name: stand.used.amounts(ends) for name, stand in stands.items()}
    down = {name: stand.down.amounts(ends) for name, stand in stands.items()}

    def levels(amounts: Sequence[float]) -> tuple[float, ...]:
        return tuple([_round(amount / length) for amount, length in zip(amounts, lengths, strict=True)])

    def together(amounts: Mapping[str, Sequence[int]], names: Iterable[str]) -> list[int]:
        return [sum(column) for column in zip(*(amounts[name] for name in names), strict=True)] or [0] * parts

    def by(scope: str, amounts: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
        return {group: together(amounts, names) for group, names in _grouped(stands, scope).items()}

    drawn = {
        site: [
            sum(
                energy_mwh(power[name], held[name][part], used[name][part], down[name][part])
                for name in pools
            )
            * HOUR
            for part in range(parts)
        ]
        for site, pools in _grouped(stands, "site").items()
    }
    providers, total = by("provider", used), together(used, stands)
    largest = [max((used_by[part] for used_by in providers.values()), default=0) for part in range(parts)]
    return Course(
        part_seconds=grid.part_us / SECOND,
        begins=grid.begins,
        whole={
            "held_chips": levels(together(held, stands)),
            "used_chips": levels(total),
            "down_chips": levels(together(down, stands)),
            "stranded_chips": levels(collector.stranded.amounts(ends)),
            "fragmented_chips": levels(collector.fragmented.amounts(ends)),
            "waiting_slots": levels(collector.waiting.amounts(ends)),
            "power_mw": levels(
                [sum(column) for column in zip(*drawn.values(), strict=True)] or [0.0] * parts
            ),
            "largest_provider_share": tuple([_share(*pair) for pair in zip(largest, total, strict=True)]),
        },
        used_chips={
            scope: {name: levels(amounts) for name, amounts in by(scope, used).items()} for scope in _SCOPES
        },
        held_chips={
            scope: {name: levels(amounts) for name, amounts in by(scope, held).items()} for scope in _SCOPES
        },
        burned_usd={
            name: tuple([_round(spent / MICRO_PER_USD) for spent in accumulate(burned.amounts(ends))])
            for name, burned in sorted(collector.burned.items())
        },
        power_mw={site: levels(amounts) for site, amounts in drawn.items()},
        bindings={
            name: tuple(bound.over_time.amounts(ends))
            for name, bound in sorted(collector.bindings.bound.items())
        },
    )


def _grouped(stands: Mapping[str, Stand], scope: str) -> dict[str, list[str]]:
    """Pools by provider, site or themselves."""
    groups: dict[str, list[str]] = {}
    for name, stand in stands.items():
        groups.setdefault(_SCOPES[scope](stand), []).append(name)
    return dict(sorted(groups.items()))


def _hours(chip_us: int) -> float:
    return _round(chip_us / HOUR)


def _share(part: float, whole: float) -> float:
    return _round(part / whole) if whole else 0.0


def _round(value: float) -> float:
    return round(value, PLACES)
