"""How clauses begin, rest and end: terms, triggers, conditions, terminations, survival, waivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stargate.agreements import Book, Request, WorldFact, decide, obligations
from stargate.base.time import Duration, Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]

SERVE = Request("serve", "lab", "beta", {"product": "api"})
API = {"kind": "exclusive_serving", "id": "api", "products": ["api"]}


def paper(*clauses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "deal", "parties": ["lab", "alpha"], "customer": "lab", "supplier": "alpha", **more} | {
        "clauses": list(clauses)
    }


def outcome(book: Book, at: str, *facts: WorldFact, request: Request = SERVE) -> str:
    return decide(book, facts, Instant.parse(at), request).outcome


def why(book: Book, at: str, *facts: WorldFact) -> str:
    return decide(book, facts, Instant.parse(at), SERVE).reasons[0].says


def test_dates_are_half_open(make: MakeBook) -> None:
    book = make(paper(API | {"from": "2025-02-01", "until": "2025-03-01T00:00:00-08:00"}))
    assert outcome(book, "2025-01-31T23:59:59.999999Z") == "permit"
    assert outcome(book, "2025-02-01") == "forbid"
    assert outcome(book, "2025-03-01T07:59:59.999999Z") == "forbid"
    assert outcome(book, "2025-03-01T08:00:00Z") == "permit"


def test_nothing_binds_before_it_is_signed_and_drafts_never(make: MakeBook) -> None:
    book = make(paper(API, signed_on="2025-06-01"))
    assert outcome(book, "2025-05-31") == "permit"
    assert decide(book, (), Instant.parse("2025-05-31"), SERVE).reasons == ()
    assert outcome(book, "2025-06-01") == "forbid"
    for status in ("draft", "letter_of_intent"):
        assert outcome(make(paper(API, status=status)), "2025-06-01") == "permit"


def test_the_term_ends_what_has_no_end_of_its_own(make: MakeBook) -> None:
    longer = API | {"id": "longer", "products": ["chat"], "until": "2032-01-01"}
    book = make(
        paper({"kind": "term", "id": "term", "from": "2025-01-01", "until": "2030-01-01"}, API, longer)
    )
    chat = Request("serve", "lab", "beta", {"product": "chat"})
    assert outcome(book, "2024-12-31") == "permit"
    assert outcome(book, "2029-12-31") == "forbid"
    assert outcome(book, "2030-01-01") == "permit"
    assert "deal ended on 2030-01-01" in why(book, "2030-01-01")
    assert outcome(book, "2031-12-31", request=chat) == "forbid"
    assert outcome(book, "2032-01-01", request=chat) == "permit"


def test_survival_outlives_the_term(make: MakeBook) -> None:
    term = {"kind": "term", "id": "term", "until": "2030-01-01"}
    book = make(paper(term, API, {"kind": "survival", "id": "s", "clauses": ["api"], "lasts": "31d"}))
    assert outcome(book, "2030-01-31") == "forbid"
    assert outcome(book, "2030-02-01") == "permit"


TRIGGER = {
    "kind": "trigger",
    "id": "t",
    "when": [{"fact": "x", "operator": "AtLeast", "value": 10}],
    "effects": [{"effect": "suspend", "clauses": ["api"]}],
}


def test_a_trigger_fires_for_good(make: MakeBook, fact: MakeFact) -> None:
    book = make(paper(API, TRIGGER))
    facts = (fact("x", 9, "2025-02-01"), fact("x", 10, "2025-03-01"), fact("x", 5, "2025-04-01"))
    assert outcome(book, "2025-02-28", *facts) == "forbid"
    assert outcome(book, "2025-03-01", *facts) == "permit"
    assert outcome(book, "2025-05-01", *facts) == "permit"
    assert "deal/t suspended it from 2025-03-01" in why(book, "2025-05-01", *facts)


def test_or_only_while_it_is_true(make: MakeBook, fact: MakeFact) -> None:
    book = make(paper(API, TRIGGER | {"lasts": "while_true"}))
    facts = (fact("x", 10, "2025-03-01"), fact("x", 5, "2025-04-01"))
    assert outcome(book, "2025-03-15", *facts) == "permit"
    assert outcome(book, "2025-04-01", *facts) == "forbid"


def test_all_conditions_must_hold_together(make: MakeBook, fact: MakeFact) -> None:
    both = TRIGGER | {"when": [{"fact": "x"}, {"fact": "y"}]}
    book = make(paper(API, both))
    apart = (fact("x", True, "2025-01-10"), fact("x", False, "2025-02-01"), fact("y", True, "2025-03-01"))
    assert outcome(book, "2025-06-01", *apart) == "forbid"
    assert outcome(book, "2025-06-01", *apart, fact("x", True, "2025-05-01")) == "permit"


def test_a_trigger_may_ask_for_evidence(make: MakeBook, fact: MakeFact) -> None:
    book = make(paper(API, TRIGGER | {"evidence": "required"}))
    assert outcome(book, "2025-06-01", fact("x", 10, "2025-03-01")) == "forbid"
    assert outcome(book, "2025-06-01", fact("x", 10, "2025-03-01", evidence_sha256="ab")) == "permit"


def test_a_trigger_fires_only_in_its_own_time(make: MakeBook, fact: MakeFact) -> None:
    book = make(paper(API, TRIGGER | {"from": "2025-04-01", "until": "2025-05-01"}))
    assert outcome(book, "2025-06-01", fact("x", 10, "2025-05-01")) == "forbid"
    assert outcome(book, "2025-06-01", fact("x", 10, "2025-04-30")) == "permit"
    # True before it begins: it fires when it begins.
    early = fact("x", 10, "2025-03-01")
    assert outcome(book, "2025-03-31", early) == "forbid"
    assert outcome(book, "2025-04-01", early) == "permit"


def test_triggers_end_start_and_negotiate(make: MakeBook, fact: MakeFact) -> None:
    effects = [
        {"effect": "end", "clauses": ["api"]},
        {"effect": "start", "clauses": ["chat"]},
        {"effect": "open_negotiation", "topics": ["price"], "within": "30d"},
        {"effect": "transfer", "what": "control", "to": "board"},
    ]
    chat = {"kind": "exclusive_serving", "id": "chat", "products": ["chat"]}
    book = make(paper(API, chat, TRIGGER | {"effects": effects}))
    fired = fact("x", 10, "2025-03-01")
    asked = Request("serve", "lab", "beta", {"product": "chat"})
    assert outcome(book, "2025-02-01", fired, request=asked) == "permit"
    assert outcome(book, "2025-03-01", fired, request=asked) == "forbid"
    assert outcome(book, "2025-03-01", fired) == "permit"
    owed = {item.kind: item for item in obligations(book, (fired,), Instant.parse("2025-03-01"))}
    assert set(owed) == {"negotiate", "transfer"}
    assert owed["negotiate"].due == Instant.parse("2025-03-31")
    assert "lab and alpha negotiate about price" in owed["negotiate"].says
    assert owed["transfer"].creditor == "board"
    assert obligations(book, (fired,), Instant.parse("2025-02-28")) == ()


def test_a_clause_replaced_after_a_trigger_is_not_suspended(make: MakeBook, fact: MakeFact) -> None:
    change = {"kind": "amendment", "id": "a", "from": "2025-06-01", "replaces": [API]}
    book = make(paper(API, TRIGGER, change))
    fired = fact("x", 10, "2025-03-01")
    assert outcome(book, "2025-05-31", fired) == "permit"
    assert outcome(book, "2025-06-01", fired) == "forbid"


def test_conditions_precedent_keep_clauses_waiting(make: MakeBook, fact: MakeFact) -> None:
    condition = {"kind": "condition_precedent", "id": "listed", "when": [{"fact": "ipo_closed"}]}
    for clauses in (
        (condition, API | {"requires": "listed"}),
        (condition | {"clauses": ["api"]}, API),
    ):
        book = make(paper(*clauses))
        assert outcome(book, "2025-06-01") == "permit"
        reason = decide(book, (), Instant.parse("2025-06-01"), SERVE).reasons[0]
        assert (reason.effect, reason.needs) == ("pending", ("ipo_closed",))
        assert outcome(book, "2025-06-01", fact("ipo_closed", at="2025-05-01")) == "forbid"


def test_dates_may_depend_on_facts(make: MakeBook, fact: MakeFact) -> None:
    until = {"latest_of": ["2025-03-01", {"fact": "done", "after": "10d"}]}
    book = make(paper(API | {"until": until}))
    assert outcome(book, "2029-01-01") == "forbid"
    early, late = fact("done", at="2025-01-01"), fact("done", at="2025-06-01")
    assert outcome(book, "2025-02-28", early) == "forbid"
    assert outcome(book, "2025-03-01", early) == "permit"
    assert outcome(book, "2025-06-10", late) == "forbid"
    assert outcome(book, "2025-06-11", late) == "permit"


def test_termination_after_notice_and_wind_down(make: MakeBook, fact: MakeFact) -> None:
    end = {"kind": "termination", "id": "end", "notice": "30d", "wind_down": "10d"}
    surviving = {"kind": "survival", "id": "s", "clauses": ["chat"]}
    chat = {"kind": "exclusive_serving", "id": "chat", "products": ["chat"]}
    book = make(paper(API, chat, end, surviving))
    notice = fact("notice/deal/end", at="2025-06-01")
    assert outcome(book, "2025-07-10", notice) == "forbid"
    assert outcome(book, "2025-07-11", notice) == "permit"
    assert "terminated on 2025-07-11 under deal/end" in why(book, "2025-07-11", notice)
    assert (
        outcome(book, "2026-01-01", notice, request=Request("serve", "lab", "beta", {"product": "chat"}))
        == "forbid"
    )


def test_a_default_can_be_cured(make: MakeBook, fact: MakeFact) -> None:
    end = {"kind": "termination", "id": "end", "cause": "default", "notice": "10d", "cure": "20d"}
    book = make(paper(API, end))
    notice = fact("notice/deal/end", at="2025-06-01")
    assert outcome(book, "2025-07-01", notice) == "permit"
    assert outcome(book, "2025-07-01", notice, fact("cured/deal/end", at="2025-06-30")) == "forbid"
    assert outcome(book, "2025-07-01", notice, fact("cured/deal/end", at="2025-07-01")) == "permit"


def test_a_partial_termination_ends_the_named_clauses(make: MakeBook, fact: MakeFact) -> None:
    chat = {"kind": "exclusive_serving", "id": "chat", "products": ["chat"]}
    book = make(paper(API, chat, {"kind": "termination", "id": "end", "ends": "tranche", "clauses": ["api"]}))
    notice = fact("notice/deal/end", at="2025-06-01")
    assert outcome(book, "2025-06-01", notice) == "permit"
    assert (
        outcome(book, "2025-06-01", notice, request=Request("serve", "lab", "beta", {"product": "chat"}))
        == "forbid"
    )


@pytest.mark.parametrize(("ends", "expected"), [("agreement", "forbid"), ("master", "permit")])
def test_ending_a_master_ends_its_orders_only_where_it_says_so(
    make: MakeBook, fact: MakeFact, ends: str, expected: str
) -> None:
    master = {"id": "master", "clauses": [{"kind": "termination", "id": "end", "ends": ends}]}
    book = make(master, paper(API, master="master"))
    assert outcome(book, "2025-06-01", fact("notice/master/end", at="2025-05-01")) == expected


WAIVER = {"kind": "waiver", "id": "w", "clauses": ["api"], "by": "alpha"}


def test_waivers_by_need_by_class_and_until_a_date(make: MakeBook, fact: MakeFact) -> None:
    by_need = make(paper(API, WAIVER | {"needs": ["need-1"]}))
    one = Request("serve", "lab", "beta", {"product": "api", "need": "need-1"})
    assert outcome(by_need, "2025-06-01", request=one) == "permit"
    assert outcome(by_need, "2025-06-01") == "forbid"

    by_class = make(paper(API, WAIVER | {"scope": [{"field": "customer", "values": ["gov"]}]}))
    gov = Request("serve", "lab", "beta", {"product": "api", "customer": "gov"})
    answer = decide(by_class, (), Instant.parse("2025-06-01"), gov)
    assert (answer.outcome, answer.reasons[0].clause, answer.reasons[0].effect) == (
        "permit",
        "deal/w",
        "waived",
    )
    assert outcome(by_class, "2025-06-01") == "forbid"

    dated = make(paper(API, WAIVER | {"until": "2025-07-01"}))
    assert outcome(dated, "2025-06-30") == "permit"
    assert outcome(dated, "2025-07-01") == "forbid"


def test_waivers_are_irrevocable_unless_they_say_otherwise(make: MakeBook, fact: MakeFact) -> None:
    revoked = fact("revoked/deal/w", at="2025-06-01")
    assert outcome(make(paper(API, WAIVER)), "2025-07-01", revoked) == "permit"
    assert outcome(make(paper(API, WAIVER | {"irrevocable": False})), "2025-07-01", revoked) == "forbid"


def test_clauses_rest_while_something_holds(make: MakeBook, fact: MakeFact) -> None:
    book = make(paper(API | {"suspended_by": [{"fact": "dispute"}]}))
    facts = (fact("dispute", True, "2025-03-01"), fact("dispute", False, "2025-04-01"))
    assert [outcome(book, at, *facts) for at in ("2025-02-01", "2025-03-01", "2025-04-01")] == [
        "forbid",
        "permit",
        "forbid",
    ]
    assert outcome(make(paper(API | {"status": "suspended"})), "2025-02-01") == "permit"


def test_a_change_sets_single_fields(make: MakeBook) -> None:
    change = {
        "kind": "amendment",
        "id": "a",
        "from": "2025-06-01",
        "changes": [{"clause": "api", "set": {"products": ["api", "chat"]}}],
    }
    book = make(paper(API, change))
    chat = Request("serve", "lab", "beta", {"product": "chat"})
    assert outcome(book, "2025-05-31", request=chat) == "permit"
    assert outcome(book, "2025-06-01", request=chat) == "forbid"
    assert outcome(book, "2025-06-01") == "forbid"


def test_amendments_apply_in_order_of_their_dates(make: MakeBook) -> None:
    third = {"kind": "amendment", "id": "third", "from": "2025-09-01", "removes": ["api"]}
    second = {"kind": "amendment", "id": "second", "from": "2025-06-01", "adds": [API]}
    first = {"kind": "amendment", "id": "first", "from": "2025-03-01", "removes": ["api"]}
    book = make(paper(API, third, second, first))
    at = ("2025-02-01", "2025-03-01", "2025-06-01", "2025-09-01")
    assert [outcome(book, day) for day in at] == ["forbid", "permit", "forbid", "permit"]
    assert book.chain.problems == []


def test_an_amendment_never_acts_before_it_was_signed(make: MakeBook) -> None:
    change = {"kind": "amendment", "id": "a", "from": "2025-03-01", "removes": ["api"]}
    later = paper(change, id="later", amends="deal", signed_on="2025-06-01")
    book = make(paper(API), later)
    assert [outcome(book, day) for day in ("2025-03-01", "2025-06-01")] == ["forbid", "permit"]
    letter = make(paper(API), later | {"status": "letter_of_intent"})
    assert outcome(letter, "2025-07-01") == "forbid"


def test_a_backdated_record_does_not_rewrite_answers(make: MakeBook, fact: MakeFact) -> None:
    book = make(paper(API, TRIGGER))
    late = fact("x", 10, "2025-03-01", recorded_at=Instant.parse("2025-05-01"))
    assert outcome(book, "2025-04-01", late) == "forbid"
    assert outcome(book, "2025-05-01", late) == "permit"
    assert "from 2025-03-01" in why(book, "2025-05-01", late)


def test_durations_read_as_people_write_them() -> None:
    assert Duration.parse("30d") == 30 * 86_400_000_000
