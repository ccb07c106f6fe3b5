"""What is wrong with agreements taken together is found when they are signed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stargate import agreements
from stargate.agreements import Book, lint
from stargate.base.errors import Problem

MakeBook = Callable[..., Book]

EXCLUSIVE = {"kind": "exclusive_serving", "id": "api", "products": ["api"]}
REFUSAL = {"kind": "first_refusal", "id": "rofr", "mode": "match"}
TERM = {"kind": "term", "id": "term", "until": "2030-01-01"}


def deal(*clauses: dict[str, Any], **more: Any) -> dict[str, Any]:
    base = {"id": "deal", "parties": ["lab", "alpha"], "customer": "lab", "supplier": "alpha"}
    return base | {"clauses": list(clauses)} | more


def other(*clauses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return deal(*clauses, **({"id": "other", "parties": ["lab", "beta"], "supplier": "beta"} | more))


def found(book: Book, **more: Any) -> list[Problem]:
    return list(lint(book.agreements, **more))


def test_the_example_is_sound(example: agreements.Loaded, repository: Any) -> None:
    from stargate import catalog

    parties = {party.id for party in catalog.load([repository / "examples/stargate/infrastructure"]).parties}
    assert example.lint(parties) == ()


ALONE: list[tuple[str, list[dict[str, Any]], str, str]] = [
    (
        "unknown base",
        [EXCLUSIVE | {"exception_to": "apo"}, REFUSAL],
        "no clause 'apo'",
        "clauses[0].exception_to",
    ),
    ("unknown condition", [EXCLUSIVE | {"requires": "x"}], "no clause 'x'", "clauses[0].requires"),
    (
        "wrong kind",
        [EXCLUSIVE | {"requires": "rofr"}, REFUSAL],
        "'rofr' is no condition_precedent",
        "requires",
    ),
    ("unknown trigger", [EXCLUSIVE | {"until": {"trigger": "agi"}}], "no clause 'agi'", "clauses[0].until"),
    (
        "unknown effect",
        [
            {
                "kind": "trigger",
                "id": "t",
                "when": [{"fact": "x"}],
                "effects": [{"effect": "end", "clauses": ["y"]}],
            }
        ],
        "no clause 'y'",
        "clauses[0].effects",
    ),
    (
        "unknown waived",
        [{"kind": "waiver", "id": "w", "clauses": ["y"]}],
        "no clause 'y'",
        "clauses[0].clauses",
    ),
    (
        "unknown removed",
        [{"kind": "amendment", "id": "a", "from": "2026-01-01", "removes": ["y"]}],
        "'y'",
        "removes",
    ),
    (
        "undated amendment",
        [REFUSAL, {"kind": "amendment", "id": "a", "removes": ["rofr"]}],
        "no date",
        "clauses[1]",
    ),
    ("same id", [REFUSAL, EXCLUSIVE | {"id": "rofr"}], "already a clause deal/rofr", "clauses[1]"),
    (
        "no calendar",
        [REFUSAL | {"window": {"length": 5, "unit": "business_days"}}],
        "business days",
        "window",
    ),
    ("unknown calendar", [REFUSAL | {"calendar": "x"}], "no calendar is called 'x'", "clauses[0].calendar"),
    (
        "mistyped attribute",
        [EXCLUSIVE | {"scope": [{"field": "costumer", "values": ["x"]}]}],
        "'costumer'",
        "scope",
    ),
    (
        "reversed",
        [EXCLUSIVE | {"from": "2026-01-01", "until": "2025-01-01"}],
        "ends before it begins",
        "until",
    ),
    ("stranger bound", [EXCLUSIVE | {"grantor": "gamma"}], "'gamma', who is no party", "clauses[0].grantor"),
    (
        "endless commitment",
        [{"kind": "commitment", "id": "c", "amount": 5}],
        "never ends",
        "clauses[0].until",
    ),
    (
        "milestone above amount",
        [
            TERM,
            {"kind": "commitment", "id": "c", "amount": 5, "milestones": [{"by": "2026-01-01", "amount": 6}]},
        ],
        "above the amount",
        "clauses[1].milestones",
    ),
    (
        "caps",
        [{"kind": "revenue_share", "id": "s", "rate": "0.2", "cap_total_usd": 5, "cap_period_usd": 6}],
        "cap of a period",
        "cap_period_usd",
    ),
    (
        "shares of each other",
        [
            {"kind": "revenue_share", "id": "a", "rate": "0.2", "base": {"includes_shares": ["b"]}},
            {"kind": "revenue_share", "id": "b", "rate": "0.2", "base": {"includes_shares": ["a"]}},
        ],
        "in a circle: deal/a → deal/b → deal/a",
        "base.includes_shares",
    ),
    (
        "exceptions in a circle",
        [EXCLUSIVE | {"exception_to": "chat"}, EXCLUSIVE | {"id": "chat", "exception_to": "api"}],
        "in a circle",
        "exception_to",
    ),
    (
        "carve-out out of reach",
        [EXCLUSIVE | {"exceptions": [{"id": "x", "scope": [{"field": "product", "values": ["chat"]}]}]}],
        "x is never reached",
        "clauses[0].exceptions[0]",
    ),
    (
        "exception out of time",
        [
            EXCLUSIVE | {"until": "2026-01-01"},
            EXCLUSIVE | {"id": "e", "exception_to": "api", "from": "2027-01-01"},
        ],
        "never in force together",
        "clauses[1].exception_to",
    ),
    (
        "exception to what decides nothing",
        [{"kind": "price", "id": "p", "price_usd": 1}, EXCLUSIVE | {"exception_to": "p"}],
        "decides no requests",
        "clauses[1].exception_to",
    ),
    (
        "waived by a stranger",
        [REFUSAL, {"kind": "waiver", "id": "w", "clauses": ["rofr"], "by": "lab"}],
        "holds",
        "by",
    ),
]


@pytest.mark.parametrize(
    ("clauses", "message", "path"), [pytest.param(*case[1:], id=case[0]) for case in ALONE]
)
def test_faults_of_one_agreement(
    make: MakeBook, clauses: list[dict[str, Any]], message: str, path: str
) -> None:
    problems = found(make(deal(*clauses)))
    assert [problem for problem in problems if message in problem.message and path in problem.path], problems
    assert all(problem.remedy and problem.path.startswith("deal.") for problem in problems)


def test_roles_nobody_fills(make: MakeBook) -> None:
    problems = found(make({"id": "deal", "clauses": [REFUSAL]}))
    assert ["holder" in problem.message or "grantor" in problem.message for problem in problems] == [
        True,
        True,
    ]


def test_unknown_parties_and_verifiers(make: MakeBook) -> None:
    trigger = {
        "kind": "trigger",
        "id": "t",
        "when": [{"fact": "x"}],
        "verifier": "panel",
        "effects": [{"effect": "open_negotiation"}],
    }
    book = make(deal(trigger))
    assert [problem.path for problem in found(book)] == ["deal.clauses[0].verifier"]
    problems = found(book, parties=["lab", "alpine"])
    assert [problem.message for problem in problems] == [
        "deal/t: its verifier 'panel' is neither a party nor named in third_parties",
        "deal: nobody knows the party 'alpha'",
    ]
    assert "alpine" in problems[1].remedy
    assert found(make(deal(trigger, third_parties=["panel"])), parties=["lab", "alpha"]) == []


def test_a_cap_below_what_is_owed(make: MakeBook) -> None:
    book = make(deal({"kind": "revenue_share", "id": "s", "rate": "0.2", "cap_total_usd": 5}))
    assert found(book, paid_usd={"deal/s": Decimal(5)}) == []
    (problem,) = found(book, paid_usd={"deal/s": Decimal(6)})
    assert "below the 6 USD already owed" in problem.message


BETWEEN: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("same product", deal(EXCLUSIVE), other(EXCLUSIVE), "both are exclusive"),
    ("other product", deal(EXCLUSIVE), other(EXCLUSIVE | {"products": ["chat"]}), ""),
    ("other action", deal(EXCLUSIVE), other(EXCLUSIVE | {"actions": ["train"]}), ""),
    (
        "one after the other",
        deal(EXCLUSIVE | {"until": "2026-01-01"}),
        other(EXCLUSIVE | {"from": "2026-01-01"}),
        "",
    ),
    (
        "other customer",
        deal(EXCLUSIVE),
        other(EXCLUSIVE, customer="someone", parties=["someone", "beta"]),
        "",
    ),
    ("priority", deal(EXCLUSIVE | {"priority": 1}), other(EXCLUSIVE), ""),
    (
        "carved out",
        deal(
            EXCLUSIVE | {"exceptions": [{"id": "gov", "scope": [{"field": "customer", "values": ["gov"]}]}]}
        ),
        other(EXCLUSIVE | {"scope": [{"field": "customer", "values": ["gov"]}]}),
        "",
    ),
    (
        "not in",
        deal(EXCLUSIVE | {"scope": [{"field": "customer", "operator": "NotIn", "values": ["gov", "mil"]}]}),
        other(EXCLUSIVE | {"scope": [{"field": "customer", "values": ["gov"]}]}),
        "",
    ),
    ("one rank", deal(REFUSAL), other(REFUSAL), "must both be asked first (rank 1)"),
    ("two ranks", deal(REFUSAL), other(REFUSAL | {"rank": 2}), ""),
    ("pro rata", deal(REFUSAL | {"sharing": "pro_rata"}), other(REFUSAL | {"sharing": "pro_rata"}), ""),
    ("one shares", deal(REFUSAL | {"sharing": "pro_rata"}), other(REFUSAL), "must both be asked first"),
    (
        "all capacity",
        deal(EXCLUSIVE | {"products": [], "actions": ["source"]}),
        other(REFUSAL),
        "another must be asked",
    ),
    ("letter of intent", deal(EXCLUSIVE), other(EXCLUSIVE, status="letter_of_intent"), ""),
    (
        "two exclusive rights",
        deal({"kind": "entitlement", "id": "e", "rights": ["use"], "assets": ["ip"], "exclusive": True}),
        other({"kind": "entitlement", "id": "e", "rights": ["use"], "assets": ["ip"]}),
        "both hold an exclusive right",
    ),
    ("same id", deal(EXCLUSIVE), deal(REFUSAL), "2 agreements are called 'deal'"),
    ("no master", deal(EXCLUSIVE, master="mother"), other(REFUSAL), "no master agreement 'mother'"),
    (
        "amends what is not there",
        deal(REFUSAL),
        other({"kind": "amendment", "id": "a", "removes": ["x"]}, amends="gone", signed_on="2026-01-01"),
        "'gone', which is no signed agreement",
    ),
]


@pytest.mark.parametrize(("one", "two", "message"), [pytest.param(*case[1:], id=case[0]) for case in BETWEEN])
def test_agreements_against_each_other(
    make: MakeBook, one: dict[str, Any], two: dict[str, Any], message: str
) -> None:
    messages = [problem.message for problem in found(make(one, two))]
    if message:
        assert any(message in text for text in messages), messages
    else:
        assert messages == []


def test_an_amendment_that_brings_a_conflict_is_found(make: MakeBook) -> None:
    change = {"kind": "amendment", "id": "a", "from": "2026-01-01", "adds": [EXCLUSIVE]}
    (problem,) = found(make(deal(EXCLUSIVE), other(change)))
    assert problem.path == "other.clauses[0].adds[0]"
    removed = {"kind": "amendment", "id": "a", "from": "2025-12-31", "removes": ["api"]}
    assert found(make(deal(EXCLUSIVE, removed), other(change))) == []
