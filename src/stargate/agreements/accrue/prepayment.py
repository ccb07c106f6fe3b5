"""Prepayments, and their credit against what is charged later."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from stargate.agreements.accrue.commitment import consumption
from stargate.agreements.accrue.line import ChargeLine, Usage
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Commitment, Prepayment
from stargate.agreements.firing import absolute
from stargate.agreements.version import Version
from stargate.base.money import format_usd, micro_usd
from stargate.base.time import Instant

SHORT = ("shortfall", "make_up", "forfeited")
"""Kinds of lines for what was committed and not consumed."""


def prepaid(version: Version, timeline: Timeline) -> Decimal | None:
    """How much a prepayment is; None where it is a part of a commitment that names no amount."""
    clause = version.clause
    assert isinstance(clause, Prepayment), "asked of prepayments only"
    if clause.amount_usd is not None:
        return clause.amount_usd
    commitment = _commitment(version, timeline)
    if commitment is None or clause.percent is None:
        return None
    whole = getattr(commitment.clause, "amount", None)
    return None if whole is None else whole * clause.percent / 100


def _commitment(version: Version, timeline: Timeline) -> Version | None:
    of = getattr(version.clause, "of", "")
    named = timeline.book.chart.by_ref.get(absolute(of, version.home.id), []) if of else []
    return next((item for item in reversed(named) if timeline.last.firing.added(item)), None)


def accrue_prepayments(
    timeline: Timeline, usage: Sequence[Usage], lines: Sequence[ChargeLine], prior: Sequence[ChargeLine]
) -> list[ChargeLine]:
    """The payment when it is due, and what of it is credited against what the period charges."""
    found = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, Prepayment) or not timeline.spans(version):
            continue
        amount = prepaid(version, timeline)
        if amount is None:
            continue
        due = timeline.last.start(version)
        if clause.due is not None:
            due = timeline.last.firing.resolve(clause.due, version.home.id) or due
        if timeline.period.holds(due):
            found.append(
                _prepaid_line(timeline, version, "prepayment", micro_usd(amount), "paid in advance", due)
            )
        credit = _credit(timeline, version, usage, lines, prior, micro_usd(amount))
        if credit > 0:
            found.append(_prepaid_line(timeline, version, "prepayment_credit", credit, "credited back", None))
    return found


def _credit(
    timeline: Timeline,
    version: Version,
    usage: Sequence[Usage],
    lines: Sequence[ChargeLine],
    prior: Sequence[ChargeLine],
    amount: int,
) -> int:
    clause = version.clause
    assert isinstance(clause, Prepayment), "asked of prepayments only"
    given = sum(
        line.amount_micro_usd
        for line in prior
        if line.clause == version.ref and line.kind == "prepayment_credit"
    )
    charged = _charged(timeline, version, usage, lines)
    balance = amount - given
    if clause.credit_back == "none" or balance <= 0:
        return 0
    if clause.credit_back == "first":
        return min(balance, charged)
    commitment = _commitment(version, timeline)
    whole = None if commitment is None else getattr(commitment.clause, "amount", None)
    if whole is None:
        return min(balance, charged)
    if clause.credit_back == "pro_rata":
        return min(balance, charged * amount // micro_usd(whole))
    before = sum(line.amount_micro_usd for line in prior if _counts(line, version))
    open_before_last = micro_usd(whole) - amount
    return max(0, min(balance, before + charged - open_before_last - given))


def _counts(line: ChargeLine, version: Version) -> bool:
    """Charges between the parties of a prepayment."""
    payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
    charge = line.kind in ("usage", "burst", "reservation", *SHORT)
    return charge and line.payer == payer and line.payee == payee


def _charged(
    timeline: Timeline, version: Version, usage: Sequence[Usage], lines: Sequence[ChargeLine]
) -> int:
    """What the period charges under the commitment: what was consumed, and what was short."""
    commitment = _commitment(version, timeline)
    if commitment is None:
        return sum(line.amount_micro_usd for line in lines if _counts(line, version))
    inside = [item for item in usage if timeline.period.holds(item.start)]
    consumed = consumption(timeline, inside, lines).get(commitment.ref, Decimal(0))
    spend = isinstance(commitment.clause, Commitment) and commitment.clause.category == "Spend"
    short = sum(
        line.amount_micro_usd for line in lines if line.clause == commitment.ref and line.kind in SHORT
    )
    return (micro_usd(consumed) if spend else 0) + short


def _prepaid_line(
    timeline: Timeline, version: Version, kind: str, amount: int, says: str, due: Instant | None
) -> ChargeLine:
    payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
    back = kind == "prepayment_credit"
    clause = version.clause
    assert isinstance(clause, Prepayment), "lines of prepayments"
    return ChargeLine(
        clause=version.ref,
        kind="prepayment_credit" if back else "prepayment",
        payer=payee if back else payer,
        payee=payer if back else payee,
        amount_micro_usd=amount,
        period=timeline.period,
        says=f"{format_usd(amount)} {says}",
        of=(absolute(clause.of, version.home.id),) if clause.of else (),
        due=due,
        text_ref=clause.text_ref,
    )
