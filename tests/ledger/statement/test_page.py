"""Statements on paper, in groups, and down to clause and usage; all of it a function of the record up to an entry."""

from __future__ import annotations

import html.parser
from collections.abc import Callable
from decimal import Decimal

import pytest

from stargate.base.time import DAY, Instant
from stargate.ledger import Ledger, Store
from stargate.ledger.statement import Statement
from stargate.ledger.statement.page import LINES_LIMIT, page
from tests.ledger.focus.books import keep, used

PAIR = ("lab", "alpha")
T = Instant.parse


@pytest.fixture
def ledger(opened: Callable[..., Store]) -> Ledger:
    return keep(opened())


class Read(html.parser.HTMLParser):
    """What a page refers to, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        said = dict(attrs)
        self.links += [said[name] or "" for name in ("href", "src") if name in said]
        self.ids |= {said["id"] or ""} if "id" in said else set()

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def made(ledger: Ledger, drawn: Statement) -> str:
    by = ("team", "day")
    return page(drawn, ledger.details(drawn, LINES_LIMIT), by, ledger.grouped(drawn, by))


def test_a_page_needs_nothing_from_elsewhere_and_leads_to_every_line(ledger: Ledger) -> None:
    drawn = ledger.statement(PAIR, "2026-02")
    found = Read(made(ledger, drawn))
    assert {link[:1] for link in found.links} == {"#"}
    assert {link[1:] for link in found.links} <= found.ids
    assert {f"line-{number + 1}" for number in range(len(drawn.items))} <= found.ids
    assert not found.tags & {"script", "img", "link", "iframe"}
    assert drawn.root
    for said in (
        drawn.root,
        drawn.digest,
        f"{drawn.as_of_entry:,} of the ledger",
        "2026-02-01 to 2026-02-28",
    ):
        assert said in found.text
    assert "section 4.1" in found.text
    assert "late-same" in found.text


def test_gross_lines_of_both_directions_stand_above_what_is_left(ledger: Ledger) -> None:
    drawn = ledger.statement(PAIR, "2026-01")
    text = Read(made(ledger, drawn)).text
    for payer in PAIR:
        gross = sum(item.amount_micro for item in drawn.items if item.payer == payer)
        assert gross
        assert f"{Decimal(gross).scaleb(-6):,.2f}"[:-3] in text
    [net] = drawn.net
    signed = sum(item.amount_micro if item.payer == net.payer else -item.amount_micro for item in drawn.items)
    assert signed == net.amount_micro


def test_a_statement_is_the_same_whatever_came_after_its_entry(ledger: Ledger) -> None:
    """Later usage, later terms and the close of the month change nothing as of an entry of before."""
    last = ledger.store.position().entry_seq
    before = ledger.statement(PAIR, "2026-03", last)
    paper = made(ledger, before)
    ledger.take([used("more", "99000", T("2026-03-09"), quoted_usd=Decimal(2))], T("2026-03-21"))
    ledger.rate(T("2026-03-21"))
    ledger.declare((), (), T("2026-03-22"))
    ledger.close("2026-03", T("2026-04-02"))
    assert ledger.statement(PAIR, "2026-03").digest != before.digest
    assert ledger.statement(PAIR, "2026-03", last) == before
    assert made(ledger, before) == paper


@pytest.mark.parametrize(
    "by", [("team",), ("clause", "kind"), ("day",), ("metric", "site", "provider"), ("nothing",)]
)
def test_groups_add_up_to_the_statement(ledger: Ledger, by: tuple[str, ...]) -> None:
    for month in ("2026-01", "2026-02"):
        drawn = ledger.statement(PAIR, month)
        groups = ledger.grouped(drawn, by)
        for payer in PAIR:
            items = [item for item in drawn.items if item.payer == payer]
            mine = [one for one in groups if one.payer == payer]
            assert sum(one.amount_micro for one in mine) == sum(item.amount_micro for item in items)
            assert sum(one.entries for one in mine) == sum(item.entries for item in items)


def test_days_and_agreements_are_told_apart(ledger: Ledger) -> None:
    drawn = ledger.statement(PAIR, "2026-01")
    days = {one.by["day"]: one for one in ledger.grouped(drawn, ["day"]) if one.payer == "lab"}
    assert {"", *(f"2026-01-0{day}" for day in range(1, 7))} <= set(days)
    # The first day: 36,000.25 chip-seconds at $2.13 an hour, rounded once.
    oak = next(
        one
        for one in ledger.grouped(drawn, ["day", "site"])
        if one.by == {"day": "2026-01-01", "site": "oak"}
    )
    assert (oak.amount_micro, oak.measured_in) == (21_300_148, "chip_hours")
    assert {one.by["agreement"] for one in ledger.grouped(drawn, ["agreement"])} == {"", "deal", "models"}


def test_usage_is_told_apart_by_day(ledger: Ledger) -> None:
    """36,000.25 chip-seconds at oak and 90,000 at elm on the first day, 7 more a day at oak."""
    found = {(one.by["day"], one.by["site"]): one for one in ledger.used("2026-03", ["day", "site"])}
    assert found["2026-03-01", "elm"].quantity == 25
    seconds = [round(found[f"2026-03-0{day}", "oak"].quantity * 3600, 6) for day in range(1, 7)]
    assert seconds == [Decimal("36000.25") + 7 * day for day in range(6)]


def test_what_is_behind_a_line_adds_up_to_it(ledger: Ledger) -> None:
    drawn = ledger.statement(PAIR, "2026-02")
    details = ledger.details(drawn, LINES_LIMIT)
    assert any(item.corrects for item in drawn.items)
    for item, detail in zip(drawn.items, details, strict=True):
        assert bool(item.clause) == bool(detail.wordings)
        entries = list(ledger.entries_of(drawn, item))
        assert sum(entry.amount_micro for entry in entries) == item.amount_micro
        if detail.days:
            assert sum(day.amount_micro for day in detail.days) == item.amount_micro
            assert sum(day.quantity for day in detail.days) == item.quantity
            assert detail.usage


def test_a_line_of_a_clause_shows_the_usage_in_its_scope(ledger: Ledger) -> None:
    drawn = ledger.statement(PAIR, "2026-02")
    [share] = [item for item in drawn.items if item.clause == "models/share"]
    [detail] = [
        found
        for item, found in zip(drawn.items, ledger.details(drawn, LINES_LIMIT), strict=True)
        if item == share
    ]
    assert [event.key for event in detail.usage] == ["2026-02-sold"]


def test_usage_of_others_that_looks_alike_is_not_behind_a_line(ledger: Ledger) -> None:
    alike = {"quoted_usd": Decimal("2.50"), "attributes": {"site": "fen"}}
    at = T("2026-03-10").plus(DAY // 2)
    ledger.take(
        [
            used("ours", "60", at, provider="gamma", **alike),
            used("theirs", "60", at, provider="delta", **alike),
        ],
        at,
    )
    ledger.rate(at)
    drawn = ledger.statement(("lab", "gamma"), "2026-03")
    [item] = drawn.items
    assert [event.key for event in ledger.usage_of(drawn, item, list(ledger.entries_of(drawn, item)))] == [
        "ours"
    ]


def test_what_others_wrote_stays_text(ledger: Ledger) -> None:
    nasty = "<script>alert(1)</script>"
    at = T("2026-03-10")
    event = used(
        nasty, "60", at, provider=nasty, quoted_usd=Decimal(1), attributes={"team": nasty, nasty: nasty}
    )
    ledger.take([event], at)
    ledger.rate(at)
    text = made(ledger, ledger.statement(("lab", nasty), "2026-03"))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 4
