"""Commitments: what of them has started, and where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, NamedTuple

from stargate.agreements.clause import Commitment, Portion
from stargate.agreements.condition import Comparison
from stargate.agreements.period import add_months
from stargate.agreements.present import Present
from stargate.agreements.version import Version
from stargate.base.money import usd
from stargate.base.time import Instant

CommitmentStatus = Literal["Pending", "Active", "Completed", "Expired", "Canceled"]
"""FOCUS says Exhausted for Completed."""
NONE: Mapping[str, Decimal] = {}


class Run(NamedTuple):
    """A commitment, or one portion of it, that has started."""

    start: Instant
    end: Instant
    share: Decimal
    portion: str


def runs(version: Version, present: Present) -> tuple[Run, ...]:
    """What of a commitment has started, as far as is known: with delivery, each accepted portion by itself."""
    clause = version.clause
    assert isinstance(clause, Commitment), "asked of commitments only"
    end = present.until(version)
    if clause.start_on == "date":
        start = _began(version, present)
        return (Run(start, end, Decimal(1), ""),) if present.horizon.reached(start) else ()
    found = []
    for portion in clause.portions:
        accepted = Comparison(accepted_fact(portion)).first(present.world, present.horizon)
        if accepted is not None:
            start = max(accepted.valid_from, present.start(version))
            last = end if clause.term_months is None else min(end, add_months(start, clause.term_months))
            found.append(Run(start, last, portion.share, portion.id))
    return tuple(found)


def _began(version: Version, present: Present) -> Instant:
    """Where it began, through the wordings that amendments gave it without a break."""
    start = present.start(version)
    wordings = present.chart.by_ref[version.ref]
    for earlier in reversed(wordings[: wordings.index(version)]):
        broken = earlier.removed != version.added or start != version.added
        if broken or not isinstance(earlier.clause, Commitment) or present.until(earlier) < version.added:
            break
        version, start = earlier, present.start(earlier)
    return start


def accepted_fact(portion: Portion) -> str:
    """The fact by which a portion starts."""
    return portion.accepted_fact or f"accepted/{portion.id}"


def metric_of(clause: Commitment) -> str:
    """Which usage counts."""
    return clause.metric or ("spend_usd" if clause.category == "Spend" else str(clause.unit))


def drawn(clause: Commitment, credit_micro_usd: int) -> Decimal:
    """How much of the commitment's unit a credit for what was short has paid."""
    price = Decimal(1) if clause.category == "Spend" else clause.shortfall_price_usd
    return usd(credit_micro_usd) / price if price else Decimal(0)


def status(version: Version, present: Present, consumed: Decimal) -> CommitmentStatus:
    """Where a commitment stands, given what counted towards it in all."""
    clause = version.clause
    assert isinstance(clause, Commitment), "asked of commitments only"
    if clause.amount is not None and consumed >= clause.amount:
        return "Completed"
    span = present.firing.span(version.home.id)
    terminated = span.terminated is not None and present.horizon.reached(span.terminated)
    if terminated or present.horizon.reached(version.removed):
        return "Canceled"
    if present.horizon.reached(present.until(version)):
        return "Expired"
    return "Active" if runs(version, present) else "Pending"
