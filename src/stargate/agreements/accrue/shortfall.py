"""What is short of a commitment, reckoned when an interval, a milestone or the whole term ends."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from stargate.agreements.accrue.commitment import Run, consumption, runs
from stargate.agreements.accrue.line import ChargeLine, LineKind, Usage
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Commitment
from stargate.agreements.period import Period, intervals, months_between
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


def step_at(clause: Commitment, run: Run, at: Instant) -> Decimal:
    """The ramp's minimum for the fulfilment interval that starts at `at`, for one run."""
    best = Decimal(0)
    for step in clause.ramp:
        begun = (
            step.from_ <= at if step.from_ is not None else months_between(run.start, at) >= (step.month or 0)
        )
        best = step.minimum if begun else best
    return best * run.share


class Deadline(NamedTuple):
    """At the end of `over` this much must have been consumed within it."""

    over: Period
    minimum: Decimal
    cumulative: bool
    """The minimum counts from the start of the run, and what was paid as short before counts towards it."""


def deadlines(clause: Commitment, run: Run, within: Period | None = None) -> tuple[Deadline, ...]:
    """Every interval, milestone or end at which something is due, in order; with `within`, those that end there.

    A commitment without end has none but those of its minimum or ramp.
    """
    found = _deadlines(clause, run, within)
    if within is None:
        return tuple(found)
    return tuple(item for item in found if within.start < item.over.end <= within.end)


def _deadlines(clause: Commitment, run: Run, within: Period | None) -> Sequence[Deadline]:
    if clause.milestones:
        return tuple(
            Deadline(Period(run.start, item.by), item.amount * run.share, cumulative=True)
            for item in clause.milestones
            if item.by > run.start
        )
    if clause.minimum is None and not clause.ramp:
        return _even(clause, run)
    found = []
    end = min(run.end, _HORIZON)
    since = None if within is None else within.start
    for interval in intervals(run.start, end, clause.fulfillment_interval, since):
        if within is not None and interval.end > within.end:
            break
        minimum = (
            step_at(clause, run, interval.start)
            if clause.ramp
            else (clause.minimum or Decimal(0)) * run.share
        )
        if minimum:
            found.append(Deadline(interval, minimum, cumulative=False))
    return tuple(found)


_HORIZON = Instant.parse("2200-01-01")
"""Commitments without end are reckoned no further."""


def _even(clause: Commitment, run: Run) -> tuple[Deadline, ...]:
    """An amount without minimum: equal parts over the intervals, which add up to it exactly."""
    if clause.amount is None or run.end >= FOREVER:
        return ()
    spans = list(intervals(run.start, run.end, clause.fulfillment_interval))
    if len(spans) == 1:
        return (Deadline(spans[0], clause.amount * run.share, cumulative=True),)
    whole = clause.amount * run.share
    micro = int(whole * 1_000_000)
    each, left = divmod(micro, len(spans))
    return tuple(
        Deadline(span, Decimal(each + (1 if index < left else 0)).scaleb(-6), cumulative=False)
        for index, span in enumerate(spans)
    )


def accrue_shortfalls(
    timeline: Timeline,
    facts: Sequence[WorldFact],
    usage: Sequence[Usage],
    lines: Sequence[ChargeLine],
    prior: Sequence[ChargeLine],
) -> list[ChargeLine]:
    """A line for each deadline within the period by whose end too little was consumed.

    `usage` must reach back to the start of the interval (or, for milestones, of the commitment) that ends.
    """
    found: list[ChargeLine] = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, Commitment):
            continue
        spans = timeline.spans(version)
        for run in runs(version, timeline.last):
            for deadline in deadlines(clause, run, timeline.period):
                if any(span.holds(Instant(deadline.over.end - 1)) for span in spans):
                    money = _Money(timeline, facts, usage, (*prior, *lines, *found))
                    found.extend(money.lines(version, run, deadline))
    return found


class _Money(NamedTuple):
    """What is needed to reckon one deadline."""

    timeline: Timeline
    facts: Sequence[WorldFact]
    usage: Sequence[Usage]
    charges: Sequence[ChargeLine]

    def lines(self, version: Version, run: Run, deadline: Deadline) -> list[ChargeLine]:
        """The shortfall, or what an excess draws from the make-up bank; nothing where it came out even."""
        clause = version.clause
        assert isinstance(clause, Commitment), "asked of commitments only"
        consumed = self.consumed(version, run, deadline)
        counted = consumed + self.carried(version, clause, run, deadline)
        if deadline.cumulative:
            counted += self.paid_before(version, run)
        short = deadline.minimum - counted
        if short > 0:
            return [self.shortfall(version, clause, run, deadline, consumed, short)]
        drawn = min(consumed - deadline.minimum, self.bank(version, clause, run, deadline.over.end))
        if clause.shortfall == "make_up" and drawn > 0:
            return [self.make_up(version, clause, run, deadline, drawn)]
        return []

    def consumed(self, version: Version, run: Run, deadline: Deadline) -> Decimal:
        """What counted towards the commitment by a deadline, for one run of it."""
        over = deadline.over
        timeline = self.timeline
        if not (timeline.period.start <= over.start and over.end <= timeline.period.end):
            timeline = Timeline(timeline.book, self.facts, over, timeline.known_at)
        usage = [item for item in self.usage if over.holds(item.start) and _belongs(item, run)]
        charges = [line for line in self.charges if over.holds(line.period.start) and _belongs(line, run)]
        due = {version.ref: deadline.minimum}
        return consumption(timeline, usage, charges, due=due).get(version.ref, Decimal(0))

    def carried(self, version: Version, clause: Commitment, run: Run, deadline: Deadline) -> Decimal:
        """What earlier intervals consumed beyond their minimum, where it rolls over."""
        if clause.rollover == "none" or deadline.cumulative:
            return Decimal(0)
        carry = Decimal(0)
        start = deadline.over.start
        before = deadlines(clause, run, Period(run.start, start)) if run.start < start else ()
        for earlier in before if clause.rollover == "until_end" else before[-1:]:
            excess = self.consumed(version, run, earlier) - earlier.minimum
            kept = carry if clause.rollover == "until_end" else Decimal(0)
            carry = max(Decimal(0), kept + excess)
        return carry

    def paid_before(self, version: Version, run: Run) -> Decimal:
        """What was reckoned as short before: it need not be made good twice."""
        return sum(
            (
                line.quantity or Decimal(0)
                for line in self.charges
                if line.clause == version.ref and line.portion == run.portion and line.kind in _KINDS.values()
            ),
            Decimal(0),
        )

    def bank(self, version: Version, clause: Commitment, run: Run, at: Instant) -> Decimal:
        """Paid for, not taken since, and not expired. What is taken is the oldest that had not expired then."""
        lots: list[tuple[Instant, Decimal]] = []
        mine = [
            line
            for line in self.charges
            if (line.clause, line.kind, line.portion) == (version.ref, "make_up", run.portion)
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
            says=f"{consumed} of {deadline.minimum} {unit}{of} consumed: {money} {_WORDS[clause.shortfall]}",
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


def _priced(clause: Commitment) -> tuple[str, Decimal | None]:
    """The unit in which it is reckoned, and what one costs where it is short."""
    return (
        ("usd", Decimal(1)) if clause.category == "Spend" else (str(clause.unit), clause.shortfall_price_usd)
    )


def _belongs(item: Usage | ChargeLine, run: Run) -> bool:
    """Use names the portion it belongs to (`portion`, or else `site`)."""
    return not run.portion or item.attributes.get("portion", item.attributes.get("site")) == run.portion
