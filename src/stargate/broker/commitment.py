"""Committed spend: what is owed whether it is used or not costs nothing more to use, until it is used up.

Only the order of placement follows from this. What a commitment's shortfall costs in the end, by period, with rollover
and make-up, is a matter of accounts and not decided here.
"""

from __future__ import annotations

from collections.abc import Sequence

from stargate.agreements import Book, WorldFact, obligations
from stargate.base.time import Instant


def committed_micro_usd(book: Book, facts: Sequence[WorldFact], at: Instant) -> dict[str, int]:
    """Agreement to all spend that is committed under it and in force."""
    found: dict[str, int] = {}
    for owed in obligations(book, facts, at):
        if owed.kind == "spend" and owed.amount_micro_usd is not None:
            agreement = owed.clause.partition("/")[0]
            found[agreement] = found.get(agreement, 0) + owed.amount_micro_usd
    return found
