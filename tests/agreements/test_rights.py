"""Live rights of first refusal, and what becomes of one under which an offer is open."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stargate.agreements import Book, Request, WorldFact, fate, rights
from stargate.agreements.right import Calendar, Right, Window
from stargate.base.time import FOREVER, Duration, Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]
SOURCE = Request("source", "lab", "", {"chips": 100, "jurisdiction": "US-TX"})
AT = Instant.parse("2025-06-01")

REFUSAL = {"kind": "first_refusal", "id": "rofr", "mode": "match"}


def deal(*clauses: dict[str, Any], id: str = "deal", **more: Any) -> dict[str, Any]:
    return {"id": id, "customer": "lab", "supplier": "alpha", "clauses": list(clauses), **more}


def test_every_default_is_resolved(make: MakeBook) -> None:
    (right,) = rights(make(deal(REFUSAL)), (), AT, SOURCE)
    assert right == Right(
        clause="deal/rofr",
        holder="alpha",
        grantor="lab",
        mode="match",
        rank=1,
        window=Window(30, "calendar_days"),
        calendar=Calendar(name="UTC"),
    )
    assert right.until == FOREVER


def test_everything_a_clause_says_is_carried_over(make: MakeBook) -> None:
    said = {
        "mode": "first_offer",
        "holder": "gamma",
        "grantor": "lab",
        "rank": 3,
        "window": {"length": 5, "unit": "business_days"},
        "calendar": "texas",
        "text_ref": "§ 4",
        "partial": False,
        "tail": "90d",
        "comparison": "as_a_whole",
        "tolerance": "0.02",
        "sharing": "pro_rata",
        "weight": 2,
        "package": "burdened_part",
        "threshold_chips": 8,
        "threshold_duration": "1d",
        "aggregation_window": "30d",
        "emergency": "no_trigger",
        "short_lead": "3d",
        "renewal": "no_trigger",
        "at_end": "void",
        "on_amendment": "void",
        "delivery_grace": "7d",
        "cure": "14d",
        "until": "2030-01-01",
    }
    calendar = {"name": "texas", "time_zone": "America/Chicago"}
    (right,) = rights(make(deal(REFUSAL | said, calendars=[calendar])), (), AT, SOURCE)
    expected: dict[str, Any] = {
        **said,
        "clause": "deal/rofr",
        "window": Window(5, "business_days"),
        "calendar": Calendar("texas", "America/Chicago"),
        "tolerance": Decimal("0.02"),
        "until": Instant.parse("2030-01-01"),
        "suspended": "",
    }
    for name in ("tail", "threshold_duration", "aggregation_window", "short_lead", "delivery_grace", "cure"):
        expected[name] = Duration.parse(expected[name])
    assert {name: getattr(right, name) for name in right.__struct_fields__} == expected


def test_rank_order_then_priority_then_name(make: MakeBook) -> None:
    book = make(
        deal(REFUSAL | {"id": "c", "rank": 2, "holder": "c"}),
        deal(REFUSAL | {"id": "a", "holder": "a"}, id="second"),
        deal(REFUSAL | {"id": "b", "holder": "b", "priority": 1}, id="third"),
    )
    assert [right.holder for right in rights(book, (), AT, SOURCE)] == ["b", "a", "c"]


def test_only_those_whose_scope_covers(make: MakeBook) -> None:
    us = {"scope": [{"field": "jurisdiction", "operator": "Within", "values": ["US"]}]}
    book = make(deal(REFUSAL | us))
    assert len(rights(book, (), AT, SOURCE)) == 1
    assert rights(book, (), AT, Request("source", "lab", "", {"jurisdiction": "NO"})) == ()
    assert rights(book, (), AT, Request("source", "other", "", {"jurisdiction": "US"})) == ()
    # A threshold is the sourcing machine's to judge: it knows which needs count together.
    assert len(rights(make(deal(REFUSAL | {"threshold_chips": 10**6})), (), AT, SOURCE)) == 1


def test_waived_and_excepted_rights_are_left_out(make: MakeBook) -> None:
    waiver = {"kind": "waiver", "id": "w", "clauses": ["rofr"], "needs": ["n1"]}
    carve = {
        "exceptions": [{"id": "small", "scope": [{"field": "mw", "operator": "LessThan", "values": [1]}]}]
    }
    book = make(deal(REFUSAL | carve, waiver))
    assert len(rights(book, (), AT, SOURCE)) == 1
    assert rights(book, (), AT, Request("source", "lab", "", {"need": "n1"})) == ()
    assert rights(book, (), AT, Request("source", "lab", "", {"mw": Decimal("0.5")})) == ()


def test_a_holder_in_default_keeps_the_right_and_cannot_use_it(make: MakeBook, fact: MakeFact) -> None:
    book = make(deal(REFUSAL))
    facts = (fact("in_default/alpha", at="2025-05-01"), fact("in_default/alpha", False, at="2025-07-01"))
    (right,) = rights(book, facts, AT, SOURCE)
    assert "in_default/alpha" in right.suspended
    assert fate(book, facts, AT, right).status == "suspended"
    (right,) = rights(book, facts, Instant.parse("2025-07-01"), SOURCE)
    assert right.suspended == ""


def test_a_right_that_ends_says_what_becomes_of_open_offers(make: MakeBook) -> None:
    for rule in ("complete", "void"):
        book = make(deal(REFUSAL | {"until": "2025-07-01", "at_end": rule}))
        (right,) = rights(book, (), AT, SOURCE)
        assert fate(book, (), AT, right).status == "live"
        ended = fate(book, (), Instant.parse("2025-07-01"), right)
        assert (ended.status, ended.open_offers) == ("ended", rule)


@pytest.mark.parametrize(
    ("change", "status", "rule"),
    [
        ({"removes": ["rofr"]}, "amended", "void"),
        ({"removes": ["rofr"], "on_open_offers": "complete"}, "amended", "complete"),
        ({"changes": [{"clause": "rofr", "set": {"rank": 2}}]}, "amended", "void"),
        ({"changes": [{"clause": "rofr", "set": {"note": "reworded"}}]}, "live", "complete"),
    ],
)
def test_an_amended_right(make: MakeBook, change: dict[str, Any], status: str, rule: str) -> None:
    amendment = {"kind": "amendment", "id": "a", "from": "2025-07-01", **change}
    book = make(deal(REFUSAL | {"on_amendment": "void"}, amendment))
    (right,) = rights(book, (), AT, SOURCE)
    assert fate(book, (), AT, right).status == "live"
    after = fate(book, (), Instant.parse("2025-07-01"), right)
    assert (after.status, after.open_offers) == (status, rule)


def test_a_right_of_no_agreement_is_unknown(make: MakeBook) -> None:
    (right,) = rights(make(deal(REFUSAL)), (), AT, SOURCE)
    assert fate(make(), (), AT, right).status == "unknown"
