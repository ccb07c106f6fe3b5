"""Credits for tranches that came late."""

from __future__ import annotations

from decimal import Decimal

from stargate.agreements.accrue.line import ChargeLine
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Delivery
from stargate.agreements.delivery import tranche_states
from stargate.base.money import micro_usd


def accrue_late_credits(timeline: Timeline) -> list[ChargeLine]:
    """A discount on the fee of each tranche that was delivered late within the period."""
    lines = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, Delivery) or not timeline.spans(version):
            continue
        for state in tranche_states(clause, version.ref, timeline.world, timeline.last.horizon):
            fee, fact = state.tranche.fee_usd, state.fact
            if fee is None or fact is None or not state.credit or not timeline.period.holds(fact.valid_from):
                continue
            lines.append(
                ChargeLine(
                    clause=version.ref,
                    kind="late_credit",
                    payer=version.party("supplier", "supplier"),
                    payee=version.party("customer", "customer"),
                    amount_micro_usd=micro_usd(fee * state.credit),
                    period=timeline.period,
                    says=f"tranche {state.tranche.id} came {state.days_late} days after grace",
                    quantity=Decimal(state.days_late),
                    unit="days",
                    portion=state.tranche.id,
                    text_ref=clause.text_ref,
                )
            )
    return lines
