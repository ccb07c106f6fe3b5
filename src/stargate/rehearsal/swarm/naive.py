"""A second, deliberately simple-minded judge of agreements.

It reads the papers and the facts, and shares no code with the broker. It knows the clauses that `promises` draws, and
errs on the side of saying nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from stargate.agreements import Agreement
from stargate.agreements.clause.access import ExclusiveServing, FirstRefusal, Residency
from stargate.agreements.clause.amendment import Amendment
from stargate.agreements.clause.life import ConditionPrecedent, Term, Trigger, Waiver
from stargate.base.time import Instant
from stargate.broker import Entry, State
from stargate.broker.fact import Declared, FactDeclared, Placed
from stargate.broker.sourcing.fact import (
    CoverGranted,
    LeaseSigned,
    OfferEnded,
    OfferMade,
    WaiverGranted,
)

LIFE = (Amendment, ConditionPrecedent, Term, Trigger, Waiver)
"""Kinds of clauses that let others begin, rest, change or end: when, is a longer story."""
REFUSED = frozenset({"declined", "cannot_meet", "lapsed", "waived", "partial", "not_taken", "unallocated"})


class Judge:
    """Fed with every entry in order."""

    def __init__(self) -> None:
        self._settled: Sequence[Agreement] = ()
        """Papers whose clauses neither begin, rest, change nor end before the paper does."""
        self._down: set[str] = set()
        """Facts that were ever declared to be so."""
        self._offers: dict[str, tuple[str, str]] = {}
        """Need and clause of each offer."""
        self._refused: set[tuple[str, str]] = set()
        """Needs and clauses whose holder refused (a part)."""
        self._waived: set[str] = set()
        """Clauses that were ever waived."""
        self._ended: set[str] = set()

    def see(self, state: State, entry: Entry) -> list[str]:
        """What this entry breaks; `state` is that after it."""
        fact = entry.fact
        if isinstance(fact, Placed):
            return self._placed(state, fact, entry.at)
        if isinstance(fact, LeaseSigned):
            return self._signed(state, fact, entry.at)
        if isinstance(fact, Declared):
            self._settled = tuple(one for one in fact.agreements if _settled(one))
        elif isinstance(fact, FactDeclared):
            self._down.add(fact.fact.name)
        elif isinstance(fact, OfferMade):
            self._offers[fact.offer] = (fact.need, fact.right.clause)
        elif isinstance(fact, OfferEnded):
            return self._offer_ended(fact)
        elif isinstance(fact, WaiverGranted):
            self._waived.add(fact.waiver.clause)
        elif isinstance(fact, CoverGranted):
            self._refused.add((fact.need, fact.clause))
        return []

    def _offer_ended(self, fact: OfferEnded) -> list[str]:
        twice = fact.offer in self._ended
        self._ended.add(fact.offer)
        if fact.outcome in REFUSED:
            self._refused.add(self._offers[fact.offer])
        return [f"offer {fact.offer} has ended twice"] if twice else []

    def _placed(self, state: State, fact: Placed, at: Instant) -> list[str]:
        found: list[str] = []
        work = state.records.workloads[fact.workload].workload
        pool = state.catalog_pools[fact.pool]
        place = state.sites[pool.site].jurisdiction
        party = state.providers[fact.provider].party
        for agreement in self._settled:
            for clause in agreement.clauses:
                if (
                    isinstance(clause, Residency)
                    and clause.min_share == 1
                    and work.product == "secret"
                    and not _inside(place, clause.jurisdictions)
                ):
                    found.append(
                        f"{fact.attempt} takes secrets to {place}, and {agreement.id} says {clause.jurisdictions}"
                    )
                if (
                    isinstance(clause, ExclusiveServing)
                    and (work.kind, work.product) == ("serve", "api")
                    and party != agreement.supplier
                    and not (clause.failover and f"down/{agreement.supplier}" in self._down)
                ):
                    found.append(f"{fact.attempt} serves the API with {party}, past {agreement.supplier}")
        if work.residency and not _inside(place, work.residency):
            found.append(f"{fact.attempt} leaves {work.residency} for {place}")
        if len(set(fact.nodes)) != work.nodes:
            found.append(f"{fact.attempt} has {len(set(fact.nodes))} nodes of a gang of {work.nodes}")
        marks = state.records.marks
        found += [
            f"{fact.attempt} starts although {mark} is {marks[mark]}"
            for mark in (f"pool:{pool.id}", f"site:{pool.site}", f"provider:{pool.provider}")
            if mark in marks
        ]
        lease = state.sourcing.leases.get(fact.supply)
        if lease is None and (pool.tenure == "market" or (pool.until is not None and at >= pool.until)):
            found.append(f"{fact.attempt} starts in {pool.id}, which nobody holds")
        if lease is not None and (lease.status != "active" or lease.pool != pool.id or at >= lease.until):
            found.append(f"{fact.attempt} starts under {lease.id}, which does not cover it")
        return found

    def _signed(self, state: State, fact: LeaseSigned, at: Instant) -> list[str]:
        if fact.clause:
            return []  # a holder takes it: nobody of a lower rank is asked
        found = []
        need = state.sourcing.needs[fact.need]
        for agreement in self._settled:
            for clause in agreement.clauses:
                if not isinstance(clause, FirstRefusal) or fact.party == agreement.supplier:
                    continue
                if clause.threshold_chips or clause.until is not None:
                    continue  # whether it covers this need is a longer story
                name = f"{agreement.id}/{clause.id}"
                asked = {need.id, need.root} | ({need.parent} if need.parent else set())
                if name in self._waived or any((one, name) in self._refused for one in asked):
                    continue
                found.append(f"{fact.lease} is signed with {fact.party} although nobody asked under {name}")
        return found


def _settled(agreement: Agreement) -> bool:
    return not any(
        isinstance(clause, LIFE) or clause.exception_to or clause.suspended_by for clause in agreement.clauses
    )


def _inside(place: str, areas: Sequence[str]) -> bool:
    return any(place == area or place.startswith(f"{area}-") for area in areas)
