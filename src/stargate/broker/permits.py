"""Who is let in where: the answers of the class filters for one kind of request, kept until they may change.

Thousands of workloads differ in size and run time only. Agreements, residency and health say the same to all of them,
until something is declared, marked or learned, or a date of an agreement comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stargate.base.time import FOREVER, Instant
from stargate.broker.ask import required
from stargate.broker.filters import refuse_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stargate.broker.ask import Ask, Option
    from stargate.broker.filters import Refusal
    from stargate.broker.nodes import Topology
    from stargate.broker.state import State
    from stargate.broker.supply import SupplyClass

PERMITS_KEPT = 10_000
"""Kinds of request whose answers are remembered."""


class Permit(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Which classes of one chip a kind of request may not use. It is known by its identity."""

    refused: Mapping[SupplyClass, Refusal]
    counts: tuple[tuple[Refusal, int], ...]
    """Each refusal with the supplies that it excludes."""
    all_refused: bool
    """There is no class of this chip that lets it in."""


class Door(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One for all who are let in alike, as long as permits stay what they are. It is known by its identity."""

    permits: tuple[tuple[str, Permit], ...]
    """Chips that will do, and who is let in to each."""
    chips_per_node: int
    topology: Topology


class Permits:
    """Remembered answers of one state. What it decides by is always asked again when it may have changed."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Permit] = {}
        self._doors: dict[tuple[object, ...], Door] = {}
        self._until = FOREVER
        """When the first of the answers may change by itself."""
        self._market, self._members = -1, -1
        """The last fact and the last coming or going of a supply that are known here."""
        self._epoch = 0

    def forget(self) -> None:
        """Something was said that may let somebody in, or out."""
        self._found.clear()
        self._doors.clear()
        self._until = FOREVER
        self._epoch += 1

    def epoch(self, state: State, at: Instant) -> int:
        """Of two moments with one number, each answer of the second is that of the first, and no price is another."""
        if self._members != state.supplies.members or at >= self._until:
            self._members = state.supplies.members
            self.forget()
        if self._market != state.market_seq:
            self._market = state.market_seq
            self._epoch += 1
        return self._epoch

    def of(self, state: State, ask: Ask, option: Option, chip: str, at: Instant) -> Permit:
        """The answers for one chip."""
        self.epoch(state, at)
        work, wanted = ask.workload, option.resources
        key = (
            chip, work.kind, work.team, work.product, work.model, work.customer, work.residency, ask.avoid,
            wanted.provider, wanted.site, option.gang_chips if "chips" in state.book.fields else 0,
        )  # fmt: skip
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= PERMITS_KEPT:
                self._found.clear()
            found = self._found[key] = _asked(state, ask, option, chip, at)
            if state.book.agreements:
                self._until = min(self._until, state.book.view(state.records.world_facts, at).until(at))
        return found

    def door(self, state: State, ask: Ask, at: Instant) -> Door:
        """The one through which all go who are let in alike, with nodes of one kind."""
        option, topology = ask.options[0], required(ask.workload)
        chips = [(one, chip) for one in ask.options for chip in one.chips or tuple(state.supplies.by_chip)]
        permits = tuple(
            dict.fromkeys(
                (chip, self.of(state, ask, one, chip, at))
                for one, chip in chips
                if chip in state.supplies.by_chip
            )
        )
        key = (permits, option.chips_per_node, topology)
        found = self._doors.get(key)
        if found is None:
            if len(self._doors) >= PERMITS_KEPT:
                self._doors.clear()
            found = self._doors[key] = Door(*key)
        return found


def _asked(state: State, ask: Ask, option: Option, chip: str, at: Instant) -> Permit:
    refused: dict[SupplyClass, Refusal] = {}
    counts: dict[Refusal, int] = {}
    classes = state.supplies.classes.get(chip, {})
    for kind, supplies in classes.items():
        refusal = refuse_class(state, ask, option, kind, chip, at)
        if refusal is not None:
            refused[kind] = refusal
            counts[refusal] = counts.get(refusal, 0) + supplies
    return Permit(refused, tuple(counts.items()), len(refused) == len(classes))
