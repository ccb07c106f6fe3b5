"""What the filters of single offers said of gangs of one shape, kept until they may say something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stargate.base.time import FOREVER, Instant
from stargate.broker.filters import Refusal, refuse_supply

if TYPE_CHECKING:
    from stargate.broker.ask import Ask, Option
    from stargate.broker.state import State
    from stargate.broker.supply import Supply

    Known = dict[str, Refusal | None]
    """Supply to why it is out, or None where it is not; what is missing was not asked yet."""

SHAPES_KEPT = 200
_NEVER_ASKED = Refusal("place", "")


class Verdicts:
    """Remembered answers of one state: those that depend on no time and on no money left."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Known] = {}
        self._market, self._members = -1, -1
        """The last fact and the last coming or going of a supply that are known here."""

    def of(self, state: State, ask: Ask, option: Option) -> Known | None:
        """Of offers to one alternative of an ask; None: they have to be asked every time."""
        if ask.budget_micro_usd is not None or "pool" in state.book.fields:
            return None
        if self._market != state.market_seq or self._members != state.supplies.members:
            self._market, self._members = state.market_seq, state.supplies.members
            self._found.clear()
        key = (
            option.resources.pool, option.nodes, option.chips_per_node, option.cap_micro_usd_per_chip_hour,
            ask.workload.topology.required, () if option.size is None else option.size.fabrics,
        )  # fmt: skip
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= SHAPES_KEPT:
                self._found.clear()
            found = self._found[key] = {}
        return found


def verdict(
    state: State, ask: Ask, option: Option, supply: Supply, at: Instant, known: Known | None
) -> Refusal | None:
    """What `refuse_supply` says."""
    if known is None or supply.until < FOREVER:
        return refuse_supply(state, ask, option, supply, at)
    found = known.get(supply.id, _NEVER_ASKED)
    if found is _NEVER_ASKED:
        found = known[supply.id] = refuse_supply(state, ask, option, supply, at)
    return found
