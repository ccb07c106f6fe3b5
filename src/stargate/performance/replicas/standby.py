"""How many replicas to run beyond those needed, so that enough are up for nearly all the time."""

from __future__ import annotations

import math

from stargate.base.errors import InputError, Problem

STANDBY_LIMIT = 100_000


def standby(needed: int, away: float, availability: float) -> int:
    """The fewest replicas beyond `needed` with which `needed` are up for the share `availability` of time.

    Each replica is away for the share `away` of time, apart from the others: those away follow a binomial
    distribution. Replicas that fail together (a rack, a provider) are not in this. Raises InputError where no
    number is enough (`away` at 1, `availability` at 1) or more than `STANDBY_LIMIT` were needed.
    """
    if not (0 <= away < 1 and 0 <= availability < 1):
        raise InputError(
            (
                Problem(
                    "no number of replicas is always enough",
                    "Ask for an availability below 1, of replicas that are up at times.",
                    path="availability",
                ),
            )
        )
    if away == 0:
        return 0
    # More needed means more away: the search begins where the mean number away is covered.
    extra = max(0, math.floor(needed * away / (1 - away)) - 1)
    while extra > 0 and _up(needed, extra - 1, away) >= availability:
        extra -= 1
    while _up(needed, extra, away) < availability:
        extra += 1
        if extra > STANDBY_LIMIT:
            raise InputError(
                (
                    Problem(
                        f"more than {STANDBY_LIMIT} replicas would stand by",
                        "Ask for less availability, or for replicas that restart sooner.",
                        path="availability",
                    ),
                )
            )
    return extra


def _up(needed: int, extra: int, away: float) -> float:
    """Share of time in which at most `extra` of `needed + extra` replicas are away."""
    total, log_odds = needed + extra, math.log(away) - math.log1p(-away)
    term = total * math.log1p(-away)
    found = 0.0
    for number in range(extra + 1):
        found += math.exp(term)
        term += math.log(total - number) - math.log(number + 1) + log_odds
    return min(found, 1.0)
