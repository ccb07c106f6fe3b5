"""Sums that do not add up: caps, ramps, shares of shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from stargate.agreements.clause import Backstop, Commitment, RevenueShare, many
from stargate.agreements.firing import absolute
from stargate.agreements.lint.entry import Entry
from stargate.base.errors import Problem


def wrong_sums(entries: Sequence[Entry], paid_usd: Mapping[str, Decimal]) -> Iterator[Problem]:
    """Caps below other caps or below what was paid already, and commitments whose parts exceed the whole."""
    for entry in entries:
        clause = entry.clause
        if isinstance(clause, RevenueShare):
            yield from _caps(entry, clause)
        cap = clause.cap_total_usd if isinstance(clause, RevenueShare) else getattr(clause, "cap_usd", None)
        paid = paid_usd.get(entry.ref)
        if (
            isinstance(clause, RevenueShare | Backstop)
            and cap is not None
            and paid is not None
            and cap < paid
        ):
            yield entry.problem(
                f"its cap of {cap:,} USD is below the {paid:,} USD already owed",
                "Raise the cap, or give a new id.",
            )
        if isinstance(clause, Commitment):
            yield from _parts(entry, clause)


def _caps(entry: Entry, clause: RevenueShare) -> Iterator[Problem]:
    in_all, each = clause.cap_total_usd, clause.cap_period_usd
    if in_all is not None and each is not None and each > in_all:
        yield entry.problem("the cap of a period is above the cap in all", "Lower it.", "cap_period_usd")
    bounds = [tier.up_to_usd for tier in clause.tiers[:-1]]
    known = [bound for bound in bounds if bound is not None]
    if len(known) < len(bounds) or known != sorted(set(known)):
        yield entry.problem("up_to_usd must rise from tier to tier", "Only the last tier has none.", "tiers")


def _parts(entry: Entry, clause: Commitment) -> Iterator[Problem]:
    if clause.amount is None:
        return
    most = max((item.amount for item in clause.milestones), default=Decimal(0))
    if most > clause.amount:
        yield entry.problem(
            "a milestone is above the amount in all", "Milestones count from the start.", "milestones"
        )
    single = max((step.minimum for step in clause.ramp), default=clause.minimum or Decimal(0))
    if single > clause.amount:
        yield entry.problem(
            "the minimum of one interval is above the amount in all", "Lower it, or raise amount.", "ramp"
        )


def share_circles(entries: Sequence[Entry]) -> Iterator[Problem]:
    """Revenue shares that are taken of one another."""
    links = {
        entry.ref: {absolute(name, entry.home.id) for name in entry.clause.base.includes_shares}
        for entry in entries
        if isinstance(entry.clause, RevenueShare)
    }
    return _problems(entries, links, "revenue shares are taken of one another", "base.includes_shares")


def exception_circles(entries: Sequence[Entry]) -> Iterator[Problem]:
    """Exceptions to one another."""
    links = {
        entry.ref: {absolute(name, entry.home.id) for name in many(entry.clause.exception_to)}
        for entry in entries
        if entry.clause.exception_to
    }
    return _problems(entries, links, "clauses are exceptions to one another", "exception_to")


def _problems(
    entries: Sequence[Entry], links: Mapping[str, set[str]], what: str, field: str
) -> Iterator[Problem]:
    for circle in _circles(links):
        first = next(entry for entry in entries if entry.ref == circle[0])
        yield first.problem(
            f"{what} in a circle: {' → '.join((*circle, circle[0]))}", "Take one of them out.", field
        )


def _circles(links: Mapping[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Each circle once, from its least name."""
    for start in sorted(links):
        stack: list[tuple[str, tuple[str, ...]]] = [(start, (start,))]
        while stack:
            at, path = stack.pop()
            for following in sorted(links.get(at, ())):
                if following == start:
                    if start == min(path):
                        yield path
                        stack.clear()
                        break
                elif following not in path and following in links:
                    stack.append((following, (*path, following)))
