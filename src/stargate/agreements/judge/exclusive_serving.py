"""Whether what is to be served or shipped belongs with one party alone."""

from __future__ import annotations

from stargate.agreements.clause import ExclusiveServing
from stargate.agreements.condition import day
from stargate.agreements.judge.rule import Live, Question, Verdict, filled


def judge(live: Live, question: Question) -> Verdict | None:
    """Permit with the holder; forbid elsewhere, unless the holder has been down for long enough."""
    clause: ExclusiveServing = live.clause
    holder = live.party("holder", "supplier")
    if holder in question.providers:
        kept = live.kept.get("holder")
        if kept is None:
            says = f"It is exclusive to {holder}, and runs there"
            kept = live.kept["holder"] = live.verdict("permit", says, claim=holder)
        return kept
    if clause.failover is not None:
        return _with_failover(live, question, holder)
    key = "elsewhere" if question.names_provider else "nowhere"
    kept = live.kept.get(key)
    if kept is None:
        kept = live.kept[key] = _forbid(live, holder, named=question.names_provider)
    return kept


def _forbid(live: Live, holder: str, *, named: bool, failover: str = "", needs: str = "") -> Verdict:
    subject = ", ".join(live.clause.products) or "What is within the clause"
    verb = "are" if len(live.clause.products) > 1 else "is"
    says = f"{subject} {verb} exclusive to {holder}"
    if not named:
        says += ", and the request names no provider"
    return live.verdict(
        "forbid",
        says,
        claim=holder,
        needs=(needs,) if needs else (),
        would_change=live.ways_out(f"{holder} as the provider", failover, waived_by=holder),
    )


def _with_failover(live: Live, question: Question, holder: str) -> Verdict:
    clause: ExclusiveServing = live.clause
    assert clause.failover is not None, "asked only where there is relief"
    name = filled(clause.failover.fact, {**question.attributes, "holder": holder})
    after = clause.failover.after
    relief = f"{name} for {after.short()}" if after else name
    down = question.since(name)
    if down is not None and question.reached(down.valid_from.plus(after)):
        says = f"{holder} has been down since {day(down.valid_from)}, which lifts its exclusivity"
        return live.verdict("permit", says, facts=(str(down),))
    return _forbid(
        live,
        holder,
        named=question.names_provider,
        failover=f"the failover relief ({relief})",
        needs=name if question.latest(name) is None else "",
    )
