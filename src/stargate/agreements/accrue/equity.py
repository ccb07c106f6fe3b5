"""Equity for a value: nothing before the event, then a number of shares fixed by its price."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from stargate.agreements.accrue.line import ChargeLine
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import EquityGrant
from stargate.agreements.condition import day
from stargate.agreements.world import number
from stargate.base.money import micro_usd


def equity_quantity(clause: EquityGrant, price_usd: Decimal) -> int:
    """How many shares the value buys at the price of the event; fractions are not issued."""
    return int((clause.value_usd / price_usd).to_integral_value(rounding=ROUND_DOWN))


def accrue_equity(timeline: Timeline) -> list[ChargeLine]:
    """Shares to be issued, in the period in which all conditions are fulfilled and the price is known."""
    lines = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, EquityGrant) or not timeline.spans(version):
            continue
        event = timeline.last.start(version)
        prices = timeline.world.believed(clause.price_fact, timeline.last.horizon)
        if not prices:
            continue
        price_fact = next((fact for fact in reversed(prices) if fact.valid_from <= event), prices[0])
        price = number(price_fact.value)
        fixed = max(event, price_fact.valid_from)
        if not price or not timeline.period.holds(fixed):
            continue
        quantity = equity_quantity(clause, price)
        lines.append(
            ChargeLine(
                clause=version.ref,
                kind="equity",
                payer=version.party("payer", "supplier"),
                payee=version.party("payee", "customer"),
                amount_micro_usd=micro_usd(clause.value_usd),
                period=timeline.period,
                says=f"{quantity:,} shares at {price} USD, fixed on {day(fixed)}",
                quantity=Decimal(quantity),
                unit="shares",
                price_usd=price,
                due=fixed,
                text_ref=clause.text_ref,
            )
        )
    return lines
