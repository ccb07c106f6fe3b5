"""What is short of a commitment, reckoned when an interval, a milestone or the whole term ends."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from stargate.agreements.accrue.burn import Burn, reaching
from stargate.agreements.accrue.commitment import Run, drawn, runs
from stargate.agreements.accrue.deadline import Deadline, deadlines
from stargate.agreements.accrue.line import TINY, ChargeLine, LineKind, Usage
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Commitment
from stargate.agreements.version import Version
from stargate.agreements.world import WorldFact
from stargate.base.money import format_usd, micro_usd
from stargate.base.time import FOREVER, Instant

_KINDS: dict[str, LineKind] = {
    "pay": "shortfall",
    "convert_to_prepayment": "prepayment",
    "make_up": "make_up",
    "forfeit": "forfeited",
}
_WORDS = {
    "pay": "is paid",
    "convert_to_prepayment": "is charged, and becomes prepayment credit",
    "make_up": "is paid, and may be taken later",
    "forfeit": "is paid, and forfeited",
}


def accrue_shortfalls(
    timeline: Timeline,
    facts: Sequence[WorldFact],
    usage: Sequence[Usage],
    lines: Sequence[ChargeLine],
    prior: Sequence[ChargeLine],
) -> list[ChargeLine]:
    """A line for each deadline within the period by whose end too little was consumed.

    `usage` and `prior` must reach back to the start of every commitment that has something due now, and of those
    that share its consumption.
    """
    due = [
        (version, run, deadline)
        for version in timeline.book.chart.versions
        if isinstance(version.clause, Commitment)
        for run in runs(version, timeline.last)
        for deadline in deadlines(version.clause, run, timeline.period)
        if any(span.holds(Instant(deadline.over.end - 1)) for span in timeline.spans(version))
    ]
    if not due:
        return []
    reach = reaching(timeline, facts, usage, (*prior, *lines))
    burn = Burn(reach, usage, (*prior, *lines))
    found: list[ChargeLine] = []
    for version, run, deadline in due:
        money = _Money(reach, usage, (*prior, *lines, *found), burn)
        found.extend(money.lines(version, run, deadline))
    return found


class _Money(NamedTuple):
    """What is needed to reckon one deadline."""

    timeline: Timeline
    usage: Sequence[Usage]
    charges: Sequence[ChargeLine]
    burn: Burn

    def lines(self, version: Version, run: Run, deadline: Deadline) -> list[ChargeLine]:
        """The shortfall, or what an excess draws from the make-up bank; nothing where it came out even."""
        clause = version.clause
        assert isinstance(clause, Commitment), "asked of commitments only"
        consumed = self.consumed(version, clause, run, deadline)
        counted = consumed + self.burn.carried(version.ref, run.portion, deadline)
        if deadline.cumulative:
            counted += self.paid_before(version, clause, run)
        short = deadline.minimum - counted
        if short > TINY:
            return [self.shortfall(version, clause, run, deadline, consumed, short)]
        drawn = min(consumed - deadline.minimum, self.bank(version, clause, run, deadline.over.end))
        if clause.shortfall == "make_up" and drawn > TINY:
            return [self.make_up(version, clause, run, deadline, drawn)]
        return []

    def consumed(self, version: Version, clause: Commitment, run: Run, deadline: Deadline) -> Decimal:
        """What counted towards the commitment by a deadline, for one run of it."""
        burn = self.burn
        if deadline.cumulative and any(part.at_most != 1 for part in clause.eligible):
            # A fraction of what is due by then: what was too much for an earlier milestone may count now.
            burn = Burn(self.timeline, self.usage, self.charges, due={version.ref: deadline.minimum})
        return burn.counted(version.ref, run.portion, deadline.over)

    def paid_before(self, version: Version, clause: Commitment, run: Run) -> Decimal:
        """What was reckoned as short before need not be made good twice, until it is taken as use."""
        mine = [line for line in self.charges if line.clause == version.ref and line.portion == run.portion]
        paid = (line.quantity or Decimal(0) for line in mine if line.kind in _KINDS.values())
        back = (drawn(clause, line.amount_micro_usd) for line in mine if line.kind == "prepayment_credit")
        return sum(paid, Decimal(0)) - sum(back, Decimal(0))

    def bank(self, version: Version, clause: Commitment, run: Run, at: Instant) -> Decimal:
        """What may be taken from the make-up bank at an instant."""
        lots = banked(version, clause, run.portion, self.charges)
        return sum((left for expires, left in lots if expires >= at), Decimal(0))

    def shortfall(
        self,
        version: Version,
        clause: Commitment,
        run: Run,
        deadline: Deadline,
        consumed: Decimal,
        short: Decimal,
    ) -> ChargeLine:
        """What is short, and what becomes of it."""
        unit, price = _priced(clause)
        taken, least = (f"{quantity.normalize():,f}" for quantity in (consumed, deadline.minimum))
        amount = 0 if price is None else micro_usd(short * price)
        of = f" of {run.portion}" if run.portion else ""
        money = format_usd(micro_usd(short)) if clause.category == "Spend" else f"{short} {unit}"
        return ChargeLine(
            clause=version.ref,
            kind=_KINDS[clause.shortfall],
            payer=version.party("payer", "customer"),
            payee=version.party("payee", "supplier"),
            amount_micro_usd=amount,
            period=deadline.over,
            says=f"{taken} of {least} {unit}{of} consumed: {money} {_WORDS[clause.shortfall]}",
            quantity=short,
            unit=unit,
            price_usd=price,
            portion=run.portion,
            due=deadline.over.end,
            text_ref=clause.text_ref,
        )

    def make_up(
        self, version: Version, clause: Commitment, run: Run, deadline: Deadline, drawn: Decimal
    ) -> ChargeLine:
        """What was taken beyond the minimum and had been paid before comes back, at the price that was paid."""
        unit, price = _priced(clause)
        return ChargeLine(
            clause=version.ref,
            kind="make_up",
            payer=version.party("payee", "supplier"),
            payee=version.party("payer", "customer"),
            amount_micro_usd=0 if price is None else micro_usd(drawn * price),
            period=deadline.over,
            says=f"{drawn} {unit} taken beyond the minimum had been paid as shortfall before",
            quantity=drawn,
            unit=unit,
            price_usd=price,
            portion=run.portion,
            text_ref=clause.text_ref,
        )


def banked(
    version: Version, clause: Commitment, portion: str, charges: Sequence[ChargeLine]
) -> list[tuple[Instant, Decimal]]:
    """What was paid for as short and not taken since, by when it expires. What is taken is the oldest there was."""
    lots: list[tuple[Instant, Decimal]] = []
    mine = [
        line
        for line in charges
        if (line.clause, line.kind, line.portion) == (version.ref, "make_up", portion)
    ]
    for line in sorted(mine, key=lambda line: line.period.end):
        quantity = line.quantity or Decimal(0)
        if line.payer == version.party("payer", "customer"):
            end = line.period.end
            lots.append((end.plus(clause.make_up_period) if clause.make_up_period else FOREVER, quantity))
            continue
        kept: list[tuple[Instant, Decimal]] = []
        for expires, left in lots:
            drawn = min(left, quantity) if expires >= line.period.end else Decimal(0)
            quantity -= drawn
            kept.append((expires, left - drawn))
        lots = kept
    return lots


def _priced(clause: Commitment) -> tuple[str, Decimal | None]:
    """The unit in which it is reckoned, and what one costs where it is short."""
    return (
        ("usd", Decimal(1)) if clause.category == "Spend" else (str(clause.unit), clause.shortfall_price_usd)
    )
