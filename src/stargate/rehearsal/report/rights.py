"""Rights of first refusal as their facts come: who was asked, what each said, which deals followed."""

from __future__ import annotations

from collections import Counter

import msgspec

from stargate.base.time import SECOND, Instant
from stargate.broker import State
from stargate.broker.sourcing.fact import LeaseSigned, OfferEnded, OfferMade
from stargate.rehearsal.report.summary import Deal, Refusals

DEALS_LIMIT = 10_000
"""Deals that are listed."""


class Asked(msgspec.Struct):
    """Sums over the offers under one clause."""

    holder: str
    offers: int = 0
    outcomes: Counter[str] = msgspec.field(default_factory=Counter)
    offered_chips: int = 0
    taken_chips: int = 0
    leases: int = 0
    ended: int = 0
    answered_us: int = 0


class Rights:
    """All offers, by the clause they were made under."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self._open: dict[str, tuple[str, int]] = {}
        self.deals: list[Deal] = []

    def adopt(self, state: State, at: int) -> None:
        """Go on from a state: what is open is answered here."""
        for offer in state.records.sourcing.offers.values():
            if offer.status in {"offered", "subscribed"}:
                self._ask(offer.id, offer.right.clause, offer.right.holder, offer.chips, at)

    def offered(self, fact: OfferMade, at: Instant) -> None:
        """A holder is asked."""
        self._ask(fact.offer, fact.right.clause, fact.right.holder, fact.chips, at)

    def _ask(self, offer: str, clause: str, holder: str, chips: int, at: int) -> None:
        asked = self._asked.setdefault(clause, Asked(holder))
        asked.offers += 1
        asked.offered_chips += chips
        self._open[offer] = (clause, at)

    def answered(self, fact: OfferEnded, at: Instant) -> None:
        """An offer is over."""
        clause, since = self._open.pop(fact.offer)
        asked = self._asked[clause]
        asked.outcomes[fact.outcome] += 1
        asked.taken_chips += fact.taken_chips
        asked.ended += 1
        asked.answered_us += at - since

    def signed(self, fact: LeaseSigned, at: Instant) -> None:
        """A deal."""
        if fact.clause in self._asked:
            self._asked[fact.clause].leases += 1
        if len(self.deals) < DEALS_LIMIT:
            self.deals.append(
                Deal(
                    id=fact.lease,
                    at=at,
                    provider=fact.provider,
                    pool=fact.pool,
                    chips=fact.chips,
                    price_micro_usd_per_chip_hour=fact.price_micro_usd_per_chip_hour,
                    start=fact.start,
                    until=fact.until,
                    agreement=fact.agreement,
                    clause=fact.clause,
                    says=fact.grounds[0].says if fact.grounds else "",
                )
            )

    def figures(self) -> tuple[Refusals, ...]:
        """By clause."""
        still = Counter(clause for clause, _ in self._open.values())
        return tuple(
            Refusals(
                clause=clause,
                holder=asked.holder,
                offers=asked.offers,
                outcomes=dict(sorted({**asked.outcomes, "open": still[clause]}.items()))
                if still[clause]
                else dict(sorted(asked.outcomes.items())),
                offered_chips=asked.offered_chips,
                taken_chips=asked.taken_chips,
                leases=asked.leases,
                average_answer_seconds=round(asked.answered_us / max(1, asked.ended) / SECOND, 6),
            )
            for clause, asked in sorted(self._asked.items())
        )
