"""Who may terminate what: under a termination clause, or because a delivery was missed."""

from __future__ import annotations

from stargate.agreements.clause import Delivery, Termination
from stargate.agreements.condition import day
from stargate.agreements.decision import Obligation
from stargate.agreements.delivery import TrancheState, tranche_states
from stargate.agreements.judge.capacity import asks_for
from stargate.agreements.judge.rule import Live, Question, Verdict
from stargate.base.money import format_usd, micro_usd

LOOKS_AT = frozenset({"clause", "agreement", "tranche", "ends"})
_WIDTH = {"tranche": 0, "order": 1, "agreement": 1, "master": 2}
"""A right to end the wider includes the narrower."""


def judge_delivery(live: Live, question: Question) -> Verdict | None:
    """Permit where a tranche is missed beyond grace, as far as its termination right reaches."""
    clause: Delivery = live.clause
    if not asks_for(live, question):
        return None
    wanted, ends = question.value("tranche"), question.value("ends")
    states = tranche_states(clause, live.ref, question.world, question.horizon)
    asked = [state for state in states if not wanted or state.tranche.id == wanted]
    if not asked:
        known = ", ".join(state.tranche.id for state in states)
        return live.verdict("forbid", f"It has no tranche {wanted!r}", would_change=f"one of {known}")
    rights = [state for state in asked if state.termination is not None]
    enough = [state for state in rights if _WIDTH[str(state.termination)] >= _WIDTH.get(ends or "tranche", 3)]
    if enough:
        found = max(enough, key=lambda state: _WIDTH[str(state.termination)])
        late = f"{found.days_late} days" if found.days_late != 1 else "one day"
        says = (
            f"Tranche {found.tranche.id} is missed, {late} beyond grace: the {found.termination} may be ended"
        )
        return live.verdict("permit", says, facts=(), needs=())
    if rights:
        says = f"The missed tranche gives the right to end the {rights[0].termination}, not the {ends}"
        return live.verdict("forbid", says, would_change=f"ending the {rights[0].termination} alone")
    return _no_right(live, asked)


def _no_right(live: Live, asked: list[TrancheState]) -> Verdict:
    state = asked[0]
    words = {
        "pending": f"is not due before {day(state.tranche.due)}",
        "in_grace": f"is within grace until {day(state.grace_ends)}",
        "delivered": "was delivered in time",
        "delivered_late": "was delivered, late",
        "missed": "is missed, which gives no right to terminate",
    }
    return live.verdict(
        "forbid",
        f"Tranche {state.tranche.id} {words[state.status]}",
        facts=() if state.fact is None else (str(state.fact),),
        would_change=f"no delivery (fact {state.needs}) by {day(state.grace_ends)}",
    )


def judge_termination(live: Live, question: Question) -> Verdict | None:
    """Permit the party that may, for the cause that it needs."""
    clause: Termination = live.clause
    home = live.rule.version.home
    if not asks_for(live, question) and question.value("agreement") != home.id:
        return None
    if clause.by and question.party and question.party != clause.by:
        return live.verdict("forbid", f"Only {clause.by} may", would_change=f"{clause.by} gives notice")
    facts: tuple[str, ...] = ()
    if clause.cause == "default":
        other = home.customer if question.party == home.supplier else home.supplier
        name = f"in_default/{other}"
        fact = question.latest(name)
        if fact is None or fact.value is not True:
            needs = (name,) if fact is None else ()
            says = f"It takes a default of {other}, and none is on record"
            return live.verdict("forbid", says, needs=needs, would_change=f"the fact {name}")
        facts = (str(fact),)
    steps = [("notice", clause.notice), ("cure", clause.cure), ("wind-down", clause.wind_down)]
    fee = "" if clause.fee_usd is None else f"; it costs {format_usd(micro_usd(clause.fee_usd))}"
    times = ", ".join(f"{name} {length.short()}" for name, length in steps if length) or "at once"
    reason = live.reason("permit", f"It may be ended for {clause.cause}: {times}{fee}", facts=facts)
    notice = Obligation(
        clause=live.ref,
        kind="notify",
        says=f"Give notice; it takes effect after {times}",
        debtor=question.party or clause.by,
        text_ref=clause.text_ref,
    )
    return Verdict("permit", reason, (notice,))
