"""Capacity that agreements hold for somebody at an instant: reservations and options, never commitments."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from stargate.agreements.book import Book
from stargate.agreements.clause import CapacityReservation, Option
from stargate.agreements.judge.capacity import OptionState
from stargate.agreements.present import Present
from stargate.agreements.scope import Scope
from stargate.agreements.version import Version
from stargate.agreements.world import WorldFact
from stargate.base.time import Instant

NOTHING = Decimal(0)


class Hold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Capacity held by one party with another."""

    clause: str
    kind: Literal["reservation", "option", "exercised_option"]
    holder: str
    supplier: str
    quantity: Decimal
    unit: str
    scope: Scope = ()
    until: Instant
    end: Literal["evict", "on_demand", "release"] = "release"
    cancellable: bool = True
    text_ref: str = ""


def quantity_at(clause: CapacityReservation, at: Instant) -> Decimal:
    """How much a reservation holds at an instant: its quantity, or the ramp's last step that has begun."""
    if clause.quantity is not None:
        return clause.quantity
    return next((step.quantity for step in reversed(clause.ramp) if step.from_ <= at), NOTHING)


def held(book: Book, facts: Sequence[WorldFact], at: Instant) -> tuple[Hold, ...]:
    """Everything held at `at`. An option that lapsed holds nothing: its capacity is free again."""
    present = book.present(facts, at)
    found = []
    for version in book.chart.versions:
        if not present.in_force(version):
            continue
        hold = _reserved(version, present, at) or _optional(version, present)
        if hold is not None:
            found.append(hold)
    return tuple(found)


def _reserved(version: Version, present: Present, at: Instant) -> Hold | None:
    clause = version.clause
    if not isinstance(clause, CapacityReservation):
        return None
    quantity = quantity_at(clause, at)
    if not quantity:
        return None
    return Hold(
        clause=version.ref,
        kind="reservation",
        holder=version.party("customer", "customer"),
        supplier=version.party("supplier", "supplier"),
        quantity=quantity,
        unit=clause.unit,
        scope=clause.scope,
        until=present.until(version),
        end=clause.end,
        cancellable=clause.cancellable,
        text_ref=clause.text_ref,
    )


def _optional(version: Version, present: Present) -> Hold | None:
    clause = version.clause
    if not isinstance(clause, Option):
        return None
    state = OptionState(clause, version.ref, present.firing)
    if not state.holds:
        return None
    ends = present.until(version)
    return Hold(
        clause=version.ref,
        kind="exercised_option" if state.taken else "option",
        holder=version.party("holder", "customer"),
        supplier=version.party("grantor", "supplier"),
        quantity=clause.quantity or NOTHING,
        unit=clause.unit,
        scope=clause.scope,
        until=ends if state.taken or state.expiry is None else min(ends, state.expiry),
        text_ref=clause.text_ref,
    )
