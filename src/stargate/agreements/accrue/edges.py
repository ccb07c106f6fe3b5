"""Instants at which money counts use apart: before one and from it on, other terms may hold."""

from __future__ import annotations

from collections.abc import Iterator

from stargate.agreements.accrue.commitment import runs
from stargate.agreements.accrue.deadline import deadlines
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Commitment, Price, RevenueShare, ServiceLevel
from stargate.agreements.period import add_months, calendar_parts, months_between
from stargate.agreements.version import Version
from stargate.base.time import Instant


def edges(timeline: Timeline) -> tuple[Instant, ...]:
    """Where a period is cut, in order, its start included: use that is summed between two of them counts as one.

    Clauses come into force and rest there, intervals of commitments and caps end, prices move, exceptions begin.
    """
    period = timeline.period
    found = {stretch.period.start for stretch in timeline.stretches}
    for version in timeline.book.chart.versions:
        if timeline.spans(version):
            found.update(at for at in _of(timeline, version) if period.holds(at))
    return tuple(sorted(found))


def _of(timeline: Timeline, version: Version) -> Iterator[Instant]:
    clause, firing, home = version.clause, timeline.last.firing, version.home.id
    moments = [moment for carve in clause.exceptions for moment in (carve.from_, carve.until)]
    if isinstance(clause, RevenueShare):
        moments.append(clause.accrue_until)
        if clause.cap_period_usd is not None:
            yield from (part.start for part in calendar_parts(timeline.period, clause.cap_interval))
    elif isinstance(clause, Price):
        yield from _of_price(timeline, version, clause)
    elif isinstance(clause, Commitment):
        for run in runs(version, timeline.last):
            yield run.start
            for deadline in deadlines(clause, run, timeline.period):
                yield from (deadline.over.start, deadline.over.end)
    elif isinstance(clause, ServiceLevel) and clause.interval in ("Hourly", "Daily", "Weekly"):
        days = "Hourly" if clause.interval == "Hourly" else "Daily"
        yield from (part.start for part in calendar_parts(timeline.period, days))  # type: ignore[arg-type]
    for moment in moments:
        at = None if moment is None else firing.resolve(moment, home)
        if at is not None:
            yield at


def _of_price(timeline: Timeline, version: Version, clause: Price) -> Iterator[Instant]:
    """Prices move with facts, and on anniversaries."""
    for name in (clause.most_favoured_fact, "" if clause.index is None else clause.index.fact):
        known = timeline.world.believed(name, timeline.last.horizon) if name else ()
        yield from (fact.valid_from for fact in known)
    if clause.tiers:
        yield from (part.start for part in calendar_parts(timeline.period, clause.tier_interval))
    if clause.escalator:
        start = timeline.last.start(version)
        last = months_between(start, timeline.period.end) // 12
        yield from (add_months(start, 12 * year) for year in range(1, last + 1))
