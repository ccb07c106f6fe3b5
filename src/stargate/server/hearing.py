"""What an engine says, brought into a form that can be put on record. Engines speak of programs, and programs lie."""

from __future__ import annotations

import uuid
from decimal import Decimal

import msgspec

from stargate.broker.command import MarkSupply, Report

DETAIL_LIMIT = 2_000
"""Characters."""
METRICS_LIMIT = 64
NAME_LIMIT = 128
STEP_LIMIT = 2**53
_DIGITS = 40


def cause_of(said: Report | MarkSupply) -> str:
    """The id of what was said: the same for a report that is repeated, so that it is the same command."""
    if isinstance(said, Report):
        step = "" if said.step is None else f"/{said.step}"
        return f"engine/{said.attempt}/{said.phase}{step}"
    # A provider may be lost and found many times, and each time counts.
    return f"engine/{said.scope}/{said.id}/{said.status}/{uuid.uuid4().hex}"


def recordable(said: Report | MarkSupply) -> Report | MarkSupply:
    """The same with text cut and mended, and without figures that no journal holds."""
    if isinstance(said, MarkSupply):
        return msgspec.structs.replace(said, evidence=_text(said.evidence))
    known = said.step is not None and 0 <= said.step <= STEP_LIMIT
    figures = [
        (name, value) for name, value in said.metrics.items() if len(name) <= NAME_LIMIT and _usable(value)
    ]
    return msgspec.structs.replace(
        said,
        step=said.step if known else None,
        detail=_text(said.detail),
        metrics={_text(name): value for name, value in figures[:METRICS_LIMIT]},
    )


def _text(text: str) -> str:
    return text[:DETAIL_LIMIT].encode(errors="replace").decode()


def _usable(value: Decimal) -> bool:
    if not value.is_finite() or len(value.as_tuple().digits) > _DIGITS:
        return False
    return not value or abs(value.adjusted()) <= _DIGITS
