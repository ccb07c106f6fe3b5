"""Whether a place is one where things may run."""

from __future__ import annotations

from stargate.agreements.clause import Residency
from stargate.agreements.judge.rule import Live, Question, Verdict, filled
from stargate.agreements.scope import within
from stargate.agreements.world import number

LOOKS_AT = frozenset({"jurisdiction", "country"})
PLACES_KEPT = 1_000
"""Places for which a clause remembers its answer."""


def unsatisfied(clause: Residency, place: str) -> bool:
    """Whether the clause has anything to say of a place: it lies outside, or counts towards a share."""
    return clause.min_share < 1 or not any(within(place, area) for area in clause.jurisdictions)


def judge(live: Live, question: Question) -> Verdict | None:
    """Inside: nothing to say (prefer, where a share must be reached). Outside, or unknown: forbid."""
    place = question.place
    try:
        return live.kept[place]
    except KeyError:
        pass
    clause: Residency = live.clause
    inside = any(within(place, area) for area in clause.jurisdictions)
    allowed = ", ".join(clause.jurisdictions)
    if clause.min_share < 1:
        return _shared(live, question, allowed, inside=inside)
    verdict = None
    if not inside:
        where = (
            f"{place} is outside {allowed}" if place else f"The request names no place; {allowed} is required"
        )
        verdict = live.verdict("forbid", where, would_change=live.ways_out(f"a place within {allowed}"))
    if len(live.kept) < PLACES_KEPT:
        live.kept[place] = verdict
    return verdict


def _shared(live: Live, question: Question, allowed: str, *, inside: bool) -> Verdict:
    clause: Residency = live.clause
    name = filled(clause.share_fact, {**question.attributes, "clause": live.ref})
    least = f"at least {clause.min_share:%} must be within {allowed}"
    if inside:
        return live.verdict("prefer", f"It counts towards the share: {least}")
    fact = question.latest(name)
    share = None if fact is None else number(fact.value)
    if share is not None and share > clause.min_share:
        return live.verdict("permit", f"{share:%} is within {allowed}, and {least}", facts=(str(fact),))
    return live.verdict(
        "forbid",
        f"It is outside {allowed}, and {least}" + ("" if share is None else f"; it is {share:%} now"),
        facts=() if fact is None else (str(fact),),
        needs=(name,) if fact is None else (),
        would_change=live.ways_out(f"a place within {allowed}", f"a share above {clause.min_share:%}"),
    )
