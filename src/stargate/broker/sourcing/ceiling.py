"""What a refusal allows: whether a deal is within what the holder was shown and did not take."""

from __future__ import annotations

import msgspec

from stargate.agreements.refusal import (
    Comparison,
    Outside,
    Within,
    compare,
    compare_as_a_whole,
    later,
)
from stargate.agreements.right import Terms
from stargate.base.time import Duration, Instant
from stargate.broker.sourcing.market import Candidate
from stargate.broker.sourcing.records import Need, Refusal
from stargate.broker.sourcing.request import current
from stargate.broker.sourcing.rights import Standing
from stargate.broker.sourcing.view import View


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
