"""Acceptance cases of access: who must be asked, what may run where, who may use what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from stargate import agreements
from stargate.agreements import Agreement, Book, Request, WorldFact, decide, fate, lint, obligations, rights
from stargate.base import wire
from stargate.base.errors import InputError
from stargate.base.time import Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]

JANUARY = Instant.parse("2025-02-01")
OCTOBER = Instant.parse("2025-11-03")
APRIL = Instant.parse("2026-05-01")

SOURCE = Request(
    action="source", party="openai", provider="oracle", attributes={"chips": 16384, "jurisdiction": "US-TX"}
)


def serve(provider: str, **attributes: str) -> Request:
    return Request(action="serve", party="openai", provider=provider, attributes=attributes)


def test_ac01_new_capacity_goes_to_azure_first(signed: Book) -> None:
    answer = decide(signed, (), JANUARY, SOURCE)
    assert answer.outcome == "must_offer"
    assert answer.reasons[0].clause == "microsoft-openai/new-capacity"
    assert answer.reasons[0].text_ref
    (offer,) = answer.obligations
    assert (offer.kind, offer.debtor, offer.creditor) == ("offer", "openai", "microsoft")

    (right,) = rights(signed, (), JANUARY, SOURCE)
    assert (right.holder, right.mode) == ("microsoft", "capability")
    assert right.calendar.time_zone == "America/Los_Angeles"
    assert right.until == Instant.parse("2031-01-01")

    # Azure cannot meet the requirement: the market is open, and the decision still says under which clause.
    refused = msgspec.structs.replace(
        SOURCE, attributes=SOURCE.attributes | {"refused": ("microsoft-openai/new-capacity",)}
    )
    opened = decide(signed, (), JANUARY, refused)
    assert opened.outcome == "permit"
    assert opened.reasons[0].clause == "microsoft-openai/new-capacity"
    # With Azure itself there is nothing to offer to anybody else.
    assert (
        decide(signed, (), JANUARY, msgspec.structs.replace(SOURCE, provider="microsoft")).outcome == "permit"
    )


def test_ac02_api_only_on_azure_training_anywhere(signed: Book) -> None:
    denied = decide(signed, (), JANUARY, serve("oracle", product="api"))
    assert denied.outcome == "forbid"
    assert denied.reasons[0].clause == "microsoft-openai/api-exclusive"
    assert "exclusive to microsoft" in denied.reasons[0].says
    assert "microsoft as the provider" in denied.reasons[0].would_change
    assert decide(signed, (), JANUARY, serve("microsoft", product="api")).outcome == "permit"
    training = Request(action="train", party="openai", provider="oracle", attributes={"model": "next"})
    assert decide(signed, (), JANUARY, training).outcome == "permit"


@pytest.mark.parametrize(("rule", "expected"), [("complete", "complete"), ("void", "void")])
def test_ac05_amendment_removes_first_refusal_and_commits(
    example: agreements.Loaded, rule: str, expected: str
) -> None:
    papers = {paper.id: paper for paper in example.agreements}
    plain = wire.to_plain(papers["microsoft-openai-2025-10"])
    plain["clauses"][0]["on_open_offers"] = rule
    book = Book.compile((papers["microsoft-openai"], wire.convert(plain, Agreement)))

    (right,) = rights(book, (), JANUARY, SOURCE)
    last = Instant(Instant.parse("2025-10-28") - 1)
    assert rights(book, (), last, SOURCE) == (right,)
    assert fate(book, (), last, right).status == "live"

    at = Instant.parse("2025-10-28")
    assert rights(book, (), at, SOURCE) == ()
    became = fate(book, (), at, right)
    assert (became.status, became.open_offers) == ("amended", expected)
    assert "microsoft-openai-2025-10/next-chapter" in became.says

    answer = decide(book, (), at, SOURCE)
    assert answer.outcome == "permit"
    assert answer.reasons[0].effect == "ended"
    assert "microsoft-openai-2025-10/next-chapter removed it on 2025-10-28" in answer.reasons[0].says
    spend = [item for item in obligations(book, (), at) if item.kind == "spend"]
    assert [(item.amount_micro_usd, item.creditor) for item in spend] == [
        (250_000_000_000 * 10**6, "microsoft")
    ]
    assert not [item for item in obligations(book, (), last) if item.kind == "spend"]


def test_ac06_declared_but_unverified_changes_nothing(pick: MakeBook, fact: MakeFact) -> None:
    book = pick("microsoft-openai", "microsoft-openai-2025-10")
    at = Instant.parse("2027-06-01")
    questions = [
        serve("amazon", product="api"),
        SOURCE,
        Request("use", "microsoft", "", {"asset": "research_ip"}),
    ]
    before = [decide(book, (), at, question) for question in questions]
    owed = obligations(book, (), at)

    claimed = fact("agi_declared", at="2027-05-01")
    elsewhere = fact("agi_declared", at="2027-05-02", status="verified", verified_by="openai")
    assert [decide(book, (claimed, elsewhere), at, question) for question in questions] == before
    assert obligations(book, (claimed, elsewhere), at) == owed

    verified = fact("agi_declared", at="2027-05-03", status="verified", verified_by="agi-panel")
    facts = (claimed, elsewhere, verified)
    assert decide(book, facts, at, questions[0]).outcome == "permit"
    assert decide(book, facts, at, questions[2]).outcome == "forbid"
    assert "negotiate" in [item.kind for item in obligations(book, facts, at)]


def test_ac07_two_entitlements_end_differently(pick: MakeBook, fact: MakeFact) -> None:
    book = pick("microsoft-openai", "microsoft-openai-2025-10")
    research = Request("use", "microsoft", "", {"asset": "research_ip"})
    product = Request("use", "microsoft", "", {"asset": "model_ip"})
    verified = fact("agi_declared", at="2028-03-01", status="verified", verified_by="agi-panel")

    def outcome(at: str, asked: Request, *facts: WorldFact) -> str:
        return decide(book, facts, Instant.parse(at), asked).outcome

    # By date: research at the end of 2030, products at the end of 2032.
    assert outcome("2030-12-31T23:59:59Z", research) == "permit"
    assert outcome("2031-01-01", research) == "forbid"
    assert outcome("2032-12-31", product) == "permit"
    assert outcome("2033-01-01", product) == "forbid"
    # By the panel: research ends at once, products go on after it.
    assert outcome("2028-02-29", research, verified) == "permit"
    assert outcome("2028-03-01", research, verified) == "forbid"
    assert outcome("2028-03-01", product, verified) == "permit"
    ended = decide(book, (verified,), Instant.parse("2028-03-01"), research).reasons[0]
    assert ended.clause == "microsoft-openai/research-ip"
    assert "agi-panel" in ended.facts[0]


def test_ac08_national_security_on_any_cloud(signed: Book) -> None:
    denied = decide(signed, (), OCTOBER, serve("amazon", product="api", customer="enterprise"))
    assert denied.outcome == "forbid"
    assert "national-security" in denied.reasons[0].would_change
    allowed = decide(signed, (), OCTOBER, serve("amazon", product="api", customer="national_security"))
    assert allowed.outcome == "permit"
    assert allowed.reasons[0].clause == "microsoft-openai/api-exclusive/national-security"
    assert "national-security" in allowed.reasons[0].says
    assert decide(signed, (), OCTOBER, serve("amazon", product="chat")).outcome == "permit"
    # In January there was no such exception.
    early = decide(signed, (), JANUARY, serve("amazon", product="api", customer="national_security"))
    assert early.outcome == "forbid"


def test_ac08_the_exception_may_be_a_clause_of_its_own_with_priority(make: MakeBook) -> None:
    book = make(
        {
            "id": "msft",
            "customer": "openai",
            "supplier": "microsoft",
            "clauses": [
                {"kind": "exclusive_serving", "id": "api", "products": ["api"]},
                {
                    "kind": "exclusive_serving",
                    "id": "government",
                    "holder": "amazon",
                    "products": ["api"],
                    "scope": [{"field": "customer", "values": ["national_security"]}],
                    "exception_to": "api",
                    "priority": 1,
                },
            ],
        }
    )
    answer = decide(book, (), JANUARY, serve("amazon", product="api", customer="national_security"))
    assert answer.outcome == "permit"
    assert [(reason.clause, reason.effect) for reason in answer.reasons] == [
        ("msft/government", "permit"),
        ("msft/api", "overridden"),
    ]
    elsewhere = decide(book, (), JANUARY, serve("microsoft", product="api", customer="national_security"))
    assert (elsewhere.outcome, elsewhere.reasons[0].clause) == ("forbid", "msft/government")


def test_ac10_a_stake_has_no_effect_on_placement(example: agreements.Loaded) -> None:
    papers = [paper for paper in example.agreements if paper.id.startswith("microsoft")]
    plain = [wire.to_plain(paper) for paper in papers]
    (amendment,) = (paper for paper in plain if paper["id"] == "microsoft-openai-2025-10")
    changed = amendment["clauses"][0]
    (stake,) = (clause for clause in changed["adds"] if clause["kind"] == "holding")
    assert stake["percent"] == "27"
    assert int(stake["value_usd"]) == 135_000_000_000
    changed["adds"] = [clause for clause in changed["adds"] if clause is not stake]
    without = Book.compile(wire.convert(paper, Agreement) for paper in plain)
    with_stake = Book.compile(papers)
    questions = [SOURCE, *(serve(p, product="api") for p in ("amazon", "microsoft", "oracle"))]
    for at in (JANUARY, OCTOBER, APRIL):
        for question in questions:
            assert decide(with_stake, (), at, question) == decide(without, (), at, question)
        assert obligations(with_stake, (), at) == obligations(without, (), at)


READINGS = [
    ("cannot_and_declines", (), "forbid"),
    ("cannot_and_declines", ("cannot_support",), "forbid"),
    ("cannot_and_declines", ("declines",), "forbid"),
    ("cannot_and_declines", ("cannot_support", "declines"), "permit"),
    ("cannot_or_declines", (), "forbid"),
    ("cannot_or_declines", ("cannot_support",), "permit"),
    ("cannot_or_declines", ("declines",), "permit"),
]


@pytest.mark.parametrize(("condition", "said", "expected"), READINGS)
def test_ac11_both_readings_of_the_release(
    make: MakeBook, fact: MakeFact, condition: str, said: tuple[str, ...], expected: str
) -> None:
    book = make(
        {
            "id": "msft",
            "customer": "openai",
            "supplier": "microsoft",
            "clauses": [{"kind": "first_ship", "id": "first", "condition": condition}],
        }
    )
    launch = Request("ship", "openai", "amazon", {"product": "agents"})
    facts = tuple(fact(f"{name}/agents/microsoft") for name in said)
    answer = decide(book, facts, APRIL, launch)
    assert answer.outcome == expected
    assert answer.reasons[0].clause == "msft/first"


def test_ac11_one_day_later_is_legal_before_azure_is_not(signed: Book, fact: MakeFact) -> None:
    launch = Request("ship", "openai", "amazon", {"product": "agents", "model": "agents-1"})
    facts = (fact("shipped/agents-1/microsoft", at="2026-06-10"),)

    def outcome(at: str) -> str:
        return decide(signed, facts, Instant.parse(at), launch).outcome

    assert outcome("2026-06-09") == "forbid"
    assert outcome("2026-06-09T23:59:59.999999Z") == "forbid"
    assert outcome("2026-06-11") == "permit"
    before = decide(signed, facts, Instant.parse("2026-06-09"), launch).reasons[0]
    assert before.needs == ("shipped/agents-1/microsoft",)
    assert "its launch with microsoft" in before.would_change
    # On Azure itself it may ship at any time.
    assert (
        decide(signed, (), APRIL, msgspec.structs.replace(launch, provider="microsoft")).outcome == "permit"
    )


def test_ac11_the_condition_must_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "msft.yaml"
    path.write_text(
        "agreement:\n  id: msft\n  customer: openai\n  supplier: microsoft\n"
        "  clauses:\n  - {kind: first_ship, id: first}\n"
    )
    with pytest.raises(InputError) as caught:
        agreements.load(path)
    (problem,) = caught.value.problems
    assert "condition" in problem.message
    assert "cannot_and_declines, cannot_or_declines" in problem.remedy


def test_ac13_overlapping_exclusives_are_a_conflict(case: Callable[[str], Book]) -> None:
    book = case("ac13")
    (problem,) = lint(book.agreements)
    assert "with-alpha/api and with-beta/api" in problem.message
    on_alpha = Request("serve", "lab", "alpha", {"product": "api"})
    answer = decide(book, (), JANUARY, on_alpha)
    assert answer.outcome == "conflict"
    assert {reason.clause for reason in answer.reasons} == {"with-alpha/api", "with-beta/api"}
    # With a third party both forbid, and agree in that; chat is only with beta.
    assert decide(book, (), JANUARY, Request("serve", "lab", "gamma", {"product": "api"})).outcome == "forbid"
    assert decide(book, (), JANUARY, Request("serve", "lab", "beta", {"product": "chat"})).outcome == "permit"


def test_the_same_request_at_three_dates_gives_three_answers(
    repository: Path, example: agreements.Loaded
) -> None:
    request, facts = agreements.load_request(repository / "examples/stargate/requests/launch-on-aws.yaml")
    answers = [agreements.ask(example.agreements, facts, request, at) for at in (JANUARY, OCTOBER, APRIL)]
    assert [answer.outcome for answer in answers] == ["forbid", "permit", "forbid"]
    assert [answer.reasons[0].clause for answer in answers] == [
        "microsoft-openai/api-exclusive",
        "microsoft-openai/api-exclusive/national-security",
        "microsoft-openai/azure-first",
    ]
    request, facts = agreements.load_request(
        repository / "examples/stargate/requests/source-from-oracle.yaml"
    )
    answers = [agreements.ask(example.agreements, facts, request, at) for at in (JANUARY, OCTOBER, APRIL)]
    assert [answer.outcome for answer in answers] == ["must_offer", "permit", "permit"]
    assert [right.holder for right in answers[0].rights] == ["microsoft"]
