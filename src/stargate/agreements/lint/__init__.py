"""What is wrong with agreements taken together, found when they are signed and not when they bite."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal

from stargate.agreements.agreement import Agreement
from stargate.agreements.clause import Waiver
from stargate.agreements.firing import absolute
from stargate.agreements.lint.dates import wrong_dates
from stargate.agreements.lint.entry import Entry, entries
from stargate.agreements.lint.money import exception_circles, share_circles, wrong_sums
from stargate.agreements.lint.names import odd_attributes, wrong_calendars, wrong_names
from stargate.agreements.lint.overlap import charged_twice, contradictions, dead_exceptions
from stargate.agreements.lint.parties import wrong_parties
from stargate.agreements.version import Chain
from stargate.base.errors import Problem

_NONE: Mapping[str, Decimal] = {}


def lint(
    agreements: Sequence[Agreement],
    parties: Collection[str] | None = None,
    paid_usd: Mapping[str, Decimal] = _NONE,
) -> tuple[Problem, ...]:
    """Every problem: contradictions, dead exceptions, names that lead nowhere, dates and sums that do not fit.

    `parties`: everybody who is known, where that is known. `paid_usd`: what was owed so far by clause, against
    which caps are held. Paths are `AGREEMENT.clauses[3].field`; `load_all` knows the file and line of each.
    """
    chain = Chain(agreements)
    written = entries(agreements)
    found = [
        Problem(message, remedy, path=f"{paper.id}.{path}") for paper, path, message, remedy in chain.problems
    ]
    found.extend(wrong_names(agreements, written))
    found.extend(wrong_calendars(agreements, written))
    found.extend(odd_attributes(written))
    found.extend(wrong_parties(written, parties))
    found.extend(wrong_dates(agreements, written))
    found.extend(wrong_sums(written, paid_usd))
    found.extend(share_circles(written))
    found.extend(exception_circles(written))
    found.extend(_idle_waivers(written))
    found.extend(contradictions(chain.versions))
    found.extend(charged_twice(chain.versions))
    found.extend(dead_exceptions(chain.versions))
    return tuple(dict.fromkeys(found))


def circling_shares(agreements: Sequence[Agreement]) -> tuple[Problem, ...]:
    """Revenue shares that are taken of one another, in papers that bind: no amount follows from them."""
    return tuple(share_circles(entries([paper for paper in agreements if paper.binds])))


def _idle_waivers(written: Sequence[Entry]) -> Iterator[Problem]:
    """Rights waived by somebody who does not hold them."""
    by_ref = {entry.ref: entry for entry in written}
    for entry in written:
        clause = entry.clause
        if not isinstance(clause, Waiver) or not clause.by:
            continue
        for name in clause.clauses:
            right = by_ref.get(absolute(name, entry.home.id))
            if right is None or not hasattr(right.clause, "holder"):
                continue
            holder = right.party("holder", "supplier")
            if holder and holder != clause.by:
                yield entry.problem(
                    f"{clause.by} waives {right.ref}, which {holder} holds",
                    f"Only {holder} can waive it.",
                    "by",
                )


__all__ = ["circling_shares", "lint"]
