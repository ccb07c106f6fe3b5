"""May this be done? All clauses that cover a request, put together into one answer with reasons.

Order: in force, within scope, a labelled exception silences its base, then forbid > must_offer > permit >
prefer. Two that contradict each other, and of which nothing says who decides, are a conflict. Where no clause
speaks, placement is permitted.
"""

from __future__ import annotations

from collections.abc import Sequence

from stargate.agreements.book import NAMING, Book, View
from stargate.agreements.clause import Entitlement, FirstRefusal
from stargate.agreements.decision import Decision, Effect, Outcome, Reason, Request
from stargate.agreements.judge import Live, Question, Verdict
from stargate.agreements.judge.capacity import asks_for
from stargate.agreements.present import Standing
from stargate.agreements.world import WorldFact
from stargate.base.time import Instant

_RANK: dict[Effect, int] = {"forbid": 0, "must_offer": 1, "permit": 2, "prefer": 3}
_GRANTED = frozenset({"use", "resell", "sublicense"})
ANSWERS_KEPT = 10_000
"""Answers that a view of a book remembers."""
_PERMIT = Decision("permit")

Spoken = tuple[Live, Verdict]


def decide(book: Book, facts: Sequence[WorldFact], at: Instant, request: Request) -> Decision:
    """The answer at `at`, resting on facts that were so and on record by then. Pure; never raises."""
    view = book.view(facts, at)
    key = _key(book, request)
    if key is not None:
        kept = view.answers.get(key)
        if kept is not None and kept[0] <= at < kept[1]:
            return kept[2]
    question = Question(request, at, view.world, book.chart)
    decision = _answer(view, question)
    if key is not None:
        if len(view.answers) >= ANSWERS_KEPT:
            view.answers.clear()
        view.answers[key] = (question.horizon.since, question.horizon.before, decision)
        view.soonest = min(view.soonest, question.horizon.before)
    return decision


def _key(book: Book, request: Request) -> tuple[object, ...] | None:
    """Requests with the same key get the same answer; None where an attribute cannot be looked up."""
    get = request.attributes.get
    key = (request.action, request.party, request.provider, *[get(name) for name in book.answer_fields])
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _answer(view: View, question: Question) -> Decision:
    covering = view.covering(question)
    if not covering:
        return _by_default(view, question, [])
    spoken, aside = hear(covering, question)
    rivals = _rivals(spoken)
    if rivals:
        spoken, more, conflict = _settle(spoken, rivals)
        if conflict is not None:
            return conflict
        aside += more
    deciding = sorted(
        (item for item in spoken if item[1].effect in _RANK), key=lambda item: _RANK[item[1].effect]
    )
    if not deciding:
        return _by_default(view, question, [verdict.reason for _, verdict in spoken] + aside)
    outcome: Outcome = deciding[0][1].effect  # type: ignore[assignment]  # the four that decide
    reasons = [verdict.reason for _, verdict in deciding] + aside
    obligations = [
        item for _, verdict in deciding if verdict.effect == outcome for item in verdict.obligations
    ]
    return Decision(outcome, tuple(reasons), tuple(obligations))


def hear(covering: list[Live], question: Question) -> tuple[list[Spoken], list[Reason]]:
    """What those say that are not silenced by an exception, a carve-out or a waiver; and why others are silent."""
    aside: list[Reason] = []
    standing: list[Live] = []
    for live in covering:
        if live.plain:
            standing.append(live)
            continue
        reason = _carved(live, question) or _waived(live, question)
        if reason is None:
            standing.append(live)
        else:
            aside.append(reason)
    if any(not live.plain and live.rule.targets for live in standing):
        standing, overridden = _overridden(standing)
        aside += overridden
    spoken: list[Spoken] = []
    action = question.action
    for live in standing:
        rule = live.rule
        verdict = rule.judge(live, question) if action in rule.actions else None
        if verdict is None and rule.targets:
            verdict = live.verdict("excepted", "It is an exception that covers this request")
        if verdict is not None:
            spoken.append((live, verdict))
    return spoken, aside


def _carved(live: Live, question: Question) -> Reason | None:
    for carve, matcher in live.carve_outs:
        if matcher is None or matcher(question.attributes):
            says = f"The exception {carve.id} covers this request, so {live.ref} is silent"
            return Reason(f"{live.ref}/{carve.id}", "excepted", says, carve.text_ref or live.clause.text_ref)
    return None


def _waived(live: Live, question: Question) -> Reason | None:
    for version, matcher in live.waivers:
        clause = version.clause
        needs: tuple[str, ...] = getattr(clause, "needs", ())
        if needs and question.value("need") not in needs:
            continue
        if matcher is None or matcher(question.attributes):
            by = getattr(clause, "by", "") or live.party("holder", "supplier")
            return Reason(version.ref, "waived", f"{by} waived {live.ref}", clause.text_ref)
    return None


