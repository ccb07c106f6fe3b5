"""What holds for all agreements: amendments do not reach back, refusals name clauses, memory changes nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.agreements import Book, decide, lint, obligations, rights
from stargate.agreements.version import amendment_date
from stargate.base import wire
from stargate.base.time import DAY, Instant

from .strategies import LAST, START, amendments, built, facts, instants, plain_agreements, requests

Papers = list[dict[str, Any]]
few = settings(max_examples=60, deadline=None)
"""Each example is a small world of its own."""


@few
@given(st.data(), plain_agreements(), facts, st.lists(requests, min_size=1, max_size=3))
def test_an_amendment_changes_nothing_before_its_date(
    data: Any, papers: Papers, known: Any, asked: Any
) -> None:
    amending = data.draw(amendments(papers))
    plain = Book.compile(built(papers))
    amended = Book.compile(built([*papers, amending]))
    date = amendment_date(amended.agreements[-1], amended.agreements[-1].clauses[0])  # type: ignore[arg-type]
    earlier = st.integers(START - DAY, date - 1).map(Instant)
    at = data.draw(st.just(Instant(date - 1)) | earlier)
    for request in asked:
        assert decide(amended, known, at, request) == decide(plain, known, at, request)
        assert rights(amended, known, at, request) == rights(plain, known, at, request)
    assert obligations(amended, known, at) == obligations(plain, known, at)


@few
@given(plain_agreements(), facts, st.lists(st.tuples(instants, requests), min_size=1, max_size=4))
def test_memory_changes_no_answer(papers: Papers, known: Any, questions: Any) -> None:
    book = Book.compile(built(papers))
    asked = [*questions, *((at.plus(1), request) for at, request in questions), *reversed(questions)]
    for at, request in asked:
        fresh = Book.compile(book.agreements)
        assert decide(book, known, at, request) == decide(fresh, known, at, request)
        assert rights(book, list(known), at, request) == rights(fresh, known, at, request)


@few
@given(plain_agreements(), facts, instants, requests)
def test_every_refusal_names_a_clause_and_a_way_out(
    papers: Papers, known: Any, at: Instant, request: Any
) -> None:
    book = Book.compile(built(papers))
    answer = decide(book, known, at, request)
    refs = {version.ref for version in book.chart.versions}
    for reason in answer.reasons:
        agreement, _, clause = reason.clause.partition("/")
        assert f"{agreement}/{clause.partition('/')[0]}" in refs
    if answer.outcome in ("forbid", "conflict"):
        assert answer.reasons
        for reason in answer.reasons:
            if reason.effect in ("forbid", "must_offer"):
                assert reason.would_change
    if answer.outcome == "conflict":
        assert len({reason.clause for reason in answer.reasons}) >= 1
        assert len(answer.reasons) == 2


@few
@given(plain_agreements(), facts, instants, requests)
def test_the_order_of_agreements_does_not_matter(
    papers: Papers, known: Any, at: Instant, request: Any
) -> None:
    one = decide(Book.compile(built(papers)), known, at, request)
    other = decide(Book.compile(built(papers[::-1])), known[::-1], at, request)
    assert one.outcome == other.outcome


@few
@given(plain_agreements(), facts, instants, requests)
def test_the_wire_changes_nothing(papers: Papers, known: Any, at: Instant, request: Any) -> None:
    agreements = built(papers)
    unpack = wire.unpacker(type(agreements[0])).decode
    again = [unpack(wire.pack(agreement)) for agreement in agreements]
    assert again == agreements
    assert decide(Book.compile(again), known, at, request) == decide(
        Book.compile(agreements), known, at, request
    )


@few
@given(plain_agreements(), facts, instants, requests)
def test_a_letter_of_intent_never_binds(papers: Papers, known: Any, at: Instant, request: Any) -> None:
    book = Book.compile(built([paper | {"status": "letter_of_intent"} for paper in papers]))
    assert decide(book, known, at, request) == decide(Book.compile(()), known, at, request)
    assert obligations(book, known, at) == ()


@few
@given(plain_agreements(), facts, instants, requests)
def test_what_is_recorded_later_changes_nothing(
    papers: Papers, known: Any, at: Instant, request: Any
) -> None:
    book = Book.compile(built(papers))
    then = tuple(fact for fact in known if fact.recorded_at <= at)
    assert decide(book, known, at, request) == decide(book, then, at, request)


@few
@given(plain_agreements(), facts, requests)
def test_a_view_holds_exactly_as_long_as_it_says(papers: Papers, known: Any, request: Any) -> None:
    book = Book.compile(built(papers))
    at, end = Instant(START - DAY), START.plus((LAST + 60) * DAY)
    while at < end:
        view = book.view(known, at)
        assert view.horizon.since <= at < view.horizon.before
        standing = [view.present.standing(version) for version in book.chart.versions]
        last = Instant(min(view.horizon.before, end) - 1)
        fresh = Book.compile(book.agreements)
        then = fresh.view(known, last).present
        assert [then.standing(version) for version in fresh.chart.versions] == standing
        at = view.horizon.before


@few
@given(st.data(), plain_agreements())
def test_lint_never_fails(data: Any, papers: Papers) -> None:
    for problem in lint(built([*papers, data.draw(amendments(papers))])):
        assert problem.message
        assert problem.remedy
        assert problem.path
