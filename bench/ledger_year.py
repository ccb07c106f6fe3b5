"""Keeps the books of the example infrastructure for a year, month by month, and writes the page about them.

`python -m bench.ledger_year`, or `make ledger-year`. The demand is that of `bench.ledger_demand`; the agreements and
facts are those of `examples/stargate`, each on record from the day it was signed. The same year is kept again with each
of two fields of the terms read otherwise. Written are `docs/ledger-year.md` (its tables), the figures behind it
(`ledger-year.json`) and its plots (`_static/ledger-year-*.svg`). What use and shares come to is added up a second time
from the demand alone; the command fails where the two differ, where the books do not verify, or where the FOCUS files
are not valid.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from focus_data_toolkit.model.validator import lint_focus_1_4_structure
from focus_data_toolkit.validate import validate_dataset_bundle

from bench.ledger_demand import (
    BEGINS,
    FACTS,
    LATE,
    OPENINGS,
    PRICE_USD,
    STREAMS,
    SUPPLIES,
    demand,
    months,
)
from bench.year_plots import alone
from docs._ext.ledger_year import FIGURES, NAMES, PAGE, PAIRS, READINGS, Figures, written
from stargate import agreements
from stargate.agreements import Agreement, Period, WorldFact
from stargate.base import wire
from stargate.base.time import DAY, SECOND, Instant
from stargate.ledger import Ledger, Store, UsageEvent, open_store
from stargate.ledger.focus.columns import VERSION, Dataset
from stargate.ledger.focus.export import HEADERS, Export
from stargate.ledger.record.month import span_of
from stargate.ledger.verify import verify
from stargate.rehearsal.report.plots import Curve, Span, over_time

ROOT = Path(__file__).resolve().parents[1]
PAPERS = ROOT / "examples" / "stargate" / "agreements"
CONDITIONS = ("SupportsMultiplePricingCategories", "SupportsUnitPricing")
"""Of FOCUS: with these declared, more columns must say something."""
GRACE = 2 * DAY
"""After a month has ended, it is closed."""
SECOND_AMENDMENT = Instant.parse("2026-04-27")
SHARE, CAPPED, BACK = (
    f"microsoft-openai/{name}"
    for name in ("share-to-microsoft", "capped-share-to-microsoft", "share-to-openai")
)


class Terms(NamedTuple):
    """The agreements and facts of the example, read in one way."""

    papers: tuple[Agreement, ...]
    facts: tuple[WorldFact, ...]

    def signed_by(self, at: Instant) -> tuple[Agreement, ...]:
        """Those that were signed before an instant."""
        return tuple(paper for paper in self.papers if paper.signed_on is None or paper.signed_on < at)

    def known_by(self, at: Instant) -> list[WorldFact]:
        """Facts that were so before an instant."""
        return [fact for fact in self.facts if fact.valid_from < at]


def main() -> None:
    """Keep the books three times, check, draw, write."""
    figures, wrong = reckoned()
    if wrong:
        sys.exit("\n".join(wrong))
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    draw(figures, PAGE.parent / "_static")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")


def reckoned() -> tuple[Figures, list[str]]:
    """All figures of the page, and what is wrong with them."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        first = terms()
        with closing(open_store(folder / "year.sqlite", durable=False)) as store:
            keep(store, first)
            figures = _figures(store)
            wrong = [str(fault) for fault in verify(store.audit()).faults]
            wrong += _counted_again(figures["items"])
            figures["focus"], invalid = _focus(store)
        figures["demand"] = _demanded()
        figures["readings"] = {}
        for name, (clause, field, value) in READINGS.items():
            other = terms(clause, field, value)
            with closing(open_store(folder / f"{name}.sqlite", durable=False)) as store:
                keep(store, other)
                found = _figures(store)
            figures["readings"][name] = _parted(first, other, figures, found)
    return figures, wrong + invalid


# -- the books ---------------------------------------------------------------------------------------------------------


