"""Shortfalls that became prepayment credit: the credit pays what is charged afterwards, until it is used up."""

from __future__ import annotations

from collections.abc import Sequence

from stargate.agreements.accrue.burn import Item, items_of
from stargate.agreements.accrue.line import ChargeLine, Usage
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Commitment
from stargate.agreements.scope import matches
from stargate.agreements.version import Version
from stargate.base.money import format_usd, micro_usd
from stargate.base.time import Instant


def accrue_converted(
    timeline: Timeline, usage: Sequence[Usage], lines: Sequence[ChargeLine], prior: Sequence[ChargeLine]
) -> list[ChargeLine]:
    """What of such credit the period's charges use up, the commitment in force or not.

    It pays charges that the commitment would count: of its parties, its scope and what is eligible. Towards
    milestones what it paid does not count a second time: it counted when it was charged as short. Towards the minimum
    of a later interval it counts as any use does.
    """
    lots: dict[tuple[str, str], list[tuple[Instant, int]]] = {}
    given: dict[tuple[str, str], int] = {}
    for line in prior:
        name = (line.clause, line.portion)
        if line.kind == "prepayment":
            lots.setdefault(name, []).append((line.period.end, line.amount_micro_usd))
        elif line.kind == "prepayment_credit":
            given[name] = given.get(name, 0) + line.amount_micro_usd
    found: list[ChargeLine] = []
    for (ref, portion), paid in lots.items():
        version = timeline.book.chart.by_ref.get(ref, [None])[-1]
        if version is None or not isinstance(version.clause, Commitment):
            continue
        credit, balance = 0, sum(amount for _, amount in paid) - given.get((ref, portion), 0)
        for item in _paid_by(timeline, version, portion, usage, lines):
            by_then = sum(amount for end, amount in paid if end <= item.at)
            here = min(by_then - given.get((ref, portion), 0) - credit, micro_usd(item.quantity))
            credit = max(0, credit + here)  # what is taken back was not paid
        credit = min(credit, balance)
        if credit > 0:
            found.append(_line(timeline, version, portion, credit, balance - credit))
    return found


def _paid_by(
    timeline: Timeline,
    version: Version,
    portion: str,
    usage: Sequence[Usage],
    lines: Sequence[ChargeLine],
) -> list[Item]:
    """The period's charges that the credit may pay, in order of time."""
    clause = version.clause
    assert isinstance(clause, Commitment), "credit of commitments"
    payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
    found = []
    for item in items_of(usage, lines, timeline.book.chart.masters):
        seen = item.seen
        if item.metric != "spend_usd" or not timeline.period.holds(item.at):
            continue
        if seen.get("party", payer) != payer or seen.get("provider_party", payee) != payee:
            continue
        if portion and seen.get("portion", seen.get("site")) != portion:
            continue
        eligible = not clause.eligible or any(
            part.share and matches(part.scope, seen) for part in clause.eligible
        )
        if eligible and matches(clause.scope, seen):
            found.append(item)
    return sorted(found, key=lambda item: item.at)


def _line(timeline: Timeline, version: Version, portion: str, credit: int, left: int) -> ChargeLine:
    return ChargeLine(
        clause=version.ref,
        kind="prepayment_credit",
        payer=version.party("payee", "supplier"),
        payee=version.party("payer", "customer"),
        amount_micro_usd=credit,
        period=timeline.period,
        says=f"{format_usd(credit)} paid by the credit for what was short; {format_usd(left)} of it left",
        portion=portion,
        of=(version.ref,),
        text_ref=version.clause.text_ref,
    )
