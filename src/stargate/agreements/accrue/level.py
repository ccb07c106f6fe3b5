"""Service levels: what credit a missed level gives, if it is claimed in time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from stargate.agreements.accrue.line import CHARGED, ChargeLine, Usage
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import ServiceLevel
from stargate.agreements.condition import day
from stargate.agreements.period import Period, intervals
from stargate.agreements.scope import fields_of, matches
from stargate.agreements.version import Version
from stargate.agreements.world import WorldFact
from stargate.base.money import format_usd, micro_usd, usd
from stargate.base.time import Instant

FAR = Instant.parse("9000-01-01")
"""Beyond any interval that matters."""


class Credit(NamedTuple):
    """The answer to a claim."""

    amount_micro_usd: int
    """0: none."""
    fraction: Decimal
    """Of the charge, by the tier that was missed."""
    says: str


def tier_of(clause: ServiceLevel, level: Decimal) -> Decimal:
    """The fraction credited at a level: the lowest tier it falls below; 0 where it was met."""
    missed = [tier for tier in clause.tiers if level < tier.below]
    return min(missed, key=lambda tier: tier.below).credit if missed else Decimal(0)


def claim_ends(clause: ServiceLevel, missed: Period) -> Instant | None:
    """Exclusive end of the time for claims; None: without end. Intervals after the missed one are counted whole."""
    if clause.claim_window is not None:
        return missed.end.plus(clause.claim_window)
    if clause.claim_periods is None:
        return None
    if not clause.claim_periods:
        return missed.end
    later = intervals(missed.end, FAR, clause.interval)
    return [next(later) for _ in range(clause.claim_periods)][-1].end


def service_credit(
    clause: ServiceLevel, level: Decimal, charge_micro_usd: int, missed: Period, claimed_at: Instant | None
) -> Credit:
    """The credit for one interval (`missed`) in which `level` was measured and `charge_micro_usd` was charged."""
    fraction = tier_of(clause, level)
    if not fraction:
        return Credit(0, fraction, f"{level:%} meets every level promised")
    if claimed_at is None:
        return Credit(0, fraction, "no claim is on record")
    ends = claim_ends(clause, missed)
    if ends is not None and claimed_at >= ends:
        return Credit(0, fraction, f"the claim of {day(claimed_at)} is late: claims ended {day(ends)}")
    exact = usd(charge_micro_usd) * fraction
    amount = micro_usd(exact)
    if exact < clause.min_credit_usd:
        least = format_usd(micro_usd(clause.min_credit_usd))
        return Credit(0, fraction, f"{format_usd(amount)} is less than the least credit of {least}")
    where = "on the next invoice" if clause.apply == "next_invoice" else "as a refund"
    return Credit(amount, fraction, f"{fraction:%} of {format_usd(charge_micro_usd)}, {where}")


def accrue_credits(
    timeline: Timeline, usage: Sequence[Usage], charges: Sequence[ChargeLine]
) -> list[ChargeLine]:
    """Credits for claims received in the period: they go on its invoice, never on that of the interval missed.

    The credit is a fraction of what was charged for use and reservations in that interval, within the scope.

    A claim is a fact `claimed/AGREEMENT/CLAUSE` whose value is the first day of the interval, as 2026-03-01.
    `usage` holds the level measured over that interval as a quantity of the clause's metric; `charges` what
    was charged in it.
    """
    lines: list[ChargeLine] = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, ServiceLevel):
            continue
        seen = set()
        for claim in timeline.world.believed(f"claimed/{version.ref}", timeline.last.horizon):
            if claim.value not in seen:  # claimed again, an interval is credited once
                seen.add(claim.value)
                lines.extend(_credited(timeline, version, claim, usage, charges))
    return lines


def _credited(
    timeline: Timeline,
    version: Version,
    claim: WorldFact,
    usage: Sequence[Usage],
    charges: Sequence[ChargeLine],
) -> list[ChargeLine]:
    clause = version.clause
    assert isinstance(clause, ServiceLevel), "asked of service levels only"
    measured = [
        item
        for item in usage
        if item.metric == clause.metric
        and day(item.start) == claim.value
        and version.added <= item.start < version.removed
        and matches(clause.scope, item.seen())
    ]
    giver, taker = version.party("payer", "supplier"), version.party("payee", "customer")
    lines = []
    for item in measured:
        missed = next(intervals(item.start, FAR, clause.interval))
        if not timeline.period.holds(max(claim.valid_from, missed.end)):
            continue
        charge = sum(
            line.amount_micro_usd
            for line in charges
            if line.kind in CHARGED
            and (line.payer, line.payee) == (taker, giver)
            and missed.holds(line.period.start)
            and _within(clause, line)
        )
        credit = service_credit(clause, item.quantity, charge, missed, claim.valid_from)
        if credit.amount_micro_usd:
            lines.append(
                ChargeLine(
                    clause=version.ref,
                    kind="service_credit",
                    payer=giver,
                    payee=taker,
                    amount_micro_usd=credit.amount_micro_usd,
                    period=timeline.period,
                    says=f"{clause.metric} was {item.quantity:%} from {claim.value}: {credit.says}",
                    quantity=item.quantity,
                    portion=day(item.start),
                    text_ref=clause.text_ref,
                )
            )
    return lines


def _within(clause: ServiceLevel, line: ChargeLine) -> bool:
    """Whether a charge is within the scope; one that tells nothing of what the scope looks at, is."""
    if not fields_of(clause.scope) & line.attributes.keys():
        return True
    return matches(clause.scope, line.attributes | {"party": line.payer, "provider_party": line.payee})
