"""The parts of the page on the year of statements, from the figures that `make ledger-year` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from docs._ext.reference.markdown import code, table

DOCS = Path(__file__).resolve().parents[1]
FIGURES = DOCS / "ledger-year.json"
PAGE = DOCS / "ledger-year.md"
PLACE = re.compile(r"(?<=<!-- ledger: )([\w-]+) -->\n.*?(?=<!-- end -->)", re.DOTALL)

Figures = dict[str, Any]
"""`items` and `net` of all statements, what else the books say, `demand`, `focus` and other `readings`."""

PAIRS = (
    ("openai", "microsoft"),
    ("openai", "oracle"),
    ("openai", "coreweave"),
    ("openai", "amazon"),
    ("nvidia", "coreweave"),
    ("openai", "nvidia"),
    ("openai", "softbank"),
)
"""Who has an agreement with whom. Between the last two nothing is owed."""
READINGS = {
    "quarter": ("share-to-microsoft", "rate", "0.25"),
    "cap": ("capped-share-to-microsoft", "cap_total_usd", "1250000000"),
}
"""Other readings of the terms: a clause, a field of it, and its value."""
NAMES = {"microsoft": "Microsoft", "oracle": "Oracle", "coreweave": "CoreWeave", "amazon": "Amazon"}
FIRST_ORDER = "coreweave-openai-1/take-or-pay"
USE = "use"
LATE = "corrections"


def read() -> Figures:
    """The figures of the last run."""
    found: Figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    return found


def exact(micro: int) -> str:
    """Millionths as a number for people, with every place that is not zero, and two at the least."""
    text = f"{Decimal(micro).scaleb(-6):,.6f}"
    whole, _, places = text.partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def billions(micro: int) -> str:
    """Millionths of dollars in short."""
    return f"{Decimal(micro).scaleb(-15):,.3f}"


def _quantity(text: str | None) -> str:
    return "" if text is None else f"{Decimal(text).normalize():,f}"


def _mine(figures: Figures, pair: tuple[str, str], rows: str = "items") -> list[dict[str, Any]]:
    return [one for one in figures[rows] if one["pair"] == list(pair) and one["unit"] == "usd"]


def _owed_by(party: str, item: dict[str, Any]) -> int:
    """Above zero: the party owes it."""
    amount: int = item["amount_micro"]
    return amount if item["payer"] == party else -amount


def _column(item: dict[str, Any]) -> str:
    if item.get("corrects"):
        return LATE
    clause: str = item.get("clause", "")
    agreement, _, name = clause.partition("/")
    if not clause:
        return USE
    order = agreement.rpartition("-")[2]
    return f"`{name}` ({order})" if order.isdigit() else f"`{name}`"


def _months(figures: Figures) -> list[str]:
    return [one["name"] for one in figures["months"]]


# -- the parts ---------------------------------------------------------------------------------------------------------


def lead(figures: Figures) -> str:
    """What the finance partner reads first."""
    sums = {
        other: sum(_owed_by("openai", item) for item in _mine(figures, (one, other)))
        for one, other in PAIRS
        if one == "openai"
    }
    parts = ", ".join(f"{billions(amount)} to {NAMES[other]}" for other, amount in sums.items() if amount)
    short = next(item for item in figures["items"] if item.get("portion") == "abilene")
    return (
        f"For the year OpenAI owes, net and in billion USD: {parts}. {billions(short['amount_micro'])} of it are one "
        f"line, short of the first year's minimum at Abilene. {figures['usage']:,} usage events made "
        f"{figures['entries']:,} entries; each figure below is exact to the millionth of a dollar."
    )


def net(figures: Figures) -> str:
    """What each party owes and is owed in all."""
    sums: dict[str, list[int]] = {}
    for one in figures["items"]:
        if one["unit"] == "usd":
            sums.setdefault(one["payer"], [0, 0])[0] += one["amount_micro"]
            sums.setdefault(one["payee"], [0, 0])[1] += one["amount_micro"]
    rows = [
        (party, exact(owes), exact(owed), exact(owes - owed)) for party, (owes, owed) in sorted(sums.items())
    ]
    return table(("party", "owes, USD", "is owed", "net"), rows)


def clauses(figures: Figures) -> str:
    """What each line is for."""
    found: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for one in figures["items"]:
        name = one.get("clause", ""), one["kind"], one["payer"], one["payee"]
        found.setdefault(name, []).append(one)
    rows = []
    for (clause, kind, payer, payee), lines in sorted(found.items()):
        usd = lines[0]["unit"] == "usd"
        amount = sum(one["amount_micro"] for one in lines)
        says = next((one["text_ref"] for one in reversed(lines) if one.get("text_ref")), "")
        rows.append(
            (
                f"`{clause}`" if clause else "none: the price quoted", kind, payer, payee, f"{len(lines)}",
                exact(amount) if usd else f"{amount // 10**6:,} shares", says,
            )
        )  # fmt: skip
    return table(("clause", "kind", "payer", "payee", "lines", "USD", "where it is written"), rows)


def demand(figures: Figures) -> str:
    """What is used and earned."""
    rows = [
        (f"`{one['pool']}`", one["party"], ", ".join(f"{chips:,} from {day}" for day, chips in one["chips"]))
        for one in figures["demand"]["pools"]
    ]
    streams = [
        (one["party"], f"`{one['product']}`", one["first_usd"], one["more_usd"], one["total_usd"])
        for one in figures["demand"]["streams"]
    ]
    return "\n\n".join(
        (
            table(("pool", "of", "chips held"), rows),
            table(
                ("earned by", "product", "on the first day, USD", "more each day, USD", "in the year, USD"),
                streams,
            ),
        )
    )


def between(one: str, other: str, figures: Figures) -> str:
    """What one party owes another, month by month and clause by clause."""
    items = _mine(figures, (one, other))
    columns = [name for name in dict.fromkeys(map(_column, items)) if name not in (USE, LATE)]
    found = {_column(item) for item in items}
    columns = [*([USE] if USE in found else ()), *columns, *([LATE] if LATE in found else ())]
    rows = []
    for month in (*_months(figures), ""):
        mine = [item for item in items if not month or item["month"] == month]
        sums = [sum(_owed_by(one, item) for item in mine if _column(item) == name) for name in columns]
        cells = [exact(amount) if amount else "" for amount in (*sums, sum(sums))]
        rows.append((month or "the year", *cells))
    return table(("month", *columns, "net"), rows)


def stock(figures: Figures) -> str:
    """Shares of stock, which are counted and not paid."""
    rows = [
        (
            one["month"],
            one["payer"],
            one["payee"],
            f"`{one['clause']}`",
            f"{one['amount_micro'] // 10**6:,}",
            one["says"],
        )
        for one in figures["items"]
        if one["unit"] != "usd"
    ]  # fmt: skip
    return table(("month", "issued by", "to", "clause", "shares", "because"), rows)


def _lines(items: Iterable[dict[str, Any]]) -> str:
    rows = []
    for one in items:
        quantity = f"{_quantity(one.get('quantity'))} {one.get('measured_in', '')}".strip()
        span = f"{one['start'][:10]} to {one['end'][:10]}"
        rows.append(
            (
                one["payer"], f"`{one['clause']}`" if one.get("clause") else "quoted price", one["kind"],
                f"{span}, of {one['corrects']}" if one.get("corrects") else span, quantity,
                exact(one["amount_micro"]), one.get("says") or f"{quantity} x ${_quantity(one['price_usd'])}",
            )
        )  # fmt: skip
    return table(("payer", "clause", "kind", "for", "counted", "USD", "because"), rows)


def events(figures: Figures) -> str:
    """What became known after a month had closed."""
    return table(("on record from", "what"), [(one["at"], one["why"]) for one in figures["demand"]["late"]])


def october(figures: Figures) -> str:
    """The statement of a month in which an amendment came into force."""
    return _lines(one for one in _mine(figures, ("openai", "microsoft")) if one["month"] == "2025-10")


def april(figures: Figures) -> str:
    """And of the other one."""
    return _lines(one for one in _mine(figures, ("openai", "microsoft")) if one["month"] == "2026-04")


def burned(figures: Figures) -> str:
    """CoreWeave's first order, short and then not."""
    mine = _mine(figures, ("openai", "coreweave"))
    return _lines(
        one for one in mine
        if one["month"] >= "2025-12" and one.get("clause") == FIRST_ORDER and not one.get("corrects")
    )  # fmt: skip


