"""The best deal that may be signed, and what has to happen before it is: nothing, an offer, or a new one."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from stargate.agreements.refusal import Incomparable, Outside
from stargate.base.time import Instant
from stargate.broker.ground import Ground
from stargate.broker.policy import SourcingPolicy
from stargate.broker.sourcing.ceiling import under_refusal
from stargate.broker.sourcing.fact import NeedWaits, QuoteEnded, SourcingFact, TermsChanged
from stargate.broker.sourcing.lease import sign_holder, sign_third
from stargate.broker.sourcing.market import LISTED, Candidate, survey
from stargate.broker.sourcing.offer import make
from stargate.broker.sourcing.records import Need
from stargate.broker.sourcing.rights import Standing
from stargate.broker.sourcing.view import View

Plan = tuple[Candidate, ...]
"""Deals that together serve all that is missing."""


@dataclass(frozen=True, slots=True)
class Hurdle:
    """Why a deal cannot be signed yet: a holder must be asked (again)."""

    standing: Standing
    found: Outside | Incomparable | None
    """None: it was never asked about such a deal."""


def decide_award(
    view: View, need: Need, at: Instant, standings: tuple[Standing, ...], chosen: str = ""
) -> tuple[SourcingFact, ...]:
    """Sign the best deal, or ask the holder who must be asked first, or wait. Never empty.

    `chosen`: this quote is taken, even if it is not the best or only for a part.
    """
    seen = survey(view, need, at)
    grounds = seen.grounds()
    if view.sourcing_policy.manual_award and not chosen:
        return (NeedWaits(need.id, "award", grounds),)
    if chosen:
        plan = tuple(one for one in seen.possible if one.quote == chosen)
    else:
        plan = best(view, need, seen.possible, at, standings)
    if not plan:
        return (NeedWaits(need.id, "quotes", grounds or (Ground("nobody offers anything"),)),)
    facts: list[SourcingFact] = []
    offered = len(need.leases)
    for candidate in plan:
        hurdles = hurdles_of(view, need, candidate, at, standings)
        if hurdles and not facts:
            return _ask(view, need, candidate, hurdles, at, grounds)
        if hurdles:
            break  # what can be signed is signed; the rest is looked at again
        facts += _sign(view, need, candidate, offered + 1, at, grounds)
        offered += 1
        if standings_change(standings):
            break
    return tuple(facts)


def standings_change(standings: tuple[Standing, ...]) -> bool:
    """Whether one signature may change what the next one needs: some right binds what is missing."""
    return any(one.right.mode == "match" and one.chips for one in standings)


def best(
    view: View, need: Need, candidates: list[Candidate], at: Instant, standings: tuple[Standing, ...]
) -> Plan:
    """The cheapest way to serve everything: within the refusals that stand if possible, else outside them."""
    within: list[Candidate] = []
    outside: list[Candidate] = []
    for candidate in candidates:
        found = [one.found for one in hurdles_of(view, need, candidate, at, standings)]
        (outside if any(one is not None for one in found) else within).append(candidate)
    policy = view.sourcing_policy
    return _cheapest(policy, need, within) or _cheapest(policy, need, [*within, *outside])


def _cheapest(policy: SourcingPolicy, need: Need, candidates: list[Candidate]) -> Plan:
    preference = {provider: place for place, provider in enumerate(policy.preferred_providers)}

    def rank(one: Candidate) -> tuple[int, int, bool, str]:
        place = preference.get(one.pool.provider, len(preference))
        return (one.score_per_chip, place, one.quote.startswith(LISTED), one.quote)

    ranked = sorted(candidates, key=rank)
    single: Plan = next(((one,) for one in ranked if one.terms.chips == need.missing_chips), ())
    if need.requirement.topology != "any":
        return single
    parts = _combined(policy, need, ranked)
    if not parts or (single and _total(single) <= _total(parts)):
        return single
    return parts


def _combined(policy: SourcingPolicy, need: Need, ranked: list[Candidate]) -> Plan:
    """The cheapest parts first, until nothing is missing; each pool once. Empty: not within the bound of parts."""
    left = need.missing_chips
    parts: list[Candidate] = []
    pools: set[str] = set()
    for candidate in ranked:
        if not left or len(parts) == policy.max_parts:
            break
        chips = min(left, candidate.terms.chips)
        if candidate.pool.id in pools or chips < candidate.pool.min_chips:
            continue
        parts.append(candidate.cut(chips))
        pools.add(candidate.pool.id)
        left -= chips
    return tuple(parts) if left == 0 else ()


def _total(plan: Plan) -> int:
    return sum(one.score for one in plan)


def hurdles_of(
    view: View, need: Need, candidate: Candidate, at: Instant, standings: tuple[Standing, ...]
) -> tuple[Hurdle, ...]:
    """Every right that stands in the way of this deal, in rank order."""
    hurdles = []
    for standing in standings:
        found = under_refusal(view, need, standing, candidate, at)
        if found is None or isinstance(found, Outside | Incomparable):
            hurdles.append(Hurdle(standing, found))
    return tuple(hurdles)


def _ask(
    view: View,
    need: Need,
    candidate: Candidate,
    hurdles: tuple[Hurdle, ...],
    at: Instant,
    grounds: tuple[Ground, ...],
) -> tuple[SourcingFact, ...]:
    """Arm again every right whose refusal the deal goes beyond; or put the deal before the first holder."""
    changed = [hurdle for hurdle in hurdles if hurdle.found is not None]
    if changed:
        return tuple(
            _changed(need, candidate, hurdle, need.version + number, grounds)
            for number, hurdle in enumerate(changed, 1)
        )
    right, terms = hurdles[0].standing.right, candidate.terms
    chips = min(hurdles[0].standing.chips, terms.chips)
    made = make(view, need, right, at, chips=chips, number=len(need.offers) + 1, grounds=grounds)
    put = msgspec.structs.replace(terms, chips=chips)
    return (msgspec.structs.replace(made, terms=put, quote=candidate.quote),)


def _changed(
    need: Need, candidate: Candidate, hurdle: Hurdle, version: int, grounds: tuple[Ground, ...]
) -> TermsChanged:
    found, right = hurdle.found, hurdle.standing.right
    assert found is not None, "the deal goes beyond a refusal"
    outside = found.terms if isinstance(found, Outside) else (*found.better, *found.unlike)
    says = f"better for {candidate.party} than what {right.holder} refused: {found.says}"
    return TermsChanged(
        need=need.id,
        clause=right.clause,
        version=version,
        quote=candidate.quote,
        terms=candidate.terms,
        outside=outside,
        grounds=(Ground(says, clause=right.clause), *grounds),
    )


def _sign(
    view: View, need: Need, candidate: Candidate, number: int, at: Instant, grounds: tuple[Ground, ...]
) -> tuple[SourcingFact, ...]:
    quote = view.sourcing.quotes.get(candidate.quote)
    told = (Ground(f"{candidate.quote} is the best deal that may be signed"), *grounds)
    if quote is None:
        return (sign_third(view, need, candidate.pool, candidate.terms, candidate.quote, number, told),)
    ended = QuoteEnded(quote.id, "signed", (Ground("it was awarded"),))
    if quote.offer:
        offer = view.sourcing.offers[quote.offer]
        signed = sign_holder(view, need, offer, candidate.pool, candidate.terms, number, told)
        return (ended, msgspec.structs.replace(signed, quote=quote.id))
    return (ended, sign_third(view, need, candidate.pool, candidate.terms, quote.id, number, told))
