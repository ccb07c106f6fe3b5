"""Who is let in where: the answers of the class filters for one kind of request, kept until they may change.

Thousands of workloads differ in size and run time only. Agreements, residency and health say the same to all of them,
until something is declared, marked or learned, or a date of an agreement comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stargate.base.time import FOREVER, Instant
from stargate.broker.filters import refuse_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stargate.broker.ask import Ask, Option
    from stargate.broker.filters import Refusal
    from stargate.broker.state import State
    from stargate.broker.supply import SupplyClass

PERMITS_KEPT = 10_000
"""Kinds of request whose answers are remembered."""


class Permit(NamedTuple):
    """Which classes of one chip a kind of request may not use."""

    refused: Mapping[SupplyClass, Refusal]
    counts: tuple[tuple[Refusal, int], ...]
    """Each refusal with the supplies that it excludes."""
    all_refused: bool
    """There is no class of this chip that lets it in."""


class Permits:
    """Remembered answers of one state. What it decides by is always asked again when it may have changed."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Permit] = {}
        self._until = FOREVER
        """When the first of the answers may change by itself."""
        self._market, self._changes = -1, -1
        """The last fact and the last change of a supply that the answers know of."""
        self._epoch = 0

    def epoch(self, state: State, at: Instant) -> int:
        """Of two moments with one number, each answer of the second is that of the first."""
        if self._market != state.market_seq or self._changes != state.supplies.changes or at >= self._until:
            self._found.clear()
            self._market, self._changes, self._until = state.market_seq, state.supplies.changes, FOREVER
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
