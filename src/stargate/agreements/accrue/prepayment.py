"""Prepayments, and their credit against what is charged later."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from stargate.agreements.accrue.burn import Burn, reaching
from stargate.agreements.accrue.line import CHARGED, SHORT, ChargeLine, Usage
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Commitment, Prepayment
from stargate.agreements.firing import absolute
from stargate.agreements.period import Period
from stargate.agreements.version import Version
from stargate.agreements.world import WorldFact
from stargate.base.money import format_usd, micro_usd
from stargate.base.time import Instant


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
    timeline: Timeline,
    facts: Sequence[WorldFact],
    usage: Sequence[Usage],
    lines: Sequence[ChargeLine],
    prior: Sequence[ChargeLine],
) -> list[ChargeLine]:
    """The payment when it is due, and what of it is credited against what the period charges."""
    found: list[ChargeLine] = []
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
        # Another wording may have asked for it, or for a part of it, before.
        left = micro_usd(amount) - _sum((*prior, *found), version.ref, "prepayment")
        if timeline.period.holds(due) and left > 0:
            found.append(_prepaid_line(timeline, version, "prepayment", left, "paid in advance", due))
        if due >= timeline.period.end:
            continue
        given = _sum((*prior, *found), version.ref, "prepayment_credit")
        if _replaced(version, timeline):
            continue  # the last wording of the period speaks for what comes back
        charged = _Charged(timeline, facts, usage, lines, prior)
        before, now = charged.under(_commitment(version, timeline), version)
        now -= _credited(version, (*lines, *found))
        credit = _credit(version, timeline, micro_usd(amount), given, (before, now))
        if credit > 0:
            found.append(_prepaid_line(timeline, version, "prepayment_credit", credit, "credited back", None))
    return found


def _sum(lines: Sequence[ChargeLine], ref: str, kind: str) -> int:
    return sum(line.amount_micro_usd for line in lines if (line.clause, line.kind) == (ref, kind))


def _replaced(version: Version, timeline: Timeline) -> bool:
    wordings = timeline.book.chart.by_ref[version.ref]
    return any(timeline.spans(later) for later in wordings[wordings.index(version) + 1 :])


def _credited(version: Version, lines: Sequence[ChargeLine]) -> int:
    """What other prepayments have paid already of the same charges of this period."""
    of = getattr(version.clause, "of", "")
    mine = {absolute(of, version.home.id)} if of else set()
    pair = version.party("payee", "supplier"), version.party("payer", "customer")
    return sum(
        line.amount_micro_usd
        for line in lines
        if line.kind == "prepayment_credit" and (line.payer, line.payee) == pair
        if not mine or not line.of or mine & set(line.of)
    )


def _credit(version: Version, timeline: Timeline, amount: int, given: int, charged: tuple[int, int]) -> int:
    """What comes back now, of `charged` before and in this period."""
    clause = version.clause
    assert isinstance(clause, Prepayment), "asked of prepayments only"
    before, now = charged
    balance = amount - given
    if clause.credit_back == "none" or balance <= 0:
        return 0
    commitment = _commitment(version, timeline)
    whole = None if commitment is None else getattr(commitment.clause, "amount", None)
    if clause.credit_back == "first" or not whole:
        return min(balance, now)
    if clause.credit_back == "pro_rata":
        # Of all that was charged so far, less what came back: what is rounded off once comes back later.
        share = (before + now) * amount // micro_usd(whole)
        return max(0, min(balance, now, share - given))
    open_before_last = micro_usd(whole) - amount
    return max(0, min(balance, now, before + now - open_before_last - given))


class _Charged(NamedTuple):
    """What was charged, before the period and in it."""

    timeline: Timeline
    facts: Sequence[WorldFact]
    usage: Sequence[Usage]
    lines: Sequence[ChargeLine]
    prior: Sequence[ChargeLine]

    def under(self, commitment: Version | None, version: Version) -> tuple[int, int]:
        """Under a commitment: what was consumed, and what was short; without one, between the parties."""
        if commitment is None:
            return self._between(version, self.prior), self._between(version, self.lines)
        short = [_short(lines, commitment) for lines in (self.prior, self.lines)]
        if not isinstance(commitment.clause, Commitment) or commitment.clause.category != "Spend":
            return short[0], short[1]
        charges = (*self.prior, *self.lines)
        reach = reaching(self.timeline, self.facts, self.usage, charges)
        burn = Burn(reach, self.usage, charges)
        start = self.timeline.period.start
        before = Period(min(reach.period.start, Instant(start - 1)), start)
        counted = [micro_usd(burn.total(commitment.ref, span)) for span in (before, self.timeline.period)]
        return counted[0] + short[0], counted[1] + short[1]

    @staticmethod
    def _between(version: Version, lines: Sequence[ChargeLine]) -> int:
        """What was charged, less what came back of it as it was made up."""
        payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
        charges = [line for line in lines if line.kind in (*CHARGED, *SHORT)]
        owed = sum(line.amount_micro_usd for line in charges if (line.payer, line.payee) == (payer, payee))
        back = [line for line in charges if line.kind == "make_up" and line.payer == payee]
        return owed - sum(line.amount_micro_usd for line in back if line.payee == payer)


def _short(lines: Sequence[ChargeLine], commitment: Version) -> int:
    """What was short of a commitment, less what came back of it as it was made up."""
    payer = commitment.party("payer", "customer")
    return sum(
        line.amount_micro_usd if line.payer == payer else -line.amount_micro_usd
        for line in lines
        if line.clause == commitment.ref and line.kind in SHORT
    )


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
