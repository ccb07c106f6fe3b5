"""Backstops: somebody makes good what others leave open, up to a cap and until a date."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from stargate.agreements.accrue.line import ChargeLine, Usage
from stargate.agreements.accrue.reach import speaks
from stargate.agreements.accrue.share import capped
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Backstop
from stargate.base.money import format_usd, micro_usd

_WORDS = {"unsold": "unsold", "unpaid": "owed and not paid", "residual_value": "below the guaranteed value"}


def accrue_backstops(
    timeline: Timeline, usage: Sequence[Usage], prior: Sequence[ChargeLine]
) -> list[ChargeLine]:
    """What was not sold, paid or worth enough, up to the cap."""
    lines = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, Backstop):
            continue
        spans = timeline.spans(version)
        whole, sold = clause.metrics
        counted = {whole: Decimal(0), sold: Decimal(0)}
        for item in usage:
            if clause.obligor and item.party not in ("", clause.obligor):
                continue
            inside = item.metric in counted and any(span.holds(item.start) for span in spans)
            if inside and speaks(timeline, version, item.seen(), item.start):
                counted[item.metric] += item.quantity
        unsold = counted[whole] - counted[sold]
        if unsold <= 0:
            continue
        unit = "usd" if clause.price_usd is None else clause.unit
        full = micro_usd(unsold if clause.price_usd is None else unsold * clause.price_usd)
        before = sum(line.amount_micro_usd for line in prior if line.clause == version.ref)
        amount = capped(full, clause.cap_usd, before)
        cut = f", cut from {format_usd(full)} by the cap" if amount < full else ""
        lines.append(
            ChargeLine(
                clause=version.ref,
                kind="backstop",
                payer=version.party("payer", "customer"),
                payee=version.party("payee", "supplier"),
                amount_micro_usd=amount,
                period=timeline.period,
                says=f"{unsold.normalize():,f} {unit} {_WORDS[clause.base]}{cut}",
                quantity=unsold,
                unit=unit,
                price_usd=clause.price_usd,
                text_ref=clause.text_ref,
            )
        )
    return lines
