"""What the naive ledger makes of terms: wordings over time, deadlines, tiers, and what counts towards commitments.

Written from the pages about clauses; it reads agreements as they are written (plain dictionaries).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

HOUR, ZERO, EVER = 3_600_000_000, Fraction(0), 4_000_000_000_000_000
MONTHS = {"Monthly": 1, "Quarterly": 3, "Annual": 12}
SHORT = {
    "pay": "shortfall",
    "forfeit": "forfeited",
    "make_up": "make_up",
    "convert_to_prepayment": "prepayment",
}
CHARGED = ("usage", "burst", "reservation")
Plain = dict[str, Any]


class Wording(NamedTuple):
    """A clause as it stands from start to end. `began`: its first wording; `until`: what it says itself."""

    ref: str
    said: Plain
    start: int
    end: int
    began: int
    until: int
    payer: str
    payee: str


class Line(NamedTuple):
    """What one party owes another for a span."""

    kind: str
    clause: str
    payer: str
    payee: str
    at: int
    end: int
    micro: int
    quantity: Fraction = ZERO
    seen: tuple[tuple[str, str], ...] = ()


@cache
def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@cache
def later(start: int, months: int) -> int:
    then = datetime.fromtimestamp(start // 1_000_000, UTC)
    year, month = divmod(then.year * 12 + then.month - 1 + months, 12)
    return int(then.replace(year=year, month=month + 1).timestamp()) * 1_000_000  # days 1 to 28 only


def micro(usd: Fraction) -> int:
    return round(usd * 1_000_000)  # half to even


def calendar(when: int, interval: str) -> tuple[int, int]:
    first = at(f"{datetime.fromtimestamp(when // 1_000_000, UTC).year}-01-01")
    while later(first, MONTHS[interval]) <= when:
        first = later(first, MONTHS[interval])
    return first, later(first, MONTHS[interval])


def wordings(papers: list[Plain]) -> list[Wording]:
    found = []
    for paper in papers:
        amendments = sorted(
            (c for c in paper["clauses"] if c["kind"] == "amendment"), key=lambda c: at(c["from"])
        )
        for said in (c for c in paper["clauses"] if c["kind"] != "amendment"):
            ref, began = f"{paper['id']}/{said['id']}", at(said.get("from", paper["signed_on"]))
            start, until = began, at(said["until"]) if "until" in said else EVER
            sides = ("supplier", "customer") if said["kind"] == "service_level" else ("customer", "supplier")
            ends = said.get("payer", paper[sides[0]]), said.get("payee", paper[sides[1]])
            for when, change in ((at(a["from"]), change) for a in amendments for change in a["changes"]):
                if change["clause"] == said["id"]:
                    found.append(Wording(ref, said, start, min(until, when), began, until, *ends))
                    said, start = said | change["set"], max(start, when)  # noqa: PLW2901
            found.append(Wording(ref, said, start, until, began, until, *ends))
    return [w for w in found if w.start < w.end]


def covers(w: Wording, payer: str, payee: str, seen: Plain) -> bool:
    sides = payer in ("", w.payer) and payee in ("", w.payee)
    return sides and all(seen.get(item["field"]) in item["values"] for item in w.said.get("scope", ()))


def dues(w: Wording) -> list[tuple[int, int, Fraction, bool]]:
    """From, by when, how much, and whether that counts from the beginning."""
    said, step = w.said, MONTHS.get(w.said.get("fulfillment_interval", ""), 0)
    if "milestones" in said:
        return [(w.began, at(item["by"]), Fraction(item["amount"]), True) for item in said["milestones"]]
    if "minimum" not in said and w.until == EVER:
        return []
    end, edges = min(w.until, at("2028-01-01")), [w.began]
    while edges[-1] < end:
        edges.append(min(end, later(w.began, step * len(edges)) if step else end))
    if "minimum" in said:
        return [(*span, Fraction(said["minimum"]), False) for span in pairwise(edges)]
    each, left = divmod(int(Fraction(said["amount"]) * 1_000_000), len(edges) - 1)  # parts that add up to it
    parts = (Fraction(each + (number < left), 1_000_000) for number in range(len(edges)))
    return [(*span, part, len(edges) == 2) for span, part in zip(pairwise(edges), parts, strict=False)]


def tiered(said: Plain, quantity: Fraction, price: str = "price_usd", bound: str = "up_to") -> Fraction:
    if price in said:
        return Fraction(said[price]) * quantity
    total, low, volume = ZERO, ZERO, said.get("tier_mode") == "volume"
    for tier in said["tiers"]:
        top = min(quantity, Fraction(tier[bound])) if bound in tier else quantity
        if volume and top == quantity:
            return Fraction(tier[price]) * quantity
        total, low = total + Fraction(tier[price]) * max(ZERO, top - low), max(low, top)
    return total


class Burn:
    """What counts towards which commitment: first what each lacks, then up to each one's amount."""

    def __init__(
        self, clauses: list[Wording], lines: list[Line], usage: list[Any], cuts: list[int], told: set[str]
    ) -> None:
        self.all, self.lines = [w for w in clauses if w.said["kind"] == "commitment"], lines
        self.total: dict[Any, Fraction] = defaultdict(Fraction)
        sums: dict[Any, tuple[int, Fraction]] = {}  # between two cuts, what no commitment tells apart is one
        spent = [
            (n.at, "spend_usd", Fraction(n.micro, 1_000_000), n[:4], dict(n.seen))
            for n in lines
            if n.kind in CHARGED
        ]
        used = [(e.start, *amount_of(e), ("", "", e.party, e.provider), e.attributes) for e in usage]
        for when, metric, quantity, ends, seen in spent + used:
            known = tuple((name, seen[name]) for name in sorted(told & seen.keys()))
            first, so_far = sums.get(key := (bisect_right(cuts, when), metric, ends, known), (when, ZERO))
            sums[key] = min(first, when), so_far + quantity
        items = [
            (when, metric, quantity, *ends[2:], dict(seen))
            for (_, metric, ends, seen), (when, quantity) in sums.items()
        ]
        self.due = {(w.ref, w.start): dues(w) for w in self.all}
        for when, metric, quantity, *seen in sorted(items, key=lambda item: (item[0], item[2] < 0)):
            now = (
                w for w in self.all if w.start <= when < w.end and w.said.get("unit", "spend_usd") == metric
            )
            fit = sorted((w for w in now if covers(w, *seen)), key=_turn)
            for filling in (True, False):
                for w in fit:
                    some = quantity if quantity < 0 else min(quantity, self.room(w, when, filling=filling))
                    quantity -= some  # noqa: PLW2901
                    self.total[w.ref] += some
                    self.total[w.ref, "at", when] += some
                    for start, end, *_ in self.due[w.ref, w.start]:
                        self.total[w.ref, start, end] += some if start <= when < end else 0

    def room(self, w: Wording, when: int, *, filling: bool) -> Fraction:
        whole = Fraction(w.said.get("amount", 10**18)) - self.total[w.ref]
        due = next((due for due in self.due[w.ref, w.start] if due[0] <= when < due[1]), None)
        if not filling or (due is None and w.until == EVER and "amount" in w.said):
            return max(ZERO, whole)
        return max(ZERO, min(whole, due[2] - self.counted(w, due, when))) if due else ZERO

    def counted(self, w: Wording, due: tuple[int, int, Fraction, bool], when: int) -> Fraction:
        """By a date, with what was paid as short before, or rolls over from earlier intervals."""
        kept, rolls = ZERO, w.said.get("rollover", "none")
        if due[3]:  # what was paid need not be paid twice, until it is taken as use
            mine = [n for n in self.lines if n.clause == w.ref and n.end <= when]
            back = Fraction(sum(n.micro for n in mine if n.kind == "prepayment_credit"), 1_000_000)
            kept = sum((n.quantity for n in mine if n.kind in SHORT.values()), ZERO) - back / price_of(w)
        before = [one[:2] for one in self.due[w.ref, w.start] if one[1] <= due[0] and rolls != "none"]
        for start, end in before if rolls == "until_end" else before[-1:]:
            then = next(v for v in self.all if v.ref == w.ref and v.start < end <= v.end)
            least = next(one[2] for one in self.due[then.ref, then.start] if one[:2] == (start, end))
            kept = max(ZERO, kept + self.total[w.ref, start, end] - least)
        return self.total[w.ref, due[0], due[1]] + kept


def amount_of(event: Any) -> tuple[str, Fraction]:
    hours = event.metric == "chip_seconds"
    return (
        ("chip_hours", Fraction(event.quantity) / 3600) if hours else (event.metric, Fraction(event.quantity))
    )


def price_of(w: Wording) -> Fraction:
    """Of a unit that is short."""
    return Fraction(w.said["shortfall_price_usd"] if w.said.get("category") == "Usage" else 1)


def _turn(w: Wording) -> tuple[int, int, str]:
    return -w.said.get("priority", 0), w.until, w.ref
