"""The page on the year of statements shows what the ledger reckons, to the millionth of a dollar."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bench.ledger_demand import BEGINS, LATE, demand, months
from bench.ledger_year import reckoned, terms
from docs._ext import ledger_year
from docs._ext.ledger_year import DOCS, PAGE, PAIRS, READINGS, exact, written
from stargate.base.time import Instant
from stargate.ledger.record.month import span_of

FIGURES = ledger_year.read()
TEXT = PAGE.read_text(encoding="utf-8")
MICRO = 1_000_000


def owed(month: str = "", **like: str) -> int:
    """What lines that are like that add up to, in micro-USD."""
    return sum(
        one["amount_micro"]
        for one in FIGURES["items"]
        if (not month or one["month"] == month)
        and all(one.get(name, "") == said for name, said in like.items())
    )


def test_the_parts_are_those_of_the_figures() -> None:
    assert written(TEXT, FIGURES) == TEXT, "run `make ledger-year`"
    assert [name for name in ledger_year.TABLES if f"<!-- ledger: {name} -->" not in TEXT] == []


def test_the_books_kept_again_say_the_same_and_add_up() -> None:
    """All three readings of the whole year, their second account, the verification and the FOCUS files."""
    figures, wrong = reckoned()
    assert wrong == []
    assert _plain(figures) == FIGURES, "run `make ledger-year`"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def test_every_statement_nets_to_what_its_lines_are() -> None:
    for one in FIGURES["net"]:
        lines = [
            item
            for item in FIGURES["items"]
            if all(item[name] == one[name] for name in ("month", "pair", "unit"))
        ]
        sums = sum(item["amount_micro"] * (1 if item["payer"] == one["payer"] else -1) for item in lines)
        assert sums == one["amount_micro"] > 0


def test_shares_follow_the_terms_in_force_on_the_day() -> None:
    """By hand: 20 % of what was earned up to the 27th under one wording, from the 28th under the next, and so on."""

    def earned(first: str, end: str, product: str) -> Decimal:
        events = (
            *demand(BEGINS, span_of(months()[-1]).end),
            *(event for known in LATE for event in known.events),
        )
        return sum(
            (
                event.quantity
                for event in events
                if event.metric == "revenue_usd"
                and event.attributes["product"] == product
                and Instant.parse(first) <= event.start < Instant.parse(end)
            ),
            Decimal(0),
        )

    def fifth(first: str, end: str, *products: str) -> int:
        return int(sum(earned(first, end, product) for product in products) / 5 * MICRO)

    first, capped, back = (
        f"microsoft-openai/{name}"
        for name in ("share-to-microsoft", "capped-share-to-microsoft", "share-to-openai")
    )
    assert owed(clause=first) == fifth("2025-10-01", "2026-04-27", "chatgpt", "api")
    assert owed(clause=capped) == fifth("2026-04-27", "2026-10-01", "chatgpt", "api")
    assert owed(clause=back) == fifth("2025-10-01", "2026-04-27", "azure_openai")
    lines = [one for one in FIGURES["items"] if one["month"] == "2025-10"]
    october = [one["amount_micro"] for one in lines if one.get("clause") == first]
    assert october == [
        fifth("2025-10-01", "2025-10-28", "chatgpt", "api"),
        fifth("2025-10-28", "2025-11-01", "chatgpt", "api"),
    ]


def test_the_readings_differ_in_one_field_of_the_terms_and_in_the_lines_of_its_clause() -> None:
    for name, (clause, field, value) in READINGS.items():
        reading = FIGURES["readings"][name]
        (part,) = reading["terms"]
        assert part["path"].endswith(f".{clause}.{field}")
        assert Decimal(part["after"]) == Decimal(value) != Decimal(part["before"])
        assert {one["clause"] for one in reading["items"]} == {f"microsoft-openai/{clause}"}
    for one in FIGURES["readings"]["quarter"]["items"]:
        assert one["after_micro"] * 4 == one["before_micro"] * 5, "25 for 20"


def test_the_cap_is_reached_and_never_passed() -> None:
    cap = int(READINGS["cap"][2]) * MICRO
    changed = FIGURES["readings"]["cap"]["items"]
    kept = owed(clause="microsoft-openai/capped-share-to-microsoft") - sum(
        one["before_micro"] for one in changed
    )
    assert kept + sum(one["after_micro"] for one in changed) == cap
    assert [one["after_micro"] for one in changed][1:] == [0]


def test_what_was_short_and_used_is_what_was_committed() -> None:
    """Abilene: 15 billion by 30 September 2026, of which what was used on that day counts for the next year."""
    last = sum(
        event.quantity / 3600 * Decimal("4.06")
        for event in demand(BEGINS, span_of(months()[-1]).end)
        if event.provider == "oracle" and event.start < Instant.parse("2026-09-30")
    )
    assert owed(clause="oracle-openai/take-or-pay") + int(last * MICRO) == 15_000_000_000 * MICRO


def test_credit_is_a_tenth_of_the_month_that_was_missed() -> None:
    (used,) = (
        one for one in FIGURES["items"]
        if one["month"] == "2026-03" and one["kind"] == "usage" and one["payee"] == "coreweave"
    )  # fmt: skip
    assert owed("2026-04", kind="service_credit") * 10 == used["amount_micro"]


def test_late_use_that_was_paid_as_short_costs_nothing_more() -> None:
    late = [one for one in FIGURES["items"] if one.get("corrects") and one["pair"] == ["openai", "coreweave"]]
    assert {one["month"] for one in late} == {"2026-04"}
    assert sum(one["amount_micro"] * (1 if one["payer"] == "openai" else -1) for one in late) == 0
    assert owed("2026-01", corrects="2025-11") == int(Decimal("12345678.90") / 5 * MICRO)


def test_a_reading_names_a_field_that_there_is() -> None:
    with pytest.raises(AssertionError, match="has no"):
        terms("share-to-microsoft", "ratio", "1")


def test_the_plots_and_the_empty_statements_are_there() -> None:
    for name in ("owed", "shares", "consumed"):
        assert f"_static/ledger-year-{name}.svg" in TEXT
        assert (DOCS / "_static" / f"ledger-year-{name}.svg").is_file()
    assert [pair for pair in PAIRS if not any(one["pair"] == list(pair) for one in FIGURES["items"])] == [
        ("openai", "nvidia"),
        ("openai", "softbank"),
    ]


def test_amounts_are_shown_with_every_place_that_counts() -> None:
    assert [exact(micro) for micro in (0, 1, 1_500_000, -1_234_567_890_000)] == [
        "0.00",
        "0.000001",
        "1.50",
        "-1,234,567.89",
    ]
