"""Who could serve what is missing: standing offers of the catalog and quotes, each judged, none forgotten.

A candidate is looked at in this order: does it fit, may it be used, may it be signed under the refusals that
stand. What is left out stays in the list with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from stargate.agreements.refusal import (
    Comparison,
    Outside,
    Within,
    compare,
    compare_as_a_whole,
    later,
    unmet,
)
from stargate.agreements.right import Requirement, Terms
from stargate.base.money import format_usd
from stargate.base.time import Duration, Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.fit import free_chips, misfits, standing_terms
from stargate.broker.sourcing.lease import starting
from stargate.broker.sourcing.permit import objection, preferred
from stargate.broker.sourcing.records import Need, Quote, Refusal
from stargate.broker.sourcing.request import current, term
from stargate.broker.sourcing.rights import Standing
from stargate.broker.sourcing.score import score_micro_usd
from stargate.broker.sourcing.view import View
from stargate.catalog import Pool

LISTED = "list:"
"""A standing offer of the catalog as a quote: `list:<pool>`."""

GROUNDS_LIMIT = 40
"""Candidates that a fact lists one by one; the rest are counted by reason."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One deal that could be made now, for as many chips as it has and the need misses."""

    quote: str
    pool: Pool
    party: str
    terms: Terms
    score: int
    """Micro-USD for these chips over the term, with what the terms cost beside the price."""

    @property
    def score_per_chip(self) -> int:
        """For comparing deals of unlike size; rounded up."""
        return -(-self.score // self.terms.chips)

    def cut(self, chips: int) -> Candidate:
        """The same deal for fewer chips."""
        terms = msgspec.structs.replace(self.terms, chips=chips)
        return Candidate(self.quote, self.pool, self.party, terms, self.score_per_chip * chips)

    @property
    def ground(self) -> Ground:
        """The candidate with its score, on record."""
        price = self.terms.price_micro_usd_per_chip_hour or 0
        return Ground(
            f"{self.quote} ({self.pool.provider}): {self.terms.chips} chips at {format_usd(price)} per chip-hour "
            f"from {self.terms.start}, score {format_usd(self.score)}"
        )


@dataclass(frozen=True, slots=True)
class Left:
    """A deal that is left out, and why; `kind` groups what is not worth a line each."""

    quote: str
    kind: str
    ground: Ground


@dataclass(slots=True)
class Survey:
    """Everything the market has to say to a need now."""

    possible: list[Candidate]
    left: list[Left]

    def grounds(self) -> tuple[Ground, ...]:
        """Every candidate with its score or its reason; the many alike are counted."""
        ranked = sorted(self.possible, key=lambda one: (one.score_per_chip, one.quote))
        told = [one.ground for one in ranked[:GROUNDS_LIMIT]]
        by_clause = [one for one in self.left if one.ground.clause or not one.kind]
        told += [one.ground for one in by_clause[: max(0, GROUNDS_LIMIT - len(told))]]
        counted = Counter(one.kind for one in self.left if one.kind and not one.ground.clause)
        told += [Ground(f"{count} left out: {kind}") for kind, count in sorted(counted.items())]
        return tuple(told)


def survey(view: View, need: Need, at: Instant) -> Survey:
    """Look at every standing offer and open quote."""
    found = Survey([], [])
    for quote, pool, terms, free in _offers(view, need, at):
        judged = _judge(view, need, quote, pool, terms, free, at)
        if isinstance(judged, Left):
            found.left.append(judged)
        else:
            found.possible.append(judged)
    return found


def _offers(view: View, need: Need, at: Instant) -> Iterator[tuple[str, Pool, Terms | None, int]]:
    requirement = current(need, at)
    for pool in view.catalog_pools.values():
        if pool.tenure == "market":
            terms = standing_terms(view, need, pool, need.missing_chips, at)
            free = 0 if terms is None else free_chips(view, requirement, pool, terms.start)
            yield f"{LISTED}{pool.id}", pool, terms, free
    for quote in open_quotes(view, need, at):
        yield quote.id, view.catalog_pools[quote.pool], starting(quote.terms, at), quote.terms.chips


def open_quotes(view: View, need: Need, at: Instant) -> tuple[Quote, ...]:
    """Quotes that can still be taken, for pools that the catalog still has."""
    return tuple(
        quote
        for id in need.quotes
        if (quote := view.sourcing.quotes[id]).status == "open"
        and at < quote.valid_until
        and quote.pool in view.catalog_pools
    )


def _judge(
    view: View, need: Need, quote: str, pool: Pool, terms: Terms | None, free: int, at: Instant
) -> Candidate | Left:
    requirement = current(need, at)
    chips = _usable(requirement, need.missing_chips, free)
    kind = _unfit(view, need, requirement, pool, terms, chips, at)
    if kind or terms is None:
        return Left(quote, kind, Ground(f"{quote}: {kind}"))
    ground = objection(view, need, pool, chips, at)
    if ground is not None:
        kind = "" if ground.clause else ground.says.partition(" ")[2]
        told = Ground(f"{quote}: {ground.says}", clause=ground.clause, facts=ground.facts)
        return Left(quote, kind, told)
    terms = msgspec.structs.replace(terms, chips=chips)
    likes = preferred(view, need, pool, chips, at)
    score = score_micro_usd(view.sourcing_policy, requirement, terms, at, preferred=likes)
    return Candidate(quote, pool, view.providers[pool.provider].party, terms, score)


def _usable(requirement: Requirement, missing: int, free: int) -> int:
    """Chips of a deal: whole nodes, as many as are missing and free; all or nothing unless parts will do."""
    chips = min(missing, free)
    if requirement.topology != "any" and chips < missing:
        return 0
    return chips - chips % requirement.chips_per_node


def _unfit(
    view: View,
    need: Need,
    requirement: Requirement,
    pool: Pool,
    terms: Terms | None,
    chips: int,
    at: Instant,
) -> str:
    """Why the deal does not fit, in words that many deals may share; empty: it fits."""
    wrong = misfits(view, requirement, pool, max(chips, 1))
    if wrong:
        return f"does not meet {', '.join(wrong)}"
    if view.status_of(pool) != "up":
        return f"the pool is {view.status_of(pool)}"
    if terms is None:
        return "no price is known"
    left = term(need, terms.start)
    if left <= 0:
        return "it would start after the term has ended"
    wrong = unmet(msgspec.structs.replace(requirement, duration=left), terms)
    if wrong:
        return f"does not meet {', '.join(wrong)}"
    if chips < 1:
        return "too few chips are free"
    if chips < pool.min_chips:
        return "less is needed than is sold"
    if pool.max_duration is not None and terms.duration > pool.max_duration:
        return "it is not sold for so long"
    return ""


# -- what refusals allow -----------------------------------------------------------------------------------


def under_refusal(
    view: View, need: Need, standing: Standing, candidate: Candidate, at: Instant
) -> Comparison | None:
    """The deal against what the right's holder refused; None: it has not been asked about such a deal.

    A deal with the holder itself is none with a third party.
    """
    right = standing.right
    if standing.chips == 0 or candidate.party == right.holder:
        return Within()
    refusal = standing.refusal
    if refusal is None:
        return None
    if not refusal.divisible and candidate.terms.chips < min(refusal.chips, need.missing_chips):
        says = (
            f"{candidate.terms.chips} chips are a lesser amount than the {refusal.chips} refused as a whole"
        )
        return Outside(("chips",), says)
    if refusal.terms is None:
        return Within()
    refused = _moved(refusal, at)
    requirement = current(need, at)
    if right.comparison == "per_term":
        return compare(refused, candidate.terms, requirement, divisible=refusal.divisible)
    return compare_as_a_whole(
        refused,
        candidate.terms,
        requirement,
        tolerance=right.tolerance,
        annual_discount_fraction=view.sourcing_policy.capital_cost_fraction_per_year,
        divisible=refusal.divisible,
    )


def _moved(refusal: Refusal, at: Instant) -> Terms:
    """The refused terms with their lead time counted from now: waiting for holders is no better deal."""
    terms = refusal.terms
    assert terms is not None, "there are terms to move"
    return msgspec.structs.replace(terms, start=later(terms.start, Duration(at - refusal.at)))
