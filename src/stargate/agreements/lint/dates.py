"""Dates that run backwards, and what can therefore never be in force."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stargate.agreements.agreement import Agreement
from stargate.agreements.clause import Amendment, CapacityReservation, Commitment, Option, Term
from stargate.agreements.condition import Moment, day
from stargate.agreements.horizon import EVER
from stargate.agreements.lint.entry import Entry
from stargate.agreements.version import amendment_date
from stargate.base.errors import Problem
from stargate.base.time import FOREVER, Instant


def fixed(moment: Moment | None, otherwise: Instant) -> Instant:
    """The instant of a plain date; `otherwise` where there is none, or it depends on facts."""
    if isinstance(moment, str):
        return Instant.parse(moment)
    if moment is not None and moment.date:
        return Instant.parse(moment.date).plus(moment.after)
    return otherwise


def term_of(agreement: Agreement) -> tuple[Instant, Instant]:
    """From when to when an agreement may at most run, by its signature and plain dates of its terms as signed."""
    start = EVER if agreement.signed_on is None else agreement.signed_on
    end = FOREVER
    for clause in agreement.clauses:
        if isinstance(clause, Term):
            last = FOREVER if clause.renewal_months is not None else fixed(clause.until, FOREVER)
            start, end = max(start, fixed(clause.from_, EVER)), min(end, last)
    return start, end


def wrong_dates(agreements: Sequence[Agreement], entries: Sequence[Entry]) -> Iterator[Problem]:
    """Spans that end before they begin; amendments without a date, or before what they amend."""
    homes = {agreement.id: agreement for agreement in agreements}
    for entry in entries:
        clause = entry.clause
        spans = [("", clause.from_, clause.until)]
        spans += [
            (f"exceptions[{n}].", carve.from_, carve.until) for n, carve in enumerate(clause.exceptions)
        ]
        for prefix, first, last in spans:
            if first is not None and last is not None and fixed(first, EVER) >= fixed(last, FOREVER):
                yield entry.problem(
                    "it ends before it begins", "until is exclusive, and later than from.", f"{prefix}until"
                )
        yield from _outside(entry)
        if isinstance(clause, Amendment):
            yield from _amendment(entry, clause, homes)
        if isinstance(clause, Commitment):
            yield from _commitment(entry, clause)


def _outside(entry: Entry) -> Iterator[Problem]:
    """Dates beyond the agreement's own: what they promise would never be."""
    clause, (start, end) = entry.clause, term_of(entry.home)
    first, last = fixed(clause.from_, EVER), fixed(clause.until, FOREVER)
    remedy = "Check it against signed_on and the term clause."
    if last <= start and first < last:
        yield entry.problem(f"it ends before {entry.home.id} begins on {day(start)}", remedy, "until")
    if first >= end and clause.until is None and not isinstance(clause, Amendment):
        yield entry.problem(f"it begins when {entry.home.id} has ended on {day(end)}", remedy, "from")
    if clause.until is not None:
        end = last
    if isinstance(clause, Commitment):
        for index, item in enumerate(clause.milestones):
            if item.by > end:
                yield entry.problem(
                    f"its milestone of {day(item.by)} comes after its end on {day(end)}, and is never reckoned",
                    remedy,
                    f"milestones[{index}].by",
                )
    if isinstance(clause, CapacityReservation):
        for index, step in enumerate(clause.ramp):
            if step.from_ >= end:
                yield entry.problem(
                    f"its step of {day(step.from_)} comes after its end on {day(end)}",
                    remedy,
                    f"ramp[{index}].from",
                )
    if isinstance(clause, Option):
        opens = fixed(clause.exercisable_from, EVER)
        if opens >= fixed(clause.expiry, FOREVER):
            yield entry.problem(
                "it lapses before it can be exercised", "expiry is later than exercisable_from.", "expiry"
            )


def _amendment(entry: Entry, clause: Amendment, homes: dict[str, Agreement]) -> Iterator[Problem]:
    if clause.from_ is None and entry.paper.signed_on is None:
        yield entry.problem(
            "the amendment has no date", "Write `from:`, or `signed_on:` for its document.", "from"
        )
        return
    home = homes.get(clause.of or entry.paper.amends or entry.paper.id)
    date = amendment_date(entry.paper, clause)
    if home is None or not home.binds:
        return
    start, _ = term_of(home)
    if date < start and home is not entry.paper:
        yield entry.problem(
            f"it amends {home.id} on {day(date)}, before that begins on {day(start)}",
            "Check both dates.",
            "from",
        )


def _commitment(entry: Entry, clause: Commitment) -> Iterator[Problem]:
    ends = clause.until is not None or term_of(entry.home)[1] < FOREVER or clause.term_months is not None
    if clause.amount is not None and not ends and not clause.milestones:
        yield entry.problem(
            "it commits an amount and never ends, so nothing is ever short",
            "Write `until:`, a term clause, or milestones.",
            "until",
        )
