"""How clauses together make one answer: exceptions, priority, conflict, closed assets, relief, shares of place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stargate.agreements import Book, Request, WorldFact, decide, rights
from stargate.agreements.decision import Decision
from stargate.base.time import Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]
AT = Instant.parse("2025-06-01")


def deal(id: str, supplier: str, *clauses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": id, "customer": "lab", "supplier": supplier, "clauses": list(clauses), **more}


def ask(book: Book, action: Any, provider: str = "", *facts: WorldFact, **attributes: Any) -> Decision:
    return decide(book, facts, AT, Request(action, "lab", provider, attributes))


EXCLUSIVE = {"kind": "exclusive_serving", "id": "api", "products": ["api"]}
REFUSAL = {"kind": "first_refusal", "id": "rofr", "mode": "match"}


def test_no_clause_permits() -> None:
    assert decide(Book.compile(()), (), AT, Request("train", "lab", "x")) == Decision("permit")


def test_forbid_beats_must_offer_beats_permit(make: MakeBook) -> None:
    refusal = deal("a", "alpha", REFUSAL)
    exclusive = deal("b", "beta", {"kind": "residency", "id": "us", "jurisdictions": ["US"]})
    book = make(refusal, exclusive)
    both = ask(book, "source", "gamma", jurisdiction="NO")
    assert both.outcome == "forbid"
    assert [reason.effect for reason in both.reasons] == ["forbid", "must_offer"]
    assert both.obligations == ()
    assert ask(book, "source", "gamma", jurisdiction="US-TX").outcome == "must_offer"
    assert ask(book, "source", "alpha", jurisdiction="US").outcome == "permit"


def test_others_are_not_bound(make: MakeBook) -> None:
    book = make(deal("a", "alpha", EXCLUSIVE))
    assert decide(book, (), AT, Request("serve", "other", "beta", {"product": "api"})).outcome == "permit"
    # Who asks without saying who, is told what binds anybody.
    assert decide(book, (), AT, Request("serve", "", "beta", {"product": "api"})).outcome == "forbid"


def test_exclusive_without_provider_is_the_safe_answer(make: MakeBook) -> None:
    answer = ask(make(deal("a", "alpha", EXCLUSIVE)), "serve", product="api")
    assert answer.outcome == "forbid"
    assert "alpha as the provider" in answer.reasons[0].would_change


def test_finetune_and_batch_are_training(make: MakeBook) -> None:
    book = make(deal("a", "alpha", {"kind": "exclusive_serving", "id": "x", "actions": ["train"]}))
    assert [ask(book, action, "beta").outcome for action in ("train", "finetune", "batch", "serve")] == [
        "forbid",
        "forbid",
        "forbid",
        "permit",
    ]


def test_an_exception_to_an_exception_lets_the_base_speak(make: MakeBook) -> None:
    gov = {"field": "customer", "values": ["gov"]}
    carve = {"kind": "price", "id": "gov", "price_usd": 1, "scope": [gov], "exception_to": "api"}
    back = {
        "kind": "price",
        "id": "secret",
        "price_usd": 1,
        "scope": [gov, {"field": "model", "values": ["secret"]}],
        "exception_to": "gov",
    }
    book = make(deal("a", "alpha", EXCLUSIVE, carve, back))
    assert ask(book, "serve", "beta", product="api").outcome == "forbid"
    assert ask(book, "serve", "beta", product="api", customer="gov").outcome == "permit"
    assert ask(book, "serve", "beta", product="api", customer="gov", model="secret").outcome == "forbid"


def test_two_exceptions_that_disagree_are_a_conflict_unless_one_has_priority(make: MakeBook) -> None:
    permit = {"kind": "price", "id": "yes", "price_usd": 1, "exception_to": "api"}
    forbid = {
        "kind": "residency",
        "id": "no",
        "jurisdictions": ["US"],
        "actions": ["serve"],
        "exception_to": "api",
    }
    equal = ask(
        make(deal("a", "alpha", EXCLUSIVE, permit, forbid)), "serve", "beta", product="api", jurisdiction="NO"
    )
    assert equal.outcome == "conflict"
    assert {reason.clause for reason in equal.reasons} == {"a/yes", "a/no"}
    for winner, outcome in (("yes", "permit"), ("no", "forbid")):
        clauses = [item | {"priority": 1} if item["id"] == winner else item for item in (permit, forbid)]
        answer = ask(
            make(deal("a", "alpha", EXCLUSIVE, *clauses)), "serve", "beta", product="api", jurisdiction="NO"
        )
        assert answer.outcome == outcome


def test_exclusives_to_two_holders_conflict_unless_one_has_priority(make: MakeBook) -> None:
    one, two = deal("a", "alpha", EXCLUSIVE), deal("b", "beta", EXCLUSIVE)
    assert ask(make(one, two), "serve", "alpha", product="api").outcome == "conflict"
    assert ask(make(one, two), "serve", "gamma", product="api").outcome == "forbid"
    first = deal("a", "alpha", EXCLUSIVE | {"priority": 1})
    assert ask(make(first, two), "serve", "alpha", product="api").outcome == "permit"
    assert ask(make(first, two), "serve", "beta", product="api").outcome == "forbid"


def test_first_refusals_need_an_order(make: MakeBook) -> None:
    one, two = deal("a", "alpha", REFUSAL), deal("b", "beta", REFUSAL)
    assert ask(make(one, two), "source", "gamma").outcome == "conflict"
    ranked = make(one, deal("b", "beta", REFUSAL | {"rank": 2}))
    assert ask(ranked, "source", "gamma").outcome == "must_offer"
    asked = rights(ranked, (), AT, Request("source", "lab", "gamma"))
    assert [right.holder for right in asked] == ["alpha", "beta"]
    shared = [deal(x, x, REFUSAL | {"sharing": "pro_rata", "weight": 2}) for x in ("alpha", "beta")]
    assert ask(make(*shared), "source", "gamma").outcome == "must_offer"


@pytest.mark.parametrize(
    ("clause", "attributes"),
    [
        ({"threshold_chips": 1000}, {"chips": 999}),
        ({"emergency": "no_trigger"}, {"emergency": True}),
        ({"renewal": "no_trigger"}, {"renewal": True}),
        ({"scope": [{"field": "mw", "operator": "AtLeast", "values": [1]}]}, {"mw": 0}),
        ({}, {"refused": ("a/rofr",)}),
        ({}, {"refused": "alpha"}),
    ],
)
def test_needs_outside_a_first_refusal(
    make: MakeBook, clause: dict[str, Any], attributes: dict[str, Any]
) -> None:
    book = make(deal("a", "alpha", REFUSAL | clause))
    assert ask(book, "source", "beta", **attributes).outcome == "permit"
    inside = {"chips": 1000, "mw": 1}
    assert ask(book, "source", "beta", **inside).outcome == "must_offer"


def test_a_threshold_with_a_window_cannot_be_judged_from_one_request(make: MakeBook) -> None:
    book = make(deal("a", "alpha", REFUSAL | {"threshold_chips": 1000, "aggregation_window": "30d"}))
    assert ask(book, "source", "beta", chips=10).outcome == "must_offer"


def test_failover_relieves_after_its_time(make: MakeBook, fact: MakeFact) -> None:
    clause = EXCLUSIVE | {"failover": {"fact": "down/{holder}/{site}", "after": "4h"}}
    book = make(deal("a", "alpha", clause))

    def outcome(*facts: WorldFact) -> Decision:
        return ask(book, "serve", "beta", *facts, product="api", site="east")

    unknown = outcome()
    assert (unknown.outcome, unknown.reasons[0].needs) == ("forbid", ("down/alpha/east",))
    assert outcome(fact("down/alpha/east", at="2025-05-31T20:00:01Z")).outcome == "forbid"
    relieved = outcome(fact("down/alpha/east", at="2025-05-31T20:00:00Z"))
    assert (relieved.outcome, len(relieved.reasons[0].facts)) == ("permit", 1)
    back = fact("down/alpha/east", False, "2025-05-31T23:00:00Z")
    assert outcome(fact("down/alpha/east", at="2025-05-31T20:00:00Z"), back).outcome == "forbid"


def test_an_answer_that_waits_for_time_is_not_kept_too_long(make: MakeBook, fact: MakeFact) -> None:
    book = make(deal("a", "alpha", EXCLUSIVE | {"failover": {"after": "4h"}}))
    facts = (fact("down/alpha", at="2025-06-01"),)
    request = Request("serve", "lab", "beta", {"product": "api"})
    seen = [
        decide(book, facts, Instant.parse(f"2025-06-01T0{hour}:00:00Z"), request).outcome for hour in range(6)
    ]
    assert seen == ["forbid"] * 4 + ["permit"] * 2


def test_residency_of_all(make: MakeBook) -> None:
    book = make(deal("a", "alpha", {"kind": "residency", "id": "us", "jurisdictions": ["US"]}))
    assert ask(book, "train", "beta", jurisdiction="US-TX").outcome == "permit"
    assert ask(book, "train", "beta", country="US").outcome == "permit"
    outside = ask(book, "train", "beta", jurisdiction="NO-18")
    assert outside.outcome == "forbid"
    assert "a place within US" in outside.reasons[0].would_change
    assert ask(book, "train", "beta").outcome == "forbid"  # nobody said where


def test_residency_of_a_share(make: MakeBook, fact: MakeFact) -> None:
    book = make(
        deal("a", "alpha", {"kind": "residency", "id": "us", "jurisdictions": ["US"], "min_share": 0.8})
    )
    assert ask(book, "train", "beta", jurisdiction="US-TX").outcome == "prefer"
    unknown = ask(book, "train", "beta", jurisdiction="NO")
    assert (unknown.outcome, unknown.reasons[0].needs) == ("forbid", ("share/a/us",))
    low, high = fact("share/a/us", "0.8"), fact("share/a/us", "0.81")
    assert ask(book, "train", "beta", low, jurisdiction="NO").outcome == "forbid"
    assert ask(book, "train", "beta", high, jurisdiction="NO").outcome == "permit"


IP = {"kind": "entitlement", "id": "ip", "rights": ["use", "resale"], "assets": ["model_ip"]}


def test_what_an_entitlement_names_is_closed_to_others(make: MakeBook) -> None:
    book = make(deal("a", "alpha", IP))

    def outcome(party: str, action: Any, asset: str = "model_ip") -> str:
        return decide(book, (), AT, Request(action, party, "", {"asset": asset})).outcome

    assert outcome("alpha", "use") == "permit"
    assert outcome("alpha", "resell") == "permit"
    assert outcome("lab", "use") == "permit"  # the owner
    assert outcome("beta", "use") == "forbid"
    assert outcome("alpha", "sublicense") == "permit"  # no clause speaks of it
    assert outcome("beta", "use", "brand") == "permit"
    denied = decide(book, (), AT, Request("use", "beta", "", {"asset": "model_ip"}))
    assert denied.reasons[0].clause == "a/ip"
    assert "an entitlement granted by lab" in denied.reasons[0].would_change


def test_an_exclusive_entitlement_keeps_even_the_owner_out(make: MakeBook) -> None:
    book = make(deal("a", "alpha", IP | {"exclusive": True}), deal("b", "beta", IP))
    assert decide(book, (), AT, Request("use", "lab", "", {"asset": "model_ip"})).outcome == "forbid"
    assert decide(book, (), AT, Request("use", "alpha", "", {"asset": "model_ip"})).outcome == "permit"
    assert decide(book, (), AT, Request("use", "beta", "", {"asset": "model_ip"})).outcome == "forbid"
    twice = make(deal("a", "alpha", IP | {"exclusive": True}), deal("b", "beta", IP | {"exclusive": True}))
    assert decide(twice, (), AT, Request("use", "alpha", "", {"asset": "model_ip"})).outcome == "conflict"


def test_ship_without_provider_prefers_the_holder(make: MakeBook) -> None:
    book = make(deal("a", "alpha", {"kind": "first_ship", "id": "f", "condition": "cannot_or_declines"}))
    assert ask(book, "ship", product="x").outcome == "prefer"
    unsaid = ask(book, "ship", "beta")
    assert unsaid.outcome == "forbid"
    assert "product" in unsaid.reasons[0].would_change


def test_the_lead_of_a_first_ship(make: MakeBook, fact: MakeFact) -> None:
    clause = {"kind": "first_ship", "id": "f", "condition": "cannot_or_declines", "lead": "10d"}
    book = make(deal("a", "alpha", clause))
    shipped = fact("shipped/x/alpha", at="2025-05-23")
    early = ask(book, "ship", "beta", shipped, product="x")
    assert (early.outcome, "2025-06-02" in early.reasons[0].says) == ("forbid", True)
    assert (
        ask(book, "ship", "beta", fact("shipped/x/alpha", at="2025-05-22"), product="x").outcome == "permit"
    )


@pytest.mark.parametrize("action", ["exercise", "cancel", "modify", "terminate"])
def test_what_no_clause_allows_to_end_is_forbidden(make: MakeBook, action: Any) -> None:
    answer = ask(make(deal("a", "alpha", EXCLUSIVE)), action, "alpha", clause="a/nothing")
    assert answer.outcome == "forbid"
    assert answer.reasons[0].clause == "a/nothing"
    with pytest.raises(ValueError, match="needs the attribute"):
        Request(action, "lab", "alpha")


def test_termination_asks_for_the_party_and_the_default(make: MakeBook, fact: MakeFact) -> None:
    free = make(deal("a", "alpha", {"kind": "termination", "id": "end", "by": "lab", "notice": "90d"}))
    answer = ask(free, "terminate", "alpha", agreement="a")
    assert answer.outcome == "permit"
    assert "notice 12w6d" in answer.obligations[0].says
    other = decide(free, (), AT, Request("terminate", "alpha", "", {"agreement": "a"}))
    assert other.outcome == "forbid"
    cause = make(deal("a", "alpha", {"kind": "termination", "id": "end", "cause": "default"}))
    asked = ask(cause, "terminate", "alpha", agreement="a")
    assert (asked.outcome, asked.reasons[0].needs) == ("forbid", ("in_default/alpha",))
    assert ask(cause, "terminate", "alpha", fact("in_default/alpha"), agreement="a").outcome == "permit"


def test_lists_of_attributes_match_if_one_does(make: MakeBook) -> None:
    book = make(deal("a", "alpha", EXCLUSIVE))
    assert ask(book, "serve", "beta", product=["chat", "api"]).outcome == "forbid"
    assert ask(book, "serve", "beta", product=("chat",)).outcome == "permit"


def test_fields_are_those_that_any_clause_looks_at(make: MakeBook) -> None:
    scope = [{"any_of": [{"field": "team", "values": ["x"]}, {"field": "tenure", "values": ["market"]}]}]
    book = make(deal("a", "alpha", EXCLUSIVE | {"scope": scope, "failover": {"fact": "down/{site}"}}))
    assert book.fields == {"product", "team", "tenure", "site"}
    assert make(deal("a", "alpha", {"kind": "holding", "id": "h", "holder": "x", "of": "y"})).fields == set()


def test_only_the_last_wording_explains_itself(make: MakeBook) -> None:
    change = {"kind": "amendment", "id": "one", "from": "2025-02-01", "replaces": [EXCLUSIVE]}
    gone = {"kind": "amendment", "id": "two", "from": "2025-03-01", "removes": ["api"]}
    answer = ask(make(deal("a", "alpha", EXCLUSIVE, change, gone)), "serve", "beta", product="api")
    assert [(reason.effect, "a/two" in reason.says) for reason in answer.reasons] == [("ended", True)]


def test_cancelling_may_cost_a_fee(make: MakeBook) -> None:
    clause = {"kind": "capacity_reservation", "id": "r", "quantity": 8, "cancellation_fee_percent": 12}
    answer = ask(make(deal("a", "alpha", clause)), "cancel", "alpha", clause="a/r")
    assert answer.outcome == "permit"
    assert [(item.kind, item.debtor, "12 %" in item.says) for item in answer.obligations] == [
        ("pay", "lab", True)
    ]
    assert ask(make(deal("a", "alpha", clause)), "modify", "alpha", clause="r").obligations == ()


def test_a_list_of_facts_that_grows_is_seen(make: MakeBook, fact: MakeFact) -> None:
    book = make(deal("a", "alpha", EXCLUSIVE | {"suspended_by": [{"fact": "dispute"}]}))
    facts: list[WorldFact] = []
    request = Request("serve", "lab", "beta", {"product": "api"})
    seen = [decide(book, facts, AT, request).outcome]
    facts.append(fact("dispute"))
    seen.append(decide(book, facts, AT, request).outcome)
    facts.append(fact("dispute", False, "2025-02-01"))
    seen.append(decide(book, facts, AT, request).outcome)
    facts.pop()
    seen.append(decide(book, facts, AT, request).outcome)
    assert seen == ["forbid", "permit", "forbid", "permit"]
