"""Fees for ending an agreement early."""

from __future__ import annotations

from stargate.agreements.accrue.line import ChargeLine
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Termination
from stargate.agreements.condition import day
from stargate.base.money import micro_usd


def accrue_exit_fees(timeline: Timeline) -> list[ChargeLine]:
    """The fee of each termination whose notice took effect, wind-down included, within the period."""
    lines = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, Termination) or clause.fee_usd is None:
            continue
        ended = timeline.last.firing.terminated(version)
        if ended is None or not timeline.period.holds(ended.at):
            continue
        home = version.home
        payer = clause.by or home.customer
        lines.append(
            ChargeLine(
                clause=version.ref,
                kind="termination_fee",
                payer=payer,
                payee=home.supplier if payer != home.supplier else home.customer,
                amount_micro_usd=micro_usd(clause.fee_usd),
                period=timeline.period,
                says=f"{home.id} ended for {clause.cause} on {day(ended.at)}",
                due=ended.at,
                text_ref=clause.text_ref,
            )
        )
    return lines
