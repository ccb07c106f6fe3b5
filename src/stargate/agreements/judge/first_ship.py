"""Whether a product may be launched on a platform before the holder has it."""

from __future__ import annotations

from stargate.agreements.clause import FirstShip
from stargate.agreements.condition import day
from stargate.agreements.judge.rule import Live, Question, Verdict, blanks, filled
from stargate.agreements.world import WorldFact

LOOKS_AT = frozenset({"product"})
_READINGS = {"cannot_and_declines": "cannot and declines", "cannot_or_declines": "cannot or declines"}


def judge(live: Live, question: Question) -> Verdict | None:
    """Permit where the holder shipped (and the lead passed) or gave the product up; else forbid."""
    clause: FirstShip = live.clause
    holder = live.party("holder", "supplier")
    if holder in question.providers:
        return live.verdict("permit", f"{holder} is the platform that ships first")
    if not question.names_provider:
        return live.verdict("prefer", f"Products ship first with {holder}")
    values = {**question.attributes, "holder": holder}
    shipped_name = filled(clause.shipped_fact, values)
    missing = blanks(shipped_name)
    if missing:
        says = f"It ships first with {holder}; which product this is about was not said"
        return live.verdict("forbid", says, would_change=f"the attribute {', '.join(missing)} in the request")
    shipped = question.first(shipped_name)
    if shipped is not None:
        return _after_launch(live, question, holder, shipped)
    cannot = question.first(filled(clause.cannot_fact, values))
    declines = question.first(filled(clause.declines_fact, values))
    both = clause.condition == "cannot_and_declines"
    released = (cannot and declines) if both else (cannot or declines)
    known = tuple(str(fact) for fact in (cannot, declines) if fact is not None)
    if released:
        says = f"{holder} {_said(cannot, declines)} support it, so it may ship elsewhere"
        return live.verdict("permit", says, facts=known)
    return live.verdict(
        "forbid",
        f"It ships first with {holder}, unless {holder} {_READINGS[clause.condition]} to support it",
        facts=known,
        needs=(shipped_name,),
        would_change=live.ways_out(
            f"its launch with {holder}"
            + (f", and {clause.lead.short()} after it" if clause.lead else "")
            + f" (fact {shipped_name})",
            f"{holder} {_READINGS[clause.condition]}",
            waived_by=holder,
        ),
    )


def _after_launch(live: Live, question: Question, holder: str, shipped: WorldFact) -> Verdict:
    free = shipped.valid_from.plus(live.clause.lead)
    if question.reached(free):
        says = f"It shipped with {holder} on {day(shipped.valid_from)}"
        return live.verdict("permit", says, facts=(str(shipped),))
    return live.verdict(
        "forbid",
        f"It shipped with {holder} on {day(shipped.valid_from)}, and follows elsewhere from {day(free)}",
        facts=(str(shipped),),
        would_change=f"the passing of the lead on {day(free)}",
    )


def _said(cannot: WorldFact | None, declines: WorldFact | None) -> str:
    return " and ".join(
        word for word, fact in (("cannot", cannot), ("declines to", declines)) if fact is not None
    )
