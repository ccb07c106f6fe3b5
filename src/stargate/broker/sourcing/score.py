"""What a deal is worth comparing by: its price, and what its terms cost beside the price."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from stargate.agreements.right import Requirement, Terms
from stargate.base.money import cost_micro_usd
from stargate.base.time import DAY, Instant
from stargate.broker.policy import SourcingPolicy

PREFERENCE_FRACTION = Decimal("0.01")
"""What a clause that prefers a provider is worth, as a fraction of the deal."""

_YEAR = Decimal(365 * DAY)


def score_micro_usd(
    policy: SourcingPolicy, requirement: Requirement, terms: Terms, at: Instant, *, preferred: bool
) -> int:
    """Total cost in micro-USD, rounded up.

    Price x chips x term; plus the cost of capital on what is prepaid, for half the term, because it would
    otherwise be paid evenly; plus the delay until the start; plus the risk of a start close to the latest
    one; less a small preference where a clause prefers the provider.
    """
    price = terms.price_micro_usd_per_chip_hour or 0
    total = Decimal(cost_micro_usd(price, terms.chips, terms.duration))
    rate = policy.capital_cost_fraction_per_year
    prepaid = total * terms.prepayment * rate * Decimal(int(terms.duration)) / _YEAR / 2
    delay = total * policy.delay_cost_fraction_per_day * Decimal(max(0, terms.start - at)) / DAY
    score = total + prepaid + delay + total * _risk(policy, requirement, terms, at)
    if preferred:
        score -= total * PREFERENCE_FRACTION
    return int(score.to_integral_value(rounding=ROUND_CEILING))


def _risk(policy: SourcingPolicy, requirement: Requirement, terms: Terms, at: Instant) -> Decimal:
    """A start that uses up the whole time until the latest one may be late: a day's delay at worst."""
    room = requirement.start_by - at
    if room <= 0:
        return Decimal(0)
    used = Decimal(max(0, terms.start - at)) / Decimal(room)
    return policy.delay_cost_fraction_per_day * min(Decimal(1), used)
