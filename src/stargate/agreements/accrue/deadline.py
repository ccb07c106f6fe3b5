"""By when how much of a commitment must have been consumed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from stargate.agreements.accrue.commitment import Run
from stargate.agreements.clause import Commitment
from stargate.agreements.period import Period, intervals, months_between
from stargate.base.time import FOREVER, Instant

_HORIZON = Instant.parse("2200-01-01")
"""Commitments without end are reckoned no further."""


class Deadline(NamedTuple):
    """At the end of `over` this much must have been consumed within it."""

    over: Period
    minimum: Decimal
    cumulative: bool
    """The minimum counts from the start of the run, and what was paid as short before counts towards it."""


def step_at(clause: Commitment, run: Run, at: Instant) -> Decimal:
    """The ramp's minimum for the fulfilment interval that starts at `at`, for one run."""
    best = Decimal(0)
    for step in clause.ramp:
        begun = (
            step.from_ <= at if step.from_ is not None else months_between(run.start, at) >= (step.month or 0)
        )
        best = step.minimum if begun else best
    return best * run.share


def deadlines(clause: Commitment, run: Run, within: Period | None = None) -> tuple[Deadline, ...]:
    """Every interval, milestone or end at which something is due, in order; with `within`, those that end there.

    A commitment without end has none but those of its minimum or ramp.
    """
    found = _deadlines(clause, run, within)
    if within is None:
        return tuple(found)
    return tuple(item for item in found if within.start < item.over.end <= within.end)


def deadline_at(clause: Commitment, run: Run, at: Instant) -> Deadline | None:
    """The deadline towards which use at an instant counts first; None where nothing more will be due."""
    if not run.start <= at < run.end:
        return None
    if clause.milestones or (clause.minimum is None and not clause.ramp):
        return next((item for item in _deadlines(clause, run, None) if at < item.over.end), None)
    end = min(run.end, _HORIZON)
    interval = next(intervals(run.start, end, clause.fulfillment_interval, at), None)
    return None if interval is None else Deadline(interval, _minimum(clause, run, interval), cumulative=False)


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
        minimum = _minimum(clause, run, interval)
        if minimum:
            found.append(Deadline(interval, minimum, cumulative=False))
    return tuple(found)


def _minimum(clause: Commitment, run: Run, interval: Period) -> Decimal:
    if clause.ramp:
        return step_at(clause, run, interval.start)
    return (clause.minimum or Decimal(0)) * run.share


def _even(clause: Commitment, run: Run) -> tuple[Deadline, ...]:
    """An amount without minimum: equal parts over the intervals, which add up to it exactly."""
    if clause.amount is None or run.end >= FOREVER or run.end <= run.start:  # accepted when it was over
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