def short(figures: Figures) -> str:
    """The shortfall at Abilene."""
    return _lines(one for one in figures["items"] if one.get("portion") == "abilene")


def credit(figures: Figures) -> str:
    """Credit for a missed level."""
    return _lines(one for one in figures["items"] if one["kind"] == "service_credit")


def late(figures: Figures) -> str:
    """What came after a month had closed."""
    return _lines(one for one in figures["items"] if one.get("corrects"))


def commitments(figures: Figures) -> str:
    """Where every commitment stands at the end."""
    rows = [
        (
            f"`{one['clause']}`" + (f" ({one['portion']})" if one.get("portion") else ""), one["payee"], one["status"],
            one["unit"], _quantity(one.get("committed")), _quantity(one.get("consumed", "0")),
            _quantity(one.get("remaining")), one["interval"], (one.get("deadline") or "")[:10],
            _quantity(one.get("due")), _quantity(one.get("lacking", "0")) if one.get("deadline") else "",
            exact(one.get("short_micro_usd", 0)) if one.get("short_micro_usd") else "",
        )
        for one in figures["commitments"]
    ]  # fmt: skip
    head = (
        "commitment", "to", "status", "unit", "in all", "consumed", "left", "interval", "due next", "of it", "lacking",
        "paid as short, USD",
    )  # fmt: skip
    return table(head, rows)


