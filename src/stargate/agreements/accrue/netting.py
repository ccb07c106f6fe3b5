"""Netting: gross lines stay, the difference is paid."""

from __future__ import annotations

from collections.abc import Sequence

from stargate.agreements.accrue.line import ChargeLine
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Netting
from stargate.agreements.firing import absolute
from stargate.agreements.version import Version


def net(timeline: Timeline, lines: Sequence[ChargeLine]) -> list[ChargeLine]:
    """One line for what is left between two parties; clauses suspended at the period's end are not netted."""
    found = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, Netting) or not timeline.last.in_force(version):
            continue
        refs = [absolute(name, version.home.id) for name in clause.clauses]
        resting = {
            item.ref
            for ref in refs
            for item in timeline.book.chart.by_ref.get(ref, ())
            if (standing := timeline.last.standing(item)) is not None and standing.effect == "suspended"
        }
        gross = [line for line in lines if line.clause in refs and line.clause not in resting]
        pairs = sorted({tuple(sorted((line.payer, line.payee))) for line in gross})
        for one, other in pairs:
            found.append(_net_line(timeline, version, gross, one, other))
    return found


def _net_line(
    timeline: Timeline, version: Version, gross: Sequence[ChargeLine], one: str, other: str
) -> ChargeLine:
    between = [line for line in gross if {line.payer, line.payee} == {one, other}]
    owed = sum(line.amount_micro_usd if line.payer == one else -line.amount_micro_usd for line in between)
    payer, payee = (one, other) if owed >= 0 else (other, one)
    return ChargeLine(
        clause=version.ref,
        kind="net",
        payer=payer,
        payee=payee,
        amount_micro_usd=abs(owed),
        period=timeline.period,
        says=f"{payer} pays {payee} the difference of {len(between)} lines",
        basis="net",
        of=tuple(dict.fromkeys(line.clause for line in between)),
        text_ref=version.clause.text_ref,
    )
