"""Revenue shares: what accrues in a period, never beyond the cap, and when it is paid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from stargate.agreements.accrue.line import ChargeLine, Usage
from stargate.agreements.accrue.reach import speaks
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import RevenueShare
from stargate.agreements.firing import absolute
from stargate.agreements.period import Period, add_months, calendar_interval, calendar_parts
from stargate.agreements.version import Version
from stargate.base.money import format_usd, micro_usd, usd
from stargate.base.time import Instant


def share_of(clause: RevenueShare, base_usd: Decimal, before_usd: Decimal = Decimal(0)) -> Decimal:
    """The share of a base, exact, before caps. With tiers, `before_usd` is the base counted earlier.

    A base below zero gives back what the share of that much was.
    """
    if clause.rate is not None:
        return clause.rate * base_usd
    return _of_all(clause, before_usd + base_usd) - _of_all(clause, before_usd)


def _of_all(clause: RevenueShare, base_usd: Decimal) -> Decimal:
    """The share by tiers of a base counted from zero."""
    total, low = Decimal(0), Decimal(0)
    for tier in clause.tiers:
        high = base_usd if tier.up_to_usd is None else min(tier.up_to_usd, base_usd)
        total += tier.rate * max(Decimal(0), high - low)
        low = max(low, high)
    return total


def capped(amount_micro_usd: int, cap_usd: Decimal | None, prior_micro_usd: int) -> int:
    """The amount, cut so that with what was owed before it never passes the cap, by not one micro-USD."""
    if cap_usd is None:
        return amount_micro_usd
    room = int(cap_usd * 1_000_000) - prior_micro_usd
    return max(0, min(amount_micro_usd, room))


def accrue_shares(
    timeline: Timeline, usage: Sequence[Usage], prior: Sequence[ChargeLine]
) -> list[ChargeLine]:
    """A line for each share with a base in the period. Shares of shares come after the shares they take."""
    pending = [item for item in timeline.book.chart.versions if isinstance(item.clause, RevenueShare)]
    lines: list[ChargeLine] = []
    while pending:
        waiting = {item.ref for item in pending}
        ready = [item for item in pending if not _takes(item) & (waiting - {item.ref})]
        if not ready:  # a circle, which `lint` reports: each counts without the others
            ready = pending
        for item in ready:
            lines.extend(_accrue_share(timeline, item, usage, lines, prior))
        pending = [item for item in pending if item not in ready]
    return lines


def _takes(version: Version) -> set[str]:
    clause = version.clause
    assert isinstance(clause, RevenueShare), "asked of shares only"
    return {absolute(name, version.home.id) for name in clause.base.includes_shares}


def _accrue_share(
    timeline: Timeline,
    version: Version,
    usage: Sequence[Usage],
    lines: Sequence[ChargeLine],
    prior: Sequence[ChargeLine],
) -> list[ChargeLine]:
    clause = version.clause
    assert isinstance(clause, RevenueShare), "asked of shares only"
    spans = _accruing(timeline, version, clause)
    found: list[ChargeLine] = []
    for interval in _cap_intervals(clause, timeline.period):
        # Wordings of one clause accrue on lines of their own: their terms of payment may differ.
        part = interval.meets(version.added, version.removed)
        if part is None:
            continue
        inside = [cut for span in spans if (cut := span.meets(part.start, part.end)) is not None]
        base = _base(
            timeline, version, usage, inside, [line for line in lines if part.holds(line.period.start)]
        )
        mine = [
            line for line in (*prior, *lines, *found) if line.clause == version.ref and line.kind == "share"
        ]
        if base > 0 or (base < 0 and mine):
            found.append(_share_line(version, clause, part, base, mine))
    return found


def _base(
    timeline: Timeline,
    version: Version,
    usage: Sequence[Usage],
    spans: Sequence[Period],
    lines: Sequence[ChargeLine],
) -> Decimal:
    """What the share is taken of: gross, less what is not counted, with the shares received that count."""
    clause = version.clause
    assert isinstance(clause, RevenueShare), "asked of shares only"
    earner = clause.base.earned_by or version.party("payer", "customer")
    taken = _takes(version)
    shares = [line.amount_micro_usd for line in lines if line.clause in taken and line.payee == earner]
    return _sum(timeline, version, usage, spans, earner) + usd(sum(shares))


def _share_line(
    version: Version, clause: RevenueShare, period: Period, base: Decimal, mine: Sequence[ChargeLine]
) -> ChargeLine:
    payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
    counted = Decimal(0)
    for line in mine:  # what was taken back beyond all that was earned is gone: the next earnings begin anew
        counted = max(Decimal(0), counted + (line.quantity or Decimal(0)))
    full = micro_usd(share_of(clause, base, counted))
    amount = capped(full, clause.cap_total_usd, sum(line.amount_micro_usd for line in mine))
    amount = capped(amount, clause.cap_period_usd, _this_interval(clause, period, mine))
    if base < 0:  # more was taken back than earned: so is its share, as far as there was one
        amount = max(full, -sum(line.amount_micro_usd for line in mine))
    says = f"{payer} passes on {format_usd(amount)} of {format_usd(micro_usd(base))} to {payee}"
    if amount < full:
        says += f": cut from {format_usd(full)} by the cap"
    return ChargeLine(
        clause=version.ref,
        kind="share",
        payer=payer,
        payee=payee,
        amount_micro_usd=amount,
        period=period,
        says=says,
        quantity=base,
        unit="usd",
        price_usd=clause.rate,
        text_ref=clause.text_ref,
    )


def _accruing(timeline: Timeline, version: Version, clause: RevenueShare) -> list[Period]:
    """Where the clause is in force and accrual has not ended."""
    spans = timeline.spans(version)
    if clause.accrue_until is None:
        return spans
    end = timeline.last.firing.resolve(clause.accrue_until, version.home.id)
    if end is None:
        return spans
    return [cut for span in spans if (cut := span.meets(span.start, end)) is not None]


def _sum(
    timeline: Timeline, version: Version, usage: Iterable[Usage], spans: Sequence[Period], earner: str
) -> Decimal:
    """Gross less what is not counted, within the spans in which the share accrues."""
    clause = version.clause
    assert isinstance(clause, RevenueShare), "asked of shares only"
    total = Decimal(0)
    for item in usage:
        sign = 1 if item.metric == clause.base.metric else -1 if item.metric in clause.base.less else 0
        if not sign or item.party not in ("", earner) or not any(span.holds(item.start) for span in spans):
            continue
        if speaks(timeline, version, item.seen(), item.start):
            total += sign * item.quantity
    return total


def _cap_intervals(clause: RevenueShare, period: Period) -> list[Period]:
    """The period, cut where an interval with a cap of its own ends."""
    return [period] if clause.cap_period_usd is None else calendar_parts(period, clause.cap_interval)


def _this_interval(clause: RevenueShare, period: Period, mine: Sequence[ChargeLine]) -> int:
    """What was owed already in the cap's interval, of the calendar."""
    if clause.cap_period_usd is None:
        return 0
    here = calendar_interval(period.start, clause.cap_interval)
    return sum(line.amount_micro_usd for line in mine if here.holds(line.period.start))


class Due(NamedTuple):
    """An instalment."""

    at: Instant
    amount_micro_usd: int


def payments(clause: RevenueShare, accrued: Iterable[ChargeLine]) -> tuple[Due, ...]:
    """When what accrued is paid: instalments that add up exactly, also long after accrual has ended."""
    found: list[Due] = []
    terms = clause.payment
    for line in accrued:
        whole, left = divmod(line.amount_micro_usd, terms.installments)
        for index in range(terms.installments):
            amount = whole + (1 if index < left else 0)
            if amount:
                months = terms.delay_months + index * terms.interval_months
                found.append(Due(add_months(line.period.end, months), amount))
    return tuple(sorted(found))
