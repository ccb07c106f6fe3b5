"""Live rights of first refusal, and what becomes of one that was live when an offer was made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from stargate.agreements.book import Book
from stargate.agreements.clause import FirstRefusal
from stargate.agreements.condition import day
from stargate.agreements.decide import hear
from stargate.agreements.decision import Request
from stargate.agreements.judge import Live, Question
from stargate.agreements.right import Right
from stargate.agreements.version import Version
from stargate.agreements.world import WorldFact
from stargate.base.time import Instant


def rights(book: Book, facts: Sequence[WorldFact], at: Instant, request: Request) -> tuple[Right, ...]:
    """The rights whose scope covers the request, in the order in which holders are asked.

    Waived and excepted ones are left out. Those that rest are included and say why in `suspended`. Whether the
    need reaches a right's threshold is left to the sourcing machine, which knows what counts together.
    """
    view = book.view(facts, at)
    question = Question(request, at, view.world, book.chart)
    covering = [live for live in view.covering(question) if isinstance(live.clause, FirstRefusal)]
    others = [live for live in view.covering(question) if not isinstance(live.clause, FirstRefusal)]
    asked = {id(live) for live, _ in hear([*covering, *others], question)[0]}
    found = [(live, "") for live in covering if id(live) in asked]
    found += [
        (live, standing.says)
        for live, standing in view.dormant(question)
        if isinstance(live.clause, FirstRefusal) and standing.effect == "suspended"
    ]
    found.sort(key=lambda item: (item[0].clause.rank, -item[0].clause.priority, item[0].ref))
    return tuple(_right(book, live, suspended) for live, suspended in found)


def _right(book: Book, live: Live, suspended: str) -> Right:
    clause: FirstRefusal = live.clause
    return Right(
        clause=live.ref,
        holder=live.party("holder", "supplier"),
        grantor=live.party("grantor", "customer"),
        mode=clause.mode,
        rank=clause.rank,
        window=clause.window,
        calendar=book.calendar(live.rule.version, clause.calendar),
        text_ref=clause.text_ref,
        partial=clause.partial,
        tail=clause.tail,
        comparison=clause.comparison,
        tolerance=clause.tolerance,
        sharing=clause.sharing,
        weight=clause.weight,
        package=clause.package,
        threshold_chips=clause.threshold_chips,
        threshold_duration=clause.threshold_duration,
        aggregation_window=clause.aggregation_window,
        emergency=clause.emergency,
        short_lead=clause.short_lead,
        renewal=clause.renewal,
        at_end=clause.at_end,
        on_amendment=clause.on_amendment,
        delivery_grace=clause.delivery_grace,
        cure=clause.cure,
        until=live.until,
        suspended=suspended,
    )


class Fate(msgspec.Struct, frozen=True, omit_defaults=True):
    """What has become of a right under which an offer is open."""

    status: Literal["live", "suspended", "amended", "ended", "unknown"]
    open_offers: Literal["complete", "void"] = "complete"
    """Whether an offer made before is completed under the old terms, or void."""
    says: str = ""


def fate(book: Book, facts: Sequence[WorldFact], at: Instant, right: Right) -> Fate:
    """Whether the right is still what it was, and if not, what its clause or the amendment says of open offers."""
    view = book.view(facts, at)
    versions = [
        item for item in book.chart.by_ref.get(right.clause, ()) if view.present.standing(item) is not None
    ]
    if not versions:
        return Fate("unknown", right.on_amendment, f"{right.clause} is in no agreement in force")
    now = versions[-1]
    standing = view.present.standing(now)
    assert standing is not None, "versions that nobody may know of were left out"
    if standing.effect is None or standing.effect == "suspended":
        before = [item for item in versions[:-1] if item.removed == now.added]
        if before and _terms(book, now) != right_terms(right):
            rule = before[-1].rule or right.on_amendment
            return Fate("amended", _rule(rule), f"{before[-1].removed_by} changed it on {day(now.added)}")
        return Fate("live" if standing.effect is None else "suspended", says=standing.says)
    if now.removed_by and view.horizon.reached(now.removed):
        return Fate("amended", _rule(standing.rule or right.on_amendment), standing.says)
    return Fate("ended", right.at_end, standing.says)


def right_terms(right: Right) -> Right:
    """The right without what time and facts change."""
    return msgspec.structs.replace(right, until=Instant(0), suspended="")


def _terms(book: Book, version: Version) -> Right | None:
    rule = next((rule for rule in book.rules if rule.version is version), None)
    return None if rule is None else right_terms(_right(book, Live(rule), ""))


def _rule(text: str) -> Literal["complete", "void"]:
    return "void" if text == "void" else "complete"
