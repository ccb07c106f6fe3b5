"""Options: the deposit that keeps one open, and its exercise, for the record."""

from __future__ import annotations

from stargate.agreements.accrue.line import ChargeLine, LineKind
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Option
from stargate.agreements.condition import day
from stargate.agreements.judge.capacity import OptionState
from stargate.agreements.version import Version
from stargate.base.money import micro_usd
from stargate.base.time import Instant


def accrue_options(timeline: Timeline) -> list[ChargeLine]:
    """The deposit, when it was paid by the fact that the clause names, or else when the option opened; the exercise.

    What is exercised is a quantity, and no money: the price of it stands in other clauses.
    """
    lines = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, Option) or not timeline.spans(version):
            continue
        state = OptionState(clause, version.ref, timeline.last.firing)
        opened = timeline.last.start(version) if not clause.deposit_fact else state.deposit
        if clause.deposit_usd and opened is not None and timeline.period.holds(opened):
            lines.append(
                _line(timeline, version, clause, "deposit", opened, "deposit to keep the option open")
            )
        taken = state.exercised
        if state.taken and taken is not None and timeline.period.holds(taken):
            lines.append(_line(timeline, version, clause, "option", taken, "exercised"))
    return lines


def _line(
    timeline: Timeline, version: Version, clause: Option, kind: LineKind, at: Instant, says: str
) -> ChargeLine:
    deposit = kind == "deposit"
    return ChargeLine(
        clause=version.ref,
        kind=kind,
        payer=version.party("holder", "customer"),
        payee=version.party("grantor", "supplier"),
        amount_micro_usd=micro_usd(clause.deposit_usd) if deposit else 0,
        period=timeline.period,
        says=f"{says}, on {day(at)}",
        quantity=None if deposit else clause.quantity,
        unit="" if deposit else clause.unit,
        due=at if deposit else None,
        text_ref=clause.text_ref,
    )