def terms(clause: str = "", field: str = "", value: str = "") -> Terms:
    """The terms as the example has them, or with one field of one clause read otherwise."""
    loaded = agreements.load_all(PAPERS)
    papers = []
    for paper in loaded.agreements:
        plain = wire.to_plain(paper)
        for one in _clauses(plain):
            if clause and one.get("id") == clause:
                assert field in one, f"{clause} has no {field}"
                one[field] = value
        papers.append(wire.convert(plain, Agreement))
    return Terms(tuple(papers), (*loaded.facts, *FACTS))


def _clauses(plain: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The clauses of a paper, and those that its amendments add."""
    for clause in plain["clauses"]:
        yield clause
        yield from clause.get("adds", ())


def keep(store: Store, given: Terms) -> None:
    """The year: terms as they are signed, usage by the month, what comes late when it comes, each month closed."""
    ledger = Ledger(store)
    ledger.open(OPENINGS, BEGINS)
    for month in months():
        span = span_of(month)
        papers = given.signed_by(span.end)
        ledger.declare(papers, given.known_by(span.end), span.start)
        for known in LATE:
            at = Instant.parse(known.at)
            if span.holds(at):
                ledger.take(known.events, at)
                ledger.declare(papers, known.facts, at)
                ledger.rate(at)
        ledger.take(list(demand(span.start, span.end)), span.end)
        ledger.close(month, Instant(span.end + GRACE))


# -- what is shown of them ---------------------------------------------------------------------------------------------


def _figures(store: Store) -> Figures:
    ledger, end = Ledger(store), span_of(months()[-1]).end
    items, net = [], []
    for month in months():
        for pair in PAIRS:
            drawn = ledger.statement(pair, month)
            items += [{"month": month, "pair": list(pair), **_plain(item)} for item in drawn.items]
            net += [{"month": month, "pair": list(pair), **_plain(one)} for one in drawn.net]
    payables = [_plain(one) for pair in PAIRS for one in ledger.payables(pair, end)]
    for one in payables:
        one["instalments"] = len(one["instalments"])
    position = store.position()
    return {
        "items": items,
        "net": net,
        "months": [
            {"name": one.name, "root": one.root.hex(), "closed_at": str(one.closed_at)}
            for one in store.months()
        ],
        "commitments": [_plain(one) for one in ledger.commitments(end)],
        "consumed": _consumed(ledger),
        "payables": payables,
        "usage": position.usage_seq,
        "entries": position.entry_seq,
    }


def _plain(record: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(wire.to_json(record))
    for name in ("entries", "first_entry", "last_entry"):
        found.pop(name, None)
    return found


def _demanded() -> dict[str, Any]:
    """What the demand is made of."""
    earned = dict.fromkeys(((one.party, one.product) for one in STREAMS), Decimal(0))
    for event in demand(BEGINS, span_of(months()[-1]).end):
        if event.metric == "revenue_usd":
            earned[event.party, event.attributes["product"]] += event.quantity
    return {
        "late": [{"at": one.at, "why": one.why} for one in LATE],
        "pools": [{"pool": one.pool, "party": one.party, "chips": one.chips} for one in SUPPLIES],
        "streams": [
            {
                "party": one.party, "product": one.product, "first_usd": f"{one.first_usd:,.2f}",
                "more_usd": f"{one.more_usd:,.2f}", "total_usd": f"{earned[one.party, one.product]:,.2f}",
            }
            for one in STREAMS
        ],
    }  # fmt: skip


def _consumed(ledger: Ledger) -> dict[str, list[float]]:
    """What of each commitment of money had been consumed by the end of each month, in billions."""
    found: dict[str, list[float]] = {}
    for number, month in enumerate(months()):
        for one in ledger.commitments(span_of(month).end):
            if one.category == "Spend" and one.consumed:
                name = f"{one.clause} {one.portion}".strip()
                curve = found.setdefault(name, [0.0] * number)
                curve.append(float(one.consumed.scaleb(-9)))
    return found


def _counted_again(items: list[dict[str, Any]]) -> list[str]:
    """The second account: use and shares of the whole year from the demand alone, by plain sums."""
    owed: dict[tuple[str, str], Decimal] = {}

    def add(payee: str, clause: str, amount: Decimal) -> None:
        owed[payee, clause] = owed.get((payee, clause), Decimal(0)) + amount

    given = [*demand(BEGINS, span_of(months()[-1]).end), *(event for known in LATE for event in known.events)]
    for event in given:
        if event.metric == "chip_seconds":
            add(event.provider, "", event.quantity / 3600 * PRICE_USD)
        elif event.metric == "revenue_usd":
            _share(event, add)
    found: dict[tuple[str, str], int] = {}
    for item in items:
        if item["kind"] == "share" or (item["kind"] == "usage" and not item.get("clause")):
            name = item["payee"], item.get("clause", "")
            found[name] = found.get(name, 0) + item["amount_micro"]
    wanted = {name: int(amount.scaleb(6)) for name, amount in owed.items()}
    return [] if found == wanted else [f"the books say {found}, the demand {wanted}"]


def _share(event: UsageEvent, add: Any) -> None:
    fifth = event.quantity / 5
    if event.party == "openai":
        add("microsoft", SHARE if event.start < SECOND_AMENDMENT else CAPPED, fifth)
    elif event.attributes["product"] == "azure_openai" and event.start < SECOND_AMENDMENT:
        add("openai", BACK, fifth)


def _focus(store: Store) -> tuple[dict[str, Any], list[str]]:
    """The year in FOCUS: rows of each dataset, and what the toolkit says of all of them together."""
    names = months()
    at = Instant(span_of(names[-1]).end + GRACE)
    with store.snapshot():
        export = Export(store, names[0], names[-1], at)
        bundle: dict[Dataset, list[dict[str, str]]] = {
            dataset: [{name: row.get(name, "") for name in header} for row in export.rows(dataset)]
            for dataset, header in HEADERS.items()
        }
        export.check()
    wrong = [
        message
        for dataset, rows in bundle.items()
        for message in lint_focus_1_4_structure(dataset, rows, supported_conditions=CONDITIONS).messages()
    ]
    report = validate_dataset_bundle(
        {str(name): rows for name, rows in bundle.items()},
        invoice_detail_authoritative=True,
        rounding_tolerance=Decimal(0),
    )
    billed = sum((Decimal(row["BilledCost"]) for row in bundle["Cost and Usage"]), Decimal(0))
    said = {
        "version": VERSION,
        "rows": {name: len(rows) for name, rows in bundle.items()},
        "billed_usd": str(billed),
        "checks": len(report.checks_run),
    }
    if report.diagnostics:
        wrong.append(report.format())
    return said, wrong


# -- other readings ----------------------------------------------------------------------------------------------------


def _parted(first: Terms, other: Terms, mine: Figures, theirs: Figures) -> dict[str, Any]:
    """Where two readings part: in their terms, and in what is owed."""
    before, after = (
        {paper.id: json.loads(wire.to_json(paper)) for paper in one.papers} for one in (first, other)
    )
    return {
        "terms": [
            {"path": path, "before": old, "after": new} for path, old, new in _different(before, after, "")
        ],
        "items": _changed(mine["items"], theirs["items"]),
        "same_items": sum(one in theirs["items"] for one in mine["items"]),
        "net": _changed(mine["net"], theirs["net"]),
    }


def _different(one: Any, other: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """The paths on which two documents differ, elements of lists by their ids."""
    if isinstance(one, list) and isinstance(other, list):
        one, other = (
            {
                item.get("id", str(place)) if isinstance(item, dict) else str(place): item
                for place, item in enumerate(many)
            }
            for many in (one, other)
        )
    if isinstance(one, dict) and isinstance(other, dict):
        for name in dict.fromkeys((*one, *other)):
            yield from _different(one.get(name), other.get(name), f"{path}.{name}" if path else name)
    elif one != other:
        yield path, one, other


def _named(item: Any, place: int) -> str:
    """What an element of a list is known by."""
    return str(item.get("id", place)) if isinstance(item, dict) else str(place)


def _changed(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that are not the same in both, each with both amounts."""

    def named(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        keys = ("month", "pair", "clause", "kind", "portion", "start", "corrects", "unit")
        return {tuple(str(row.get(key, "")) for key in keys): row for row in rows}

    ours, others = named(mine), named(theirs)
    found = []
    for name in dict.fromkeys((*ours, *others)):
        one, other = ours.get(name, {}), others.get(name, {})
        if one != other:
            some = one or other
            kept = {
                key: some.get(key, "") for key in ("month", "pair", "payer", "payee", "clause", "corrects")
            }
            amounts = {
                "before_micro": one.get("amount_micro", 0),
                "after_micro": other.get("amount_micro", 0),
            }
            found.append({**kept, **amounts, "says": other.get("says", "")})
    return found


# -- plots -------------------------------------------------------------------------------------------------------------


def draw(figures: Figures, folder: Path) -> None:
    """Every plot of the page."""
    owed = [
        Curve(f"to {NAMES[other]}", _running(figures["items"], payer=one, payee=other))
        for one, other in PAIRS
        if one == "openai" and other in NAMES
    ]
    _plot(folder, "owed", owed, "What OpenAI owes to each party in all since October 2025, in billion USD.")
    shares = [
        Curve("to Microsoft, at 20 %", _running(figures["items"], kind="share", payee="microsoft")),
        Curve("to Microsoft, January's rate read as 25 %", _other(figures, "quarter"), dashed=True),
        Curve("to Microsoft, April's cap read as 1.25 billion", _other(figures, "cap"), dashed=True),
        Curve("to OpenAI", _running(figures["items"], kind="share", payee="openai")),
    ]
    _plot(folder, "shares", shares, "Revenue shares in all since October 2025, in billion USD.")
    parts = [Curve(name, values) for name, values in figures["consumed"].items()]
    _plot(folder, "consumed", parts, "What counted towards each commitment, in billion USD.")


def _running(items: list[dict[str, Any]], **like: str) -> list[float]:
    """The sum of items that are like that, in billions, up to the end of each month."""
    sums = dict.fromkeys(months(), 0)
    for item in items:
        if item["unit"] == "usd" and all(item[name] == value for name, value in like.items()):
            sums[item["month"]] += item["amount_micro"]
    total, found = 0, []
    for amount in sums.values():
        total += amount
        found.append(total / 1e15)
    return found


def _other(figures: Figures, reading: str) -> list[float]:
    """Shares to Microsoft in another reading."""
    changed = figures["readings"][reading]["items"]
    more = [
        {"month": one["month"], "unit": "usd", "amount_micro": one["after_micro"] - one["before_micro"]}
        for one in changed
    ]
    base = _running(figures["items"], kind="share", payee="microsoft")
    return [one + other for one, other in zip(base, _running(more), strict=True)]


def _plot(folder: Path, name: str, curves: list[Curve], says: str) -> None:
    """Values at the ends of months, drawn over the days of each."""
    spans: list[Period] = [span_of(month) for month in months()]
    daily = [
        Curve(
            curve.name,
            [
                value
                for value, span in zip(curve.values, spans, strict=True)
                for _ in range((span.end - span.start) // DAY)
            ],
            curve.dashed,
        )
        for curve in curves
    ]
    drawn = over_time(f"ledger-{name}", Span(BEGINS, DAY / SECOND), daily, says)
    alone(folder / f"ledger-year-{name}.svg", drawn, [curve.name for curve in curves])


if __name__ == "__main__":
    main()
