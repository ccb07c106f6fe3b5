"""What sourcing needs to see of the broker. State satisfies it; tests bring a small world of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from stargate.agreements import Decision, Fate, Request
from stargate.agreements.right import Right
from stargate.base.time import Instant
from stargate.broker.policy import SourcingPolicy
from stargate.broker.sourcing.records import Need, SourcingState
from stargate.catalog import Pool, Provider, Site


class View(Protocol):
    """Read-only."""

    @property
    def sourcing(self) -> SourcingState:
        """Needs, offers, quotes, leases and their timers."""

    @property
    def sourcing_policy(self) -> SourcingPolicy:
        """How to buy where agreements leave the choice."""

    @property
    def catalog_pools(self) -> Mapping[str, Pool]:
        """Every pool by id."""

    @property
    def providers(self) -> Mapping[str, Provider]:
        """Every provider by id."""

    @property
    def sites(self) -> Mapping[str, Site]:
        """Every site by id."""

    def unchanged(self, at: Instant) -> bool:
        """Whether a review would find what the last one found."""

    def note_review(self) -> None:
        """A review has found nothing: a note for `unchanged` that is no part of the records."""

    def wanted(self, need: Need) -> bool:
        """Whether the work that a need was opened for still waits for it."""

    def chip_id(self, name: str) -> str:
        """The catalog's id of a chip as a person calls it. Raises NotFoundError."""

    def status_of(self, pool: Pool) -> str:
        """`up`, `draining` or `lost`."""

    def nodes_at(self, pool: Pool, at: Instant) -> int:
        """Operational nodes: as counted where somebody counts, else as the catalog says for `at`."""

    def rights(self, at: Instant, request: Request) -> tuple[Right, ...]:
        """Live first-refusal rights that cover the request, in rank order; suspended ones say why."""

    def fate(self, at: Instant, right: Right) -> Fate:
        """What has become of a right under which an offer is open."""

    def decision(self, at: Instant, request: Request) -> Decision:
        """What the agreements say to the request."""