def _overridden(standing: list[Live]) -> tuple[list[Live], list[Reason]]:
    """Exceptions silence their bases; an exception that is itself silenced does not."""
    by_ref: dict[str, list[Live]] = {}
    for live in standing:
        for ref in live.rule.targets:
            by_ref.setdefault(ref, []).append(live)
    silenced_by: dict[str, Live | None] = {}

    def silencer(live: Live) -> Live | None:
        if live.ref not in silenced_by:
            silenced_by[live.ref] = None  # exceptions in a circle silence nobody; `lint` reports them
            silenced_by[live.ref] = next(
                (by for by in by_ref.get(live.ref, ()) if silencer(by) is None), None
            )
        return silenced_by[live.ref]

    kept: list[Live] = []
    reasons: list[Reason] = []
    for live in standing:
        by = silencer(live)
        if by is None:
            kept.append(live)
        else:
            reasons.append(
                live.reason("overridden", f"{by.ref} is an exception to it, and covers this request")
            )
    return kept, reasons


def _rivals(spoken: list[Spoken]) -> list[tuple[Spoken, Spoken]]:
    """Pairs that cannot both have their way, where neither outranks the other by what it says."""
    if len(spoken) < 2:
        return []
    groups: dict[tuple[str, object], list[Spoken]] = {}
    for item in spoken:
        live, verdict = item
        if verdict.claim:
            groups.setdefault(("claim", ""), []).append(item)
        for ref in live.rule.targets:
            groups.setdefault(("target", ref), []).append(item)
        if verdict.effect == "must_offer":
            groups.setdefault(("rank", live.clause.rank), []).append(item)
    return [
        (one, other)
        for (kind, _), group in groups.items()
        if len(group) > 1
        for index, one in enumerate(group)
        for other in group[index + 1 :]
        if _contradict(kind, one, other)
    ]


def _contradict(kind: str, one: Spoken, other: Spoken) -> bool:
    (live, said), (live_b, said_b) = one, other
    if kind == "claim":  # two exclusives: with neither holder both forbid, and agree in that
        return said.claim != said_b.claim and "permit" in (said.effect, said_b.effect)
    if kind == "target":  # two exceptions to one clause
        return (said.effect == "forbid") is not (said_b.effect == "forbid")
    assert isinstance(live.clause, FirstRefusal), "only first refusals say must_offer"
    together = live.clause.sharing == live_b.clause.sharing == "pro_rata"
    return not together and live.party("holder", "supplier") != live_b.party("holder", "supplier")


def _settle(
    spoken: list[Spoken], rivals: list[tuple[Spoken, Spoken]]
) -> tuple[list[Spoken], list[Reason], Decision | None]:
    """The higher priority of two rivals speaks; equals are a conflict."""
    losers: dict[int, str] = {}
    for one, other in rivals:
        first, second = one[0].clause.priority, other[0].clause.priority
        if first != second:
            winner, loser = (one, other) if first > second else (other, one)
            losers[id(loser)] = winner[0].ref
    for one, other in rivals:
        if id(one) not in losers and id(other) not in losers:
            return spoken, [], _conflict(one, other)
    reasons = [
        item[0].reason("overridden", f"{losers[id(item)]} has the higher priority")
        for item in spoken
        if id(item) in losers
    ]
    return [item for item in spoken if id(item) not in losers], reasons, None


def _conflict(one: Spoken, other: Spoken) -> Decision:
    return Decision(
        "conflict",
        tuple(
            Reason(
                mine[0].ref,
                mine[1].effect,
                f"{mine[1].reason.says}; {theirs[0].ref} says otherwise, and neither has precedence",
                text_ref=mine[0].clause.text_ref,
                facts=mine[1].reason.facts,
                would_change="a rank or priority that orders the two, or an exception_to in one of them",
            )
            for mine, theirs in ((one, other), (other, one))
        ),
    )


def _by_default(view: View, question: Question, reasons: list[Reason]) -> Decision:
    """No clause decides: placement is permitted; rights over assets and clauses are not, once any clause names them."""
    asleep = view.dormant(question)
    dormant = [_why(live, standing) for live, standing in asleep]
    if question.action in NAMING:
        found = [_why(live, standing) for live, standing in asleep if asks_for(live, question)] or [
            _unknown(question)
        ]
        return Decision("forbid", (*reasons, *found))
    if question.action in _GRANTED:
        named = [reason for reason in reasons if reason.effect == "silent"]
        named += [
            _why(live, standing)
            for live, standing in asleep
            if isinstance(live.clause, Entitlement) and live.party("grantor", "customer") != question.party
        ]
        if named:
            return Decision("forbid", tuple(_closed(reason) for reason in named))
    if not reasons and not dormant:
        return _PERMIT
    return Decision("permit", (*reasons, *dormant))


def _why(live: Live, standing: Standing) -> Reason:
    assert standing.effect is not None, "a dormant rule has a reason to be"
    return live.reason(
        standing.effect,
        f"{live.ref} does not apply: {standing.says}",
        facts=standing.facts,
        needs=standing.needs,
        would_change=standing.would_change,
    )


def _closed(reason: Reason) -> Reason:
    """The clause that names an asset, as the reason why somebody without a right may not have it."""
    return Reason(
        reason.clause,
        "forbid",
        reason.says,
        reason.text_ref,
        reason.facts,
        reason.needs,
        reason.would_change or "a new entitlement",
    )


def _unknown(question: Question) -> Reason:
    name = question.value("clause") or question.value("agreement")
    return Reason(
        name,
        "forbid",
        f"No clause in force lets {question.party or 'anybody'} {question.action} {name}",
        would_change=f"a clause {name} that covers it",
    )
