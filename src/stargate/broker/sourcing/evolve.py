"""Sourcing facts into state: policy-free, total, in place. Asserts that a fact could have happened.

`apply` knows sourcing alone; `evolve` also tells the broker's state which leases may be placed on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from stargate.base.time import Instant
from stargate.broker.sourcing import evolve_lease, evolve_need, evolve_offer
from stargate.broker.sourcing import fact as facts
from stargate.broker.sourcing.records import (
    Lease,
    SourcingState,
)

if TYPE_CHECKING:
    from stargate.broker.fact import Entry


class Host(Protocol):
    """What the broker's state does when leases come and go."""

    @property
    def sourcing(self) -> SourcingState:
        """What is changed here."""

    def add_lease(self, lease: Lease) -> None:
        """The lease may be placed on."""

    def drop_supply(self, supply_id: str) -> None:
        """It may no longer be placed on."""


def evolve(state: Host, entry: Entry) -> None:
    """Apply one journalled sourcing fact. Raises AssertionError if it cannot have happened."""
    fact = entry.fact
    apply(state.sourcing, fact, entry.at)
    if isinstance(fact, facts.LeaseActivated):
        state.add_lease(state.sourcing.leases[fact.lease])
    elif isinstance(fact, facts.LeaseResized):
        state.drop_supply(fact.lease)
        state.add_lease(state.sourcing.leases[fact.lease])
    elif isinstance(fact, facts.LeaseEnded):
        state.drop_supply(fact.lease)


def apply(sourcing: SourcingState, fact: Any, at: Instant) -> None:
    """Apply one sourcing fact that happened at `at`."""
    _HANDLERS[type(fact)](sourcing, fact, at)


_HANDLERS: dict[type, Callable[[SourcingState, Any, Instant], None]] = {
    **evolve_need.HANDLERS,
    **evolve_offer.HANDLERS,
    **evolve_lease.HANDLERS,
}
