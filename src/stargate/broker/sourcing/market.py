"""Who could serve what is missing: standing offers of the catalog and quotes, each judged, none forgotten.

A candidate is looked at in this order: does it fit, is it there, may it be used. What is left out is told
with its reason; where many are left out for the same reason, they are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from stargate.agreements.refusal import unmet
from stargate.agreements.right import Requirement, Terms
from stargate.base.errors import NotFoundError
from stargate.base.money import format_usd
from stargate.base.time import Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.fit import free_chips, misfits, standing_terms
from stargate.broker.sourcing.lease import starting
from stargate.broker.sourcing.permit import permit
from stargate.broker.sourcing.records import Need, Quote
from stargate.broker.sourcing.request import current, term
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


@dataclass(slots=True)
class Survey:
    """Everything the market has to say to a need now."""

    possible: list[Candidate] = field(default_factory=list)
    closed: list[tuple[str, Ground]] = field(default_factory=list)
    """Quotes that a clause excludes."""
    unfit: Counter[str] = field(default_factory=Counter)
    """How many were left out, by reason."""

    def grounds(self) -> tuple[Ground, ...]:
        """Every candidate with its score or its reason; the many alike are counted."""
        ranked = sorted(self.possible, key=lambda one: (one.score_per_chip, one.quote))
        told = [one.ground for one in ranked[:GROUNDS_LIMIT]]
        room = GROUNDS_LIMIT - len(told)
        told += [ground for _, ground in self.closed[:room]]
        told += [
            Ground(f"{count} more are closed by the same clause", clause=clause)
            for clause, count in sorted(Counter(one.clause for _, one in self.closed[room:]).items())
        ]
        told += [Ground(f"{count} left out: {kind}") for kind, count in sorted(self.unfit.items())]
        if len(ranked) > GROUNDS_LIMIT:
            told.append(Ground(f"{len(ranked) - GROUNDS_LIMIT} more could serve it, at higher scores"))
        return tuple(told)


def survey(view: View, need: Need, at: Instant) -> Survey:
    """Look at every standing offer and open quote."""
    look = _Look(view, need, at)
    found = Survey()
    for quote, pool, quoted in _offers(view, need, at):
        judged = look.judge(quote, pool, quoted)
        if isinstance(judged, Candidate):
            found.possible.append(judged)
        elif isinstance(judged, Ground):
            found.closed.append((quote, judged))
        else:
            found.unfit[judged] += 1
    return found


def why_not(view: View, need: Need, quote: str, at: Instant) -> Ground | None:
    """Why a quote cannot be taken; None: it can. Raises NotFoundError if there is none of that name."""
    for name, pool, quoted in _offers(view, need, at):
        if name == quote:
            judged = _Look(view, need, at).judge(name, pool, quoted)
            if isinstance(judged, Candidate):
                return None
            return judged if isinstance(judged, Ground) else Ground(f"{quote}: {judged}")
    raise NotFoundError(
        f"no open quote {quote!r} for {need.id}",
        "`stargate needs` shows what is wanted",
    )


def _offers(view: View, need: Need, at: Instant) -> Iterator[tuple[str, Pool, Terms | None]]:
    """Standing offers (their terms are still to be worked out), then quotes."""
    for pool in view.catalog_pools.values():
        if pool.tenure == "market":
            yield f"{LISTED}{pool.id}", pool, None
    for quote in open_quotes(view, need, at):
        yield quote.id, view.catalog_pools[quote.pool], starting(quote.terms, at)


def open_quotes(view: View, need: Need, at: Instant) -> tuple[Quote, ...]:
    """Quotes that can still be taken, for pools that the catalog still has."""
    return tuple(
        quote
        for id in need.quotes
        if (quote := view.sourcing.quotes[id]).status == "open"
        and at < quote.valid_until
        and quote.pool in view.catalog_pools
    )


class _Look:
    """One look at the market for one need; what is the same for all offers is worked out once."""

    def __init__(self, view: View, need: Need, at: Instant) -> None:
        self._view = view
        self._need = need
        self._at = at
        self._wanted = current(need, at)

    def judge(self, quote: str, pool: Pool, quoted: Terms | None) -> Candidate | Ground | str:
        """A candidate; or the clause that excludes it; or, in a few words that many may share, why it is unfit."""
        allowed = self._wanted.chip_types
        if allowed and pool.chip not in allowed:
            return "does not meet chip_types"
        wrong = misfits(self._view, self._wanted, pool, 1)
        if wrong:
            return f"does not meet {', '.join(wrong)}"
        status = self._view.status_of(pool)
        if status != "up":
            return f"the pool is {status}"
        terms = quoted or standing_terms(self._view, self._need, pool, self._need.missing_chips, self._at)
        if terms is None:
            return "no price is known, or no term is left"
        free = free_chips(self._view, self._wanted, pool, terms.start) if quoted is None else terms.chips
        chips = _usable(self._wanted, self._need.missing_chips, free)
        return self._unfit(pool, terms, chips) or self._candidate(quote, pool, terms, chips)

    def _unfit(self, pool: Pool, terms: Terms, chips: int) -> str:
        left = term(self._need, terms.start)
        if left <= 0:
            return "it would start after the term has ended"
        wrong = unmet(msgspec.structs.replace(self._wanted, duration=left), terms)
        wrong += misfits(self._view, self._wanted, pool, max(chips, 1))
        if wrong:
            return f"does not meet {', '.join(wrong)}"
        if chips < 1:
            return "too few chips are free"
        if chips < pool.min_chips:
            return "less is needed than is sold"
        if pool.max_duration is not None and terms.duration > pool.max_duration:
            return "it is not sold for so long"
        return ""

    def _candidate(self, quote: str, pool: Pool, terms: Terms, chips: int) -> Candidate | Ground | str:
        view, need = self._view, self._need
        said = permit(view, need, pool, chips, self._at)
        if said.ground is not None and not said.ground.clause:
            return said.ground.says
        if said.ground is not None:
            return msgspec.structs.replace(said.ground, says=f"{quote}: {said.ground.says}")
        terms = msgspec.structs.replace(terms, chips=chips)
        policy = view.sourcing_policy
        score = score_micro_usd(policy, self._wanted, terms, self._at, preferred=said.preferred)
        return Candidate(quote, pool, view.providers[pool.provider].party, terms, score)


def _usable(requirement: Requirement, missing: int, free: int) -> int:
    """Chips of a deal: whole nodes, as many as are missing and free; all or nothing unless parts will do."""
    chips = min(missing, free)
    if requirement.topology != "any" and chips < missing:
        return 0
    return chips - chips % requirement.chips_per_node