def payables(figures: Figures) -> str:
    """What is due by the end of the year, and what later."""
    rows = [
        (
            one["payer"], one["payee"], exact(one["owed_micro_usd"]), exact(one["due_micro_usd"]),
            exact(one["owed_micro_usd"] - one["due_micro_usd"]), f"{one['instalments']:,}",
        )
        for one in figures["payables"]
    ]  # fmt: skip
    return table(("payer", "payee", "owed, USD", "due by 2026-10-01", "later", "instalments"), rows)


def _reading(figures: Figures, name: str) -> str:
    found = figures["readings"][name]
    terms = "\n".join(f"{one['path']}: {one['before']} -> {one['after']}" for one in found["terms"])
    rows = [
        (
            one["month"] + (f", of {one['corrects']}" if one["corrects"] else ""), one["payer"], f"`{one['clause']}`",
            exact(one["before_micro"]), exact(one["after_micro"]), exact(one["after_micro"] - one["before_micro"]),
            one["says"],
        )
        for one in found["items"]
    ]  # fmt: skip
    more = sum(one["after_micro"] - one["before_micro"] for one in found["items"])
    rows.append(("the year", "", "", "", "", exact(more), f"{found['same_items']} other lines are the same"))
    head = (
        "month",
        "payer",
        "clause",
        "as in the example, USD",
        "read otherwise, USD",
        "difference",
        "because",
    )
    return f"{code(terms)}\n\n{table(head, rows)}"


def quarter(figures: Figures) -> str:
    """The share read as 25 %."""
    return _reading(figures, "quarter")


def cap(figures: Figures) -> str:
    """A cap that is reached."""
    return _reading(figures, "cap")


def closed(figures: Figures) -> str:
    """The months, and what each was sealed with."""
    rows = [(one["name"], one["closed_at"][:10], f"`{one['root']}`") for one in figures["months"]]
    return table(("month", "closed", "root"), rows)


def focus(figures: Figures) -> str:
    """What the year is in FOCUS."""
    found = figures["focus"]
    rows = ", ".join(f"{count:,} rows of {name}" for name, count in found["rows"].items())
    billed = exact(int(Decimal(found["billed_usd"]).scaleb(6)))
    return (
        f"In FOCUS {found['version']} the year is {rows}. `BilledCost` adds up to {billed} USD, which is what the "
        f"accounts of the ledger say. `validate` of focus-data-toolkit finds nothing in any of the four files, and "
        f"`validate-bundle` nothing in {found['checks']} checks over all of them together."
    )


def _pair(one: str, other: str) -> Callable[[Figures], str]:
    return lambda figures: between(one, other, figures)


TABLES: dict[str, Callable[[Figures], str]] = {
    "lead": lead,
    "demand": demand,
    "net": net,
    "clauses": clauses,
    **{f"{one}-{other}": _pair(one, other) for one, other in PAIRS[:5]},
    "stock": stock,
    "october": october,
    "april": april,
    "burned": burned,
    "short": short,
    "credit": credit,
    "events": events,
    "late": late,
    "commitments": commitments,
    "payables": payables,
    "quarter": quarter,
    "cap": cap,
    "closed": closed,
    "focus": focus,
}


def written(page: str, figures: Figures) -> str:
    """The page with every part made anew. Raises KeyError for a place whose name is none."""
    return PLACE.sub(lambda place: f"{place.group(1)} -->\n{TABLES[place.group(1)](figures)}\n", page)
