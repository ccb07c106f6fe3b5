"""A second ledger, naive: loops over all events, exact numbers, nothing kept from month to month.

Each month is reckoned anew from the first event on. It takes nothing from the code that it is compared with but the
fields of an event and of a fact; what it makes of terms stands in `naive_terms.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from fractions import Fraction
from typing import Any

from tests.ledger.naive_terms import (
    CHARGED,
    HOUR,
    SHORT,
    ZERO,
    Burn,
    Line,
    Plain,
    Wording,
    amount_of,
    at,
    calendar,
    covers,
    dues,
    later,
    micro,
    price_of,
    tiered,
    wordings,
)


class Month:
    """One month, given the lines of those before it."""

    def __init__(
        self, first: int, papers: list[Plain], events: list[Any], facts: list[Any], prior: list[Line]
    ) -> None:
        self.first, self.last, self.prior, self.lines = first, later(first, 1), prior, list[Line]()
        self.clauses, self.usage = wordings(papers), [e for e in events if e.start < later(first, 1)]
        cuts = {edge for w in self.clauses for edge in (w.start, w.end)}
        for w in (w for w in self.clauses if w.said["kind"] == "commitment"):
            cuts |= {edge for due in dues(w) if due[1] <= self.last for edge in due[:2]}
        cuts |= {at(w.said["accrue_until"]) for w in self.clauses if "accrue_until" in w.said}
        months = (later(first, -number) for number in range(24))
        self.cuts = sorted(cut for cut in {*cuts, *months} if cut < self.last)
        self.told = {
            item["field"]
            for w in self.clauses
            if w.said["kind"] == "commitment"
            for item in w.said.get("scope", ())
        }
        self.seen = {item["field"] for w in self.clauses for item in w.said.get("scope", ())}
        used = self.use([e for e in self.usage if e.start >= first])
        for w in self.live("price"):
            mine = {
                key[2:]: quantity for key, quantity in sorted(used.items()) if key[:2] == (w.ref, w.start)
            }
            if "tiers" in w.said:
                self.by_tiers(w, mine)
            elif "reservation" in w.said:
                self.reserved(w, sum(mine.values(), ZERO))
        for w in self.live("revenue_share"):
            self.share(w)
        for w in {w.ref: w for w in self.clauses if w.said["kind"] == "commitment"}.values():
            self.converted(w)
        self.burn = Burn(self.clauses, prior + self.lines, self.usage, self.cuts, self.seen)
        ended = [(due, w) for w in self.burn.all for due in dues(w) if first < due[1] <= self.last]
        for due, w in sorted(ended, key=lambda item: (item[0][1], item[1].ref)):
            if w.start < due[1] <= w.end:
                self.short(w, due)
        for w in self.live("prepayment"):
            self.prepaid(w)
        for w in (w for w in self.clauses if w.said["kind"] == "service_level"):
            for value in {fact.value: fact for fact in facts if fact.name == f"claimed/{w.ref}"}:
                self.credit(
                    w,
                    value,
                    min(f.valid_from for f in facts if f.name == f"claimed/{w.ref}" and f.value == value),
                )

    def live(self, kind: str) -> list[Wording]:
        return [
            w for w in self.clauses if w.said["kind"] == kind and w.start < self.last and w.end > self.first
        ]

    def owe(self, w: Wording, kind: str, micro: int, quantity: Fraction = ZERO, **more: Any) -> None:
        self.lines.append(
            Line(
                kind,
                w.ref,
                w.payer,
                w.payee,
                **({"at": self.first, "end": self.last} | more),
                micro=micro,
                quantity=quantity,
            )
        )

    def sum(self, what: str, lines: list[Line], *kinds: str, ref: str) -> Any:
        return sum((getattr(n, what) for n in lines if n.clause == ref and n.kind in kinds), 0)

    def use(self, events: list[Any]) -> dict[Any, Fraction]:
        """Charges by the hour at one price; gives what goes by tiers or a reservation."""
        counted: dict[Any, Fraction] = defaultdict(Fraction)
        used: dict[Any, Fraction] = defaultdict(Fraction)
        for e in events:
            (unit, amount), seen = amount_of(e), tuple(sorted(e.attributes.items()))
            edge = self.cuts[bisect_right(self.cuts, e.start) - 1]
            fit = [
                w
                for w in self.live("price")
                if w.said.get("unit", "chip_hours") == unit
                and w.start <= e.start < w.end
                and covers(w, e.party, e.provider, e.attributes)
            ]
            rates = [
                (w.ref, w.payer, w.payee, Fraction(w.said["price_usd"]))
                for w in fit
                if not {"tiers", "reservation"} & w.said.keys()
            ]
            if not fit and e.quoted_usd is not None and e.party and e.provider:
                rates = [("", e.party, e.provider, Fraction(e.quoted_usd))]
            for rate in rates:
                counted[(*rate, e.metric, e.quoted_usd, max(edge, e.start - e.start % HOUR), seen)] += amount
            for w in fit:
                used[w.ref, w.start, edge, tuple(pair for pair in seen if pair[0] in self.told)] += amount
        for (ref, payer, payee, price, _, _, hour, seen), amount in counted.items():
            self.lines.append(
                Line("usage", ref, payer, payee, hour, hour + 1, micro(amount * price), amount, seen)
            )
        return used

    def by_tiers(self, w: Wording, used: dict[Any, Fraction]) -> None:
        start, end = calendar(self.first, w.said.get("tier_interval", "Monthly"))
        before = filled = (
            self.sum(
                "quantity", [n for n in self.prior + self.lines if start <= n.at < end], "usage", ref=w.ref
            )
            + ZERO
        )
        whole = sum(used.values(), ZERO)
        cost, posted = tiered(w.said, before + whole) - tiered(w.said, before), 0
        for (edge, seen), quantity in used.items():
            filled += quantity
            volume = w.said.get("tier_mode") == "volume" and whole
            exact = (
                cost * (filled - before) / whole
                if volume
                else tiered(w.said, filled) - tiered(w.said, before)
            )
            self.owe(w, "usage", micro(exact) - posted, quantity, at=edge, seen=seen)
            posted = micro(exact)

    def reserved(self, w: Wording, used: Fraction) -> None:
        what = next(v for v in self.clauses if v.ref == f"{w.ref.partition('/')[0]}/{w.said['reservation']}")
        start, end = max(w.start, what.start, self.first), min(w.end, what.end, self.last)
        held = Fraction(max(0, end - start), HOUR) * what.said["quantity"]
        if held:
            self.owe(w, "reservation", micro(held * Fraction(w.said["price_usd"])), held, at=start)
        if used > held:
            price = Fraction(w.said["burst_price_usd" if "burst_price_usd" in w.said else "price_usd"])
            self.owe(w, "burst", micro((used - held) * price), used - held)

    def share(self, w: Wording) -> None:
        start, end = (
            max(w.start, self.first),
            min(w.end, self.last, at(w.said.get("accrue_until", "2090-01-01"))),
        )
        signs = {"revenue_usd": 1} | dict.fromkeys(w.said.get("base", {}).get("less", ()), -1)
        here = [e for e in self.usage if start <= e.start < end and e.party in ("", w.payer)]
        base = sum(
            (signs.get(e.metric, 0) * Fraction(e.quantity) for e in here if covers(w, "", "", e.attributes)),
            ZERO,
        )
        mine = [n for n in self.prior + self.lines if n.clause == w.ref]
        before, owed = ZERO, sum(n.micro for n in mine)
        for n in mine:
            before = max(ZERO, before + n.quantity)
        full = micro(
            tiered(w.said, before + base, "rate", "up_to_usd") - tiered(w.said, before, "rate", "up_to_usd")
        )
        since = calendar(self.first, w.said.get("cap_interval", "Annual"))[0]
        room = Fraction(w.said.get("cap_total_usd", 10**12)) * 1_000_000 - owed
        now = Fraction(w.said.get("cap_period_usd", 10**12)) * 1_000_000 - sum(
            n.micro for n in mine if n.at >= since
        )
        amount = max(0, min(full, int(room), int(now))) if base > 0 else max(full, -owed)
        if base > 0 or (base < 0 and mine):
            self.owe(w, "share", amount, base, at=start)

    def converted(self, w: Wording) -> None:
        """Credit for what was short pays what is charged after it, as far as the commitment would count that."""
        lots = [n for n in self.prior if (n.clause, n.kind) == (w.ref, "prepayment")]
        gone, credit = self.sum("micro", self.prior, "prepayment_credit", ref=w.ref), 0
        lines = [n for n in self.lines if n.kind in CHARGED and covers(w, n.payer, n.payee, dict(n.seen))]
        more = [e for e in self.usage if e.metric == "spend_usd" and e.start >= self.first]
        mine = [e for e in more if covers(w, e.party, e.provider, e.attributes)]
        spent = [(n.at, n.micro, n.clause, dict(n.seen)) for n in lines]
        spent += [(e.start, micro(Fraction(e.quantity)), e.metric, e.attributes) for e in mine]
        sums: dict[Any, tuple[int, int]] = {}  # what was taken back is gone before it is paid
        for when, amount, what, seen in spent:
            known = tuple((name, seen[name]) for name in sorted(self.seen & seen.keys()))
            first, so_far = sums.get(key := (bisect_right(self.cuts, when), what, known), (when, 0))
            sums[key] = min(first, when), so_far + amount
        for when, amount in sorted(sums.values()):
            credit = max(0, credit + min(sum(n.micro for n in lots if n.end <= when) - gone - credit, amount))
        if credit and not self.sum("micro", self.lines, "prepayment_credit", ref=w.ref):
            self.owe(w._replace(payer=w.payee, payee=w.payer), "prepayment_credit", credit)

    def short(self, w: Wording, due: tuple[int, int, Fraction, bool]) -> None:
        self.burn.lines = known = self.prior + self.lines
        short, kind = due[2] - self.burn.counted(w, due, due[1]), SHORT[w.said.get("shortfall", "pay")]
        price = price_of(w)
        if short > 0:
            return self.owe(w, kind, micro(short * price), short, at=due[0], end=due[1])
        lots: list[list[Any]] = []
        for n in (n for n in known if (n.clause, n.kind) == (w.ref, "make_up")):
            if n.payer == w.payer:
                lots.append([n.end + int(w.said["make_up_period"][:-1]) * 24 * HOUR, n.quantity])
                continue
            left = n.quantity
            for lot in lots:
                some = min(left, lot[1]) if lot[0] >= n.end else ZERO
                lot[1], left = lot[1] - some, left - some
        more = self.burn.total[w.ref, due[0], due[1]] - due[2]
        taken = min(more, sum((left for good, left in lots if good >= due[1]), ZERO))
        if kind == "make_up" and taken > 0:
            self.owe(
                w._replace(payer=w.payee, payee=w.payer),
                kind,
                micro(taken * price),
                taken,
                at=due[0],
                end=due[1],
            )
        return None

    def prepaid(self, w: Wording) -> None:
        of = next(
            (v for v in self.burn.all if v.ref == f"{w.ref.partition('/')[0]}/{w.said.get('of')}"), None
        )
        whole = micro(Fraction(of.said.get("amount", 0))) if of else 0
        amount = micro(
            Fraction(w.said["amount_usd"])
            if "amount_usd" in w.said
            else Fraction(whole, 100_000_000) * Fraction(w.said["percent"])
        )
        if w.began >= self.first:
            self.owe(w, "prepayment", amount)
        given, now, before, kinds = (
            self.sum("micro", self.prior, "prepayment_credit", ref=w.ref),
            0,
            0,
            list(SHORT.values())[:3],
        )
        for n in self.prior + self.lines:
            mine = n.kind in kinds and n.clause == of.ref if of else n.kind in (*CHARGED, *kinds)
            sign = 1 if (n.payer, n.payee) == (w.payer, w.payee) else -1
            if mine and {n.payer, n.payee} == {w.payer, w.payee}:
                now, before = (
                    (now, before + sign * n.micro) if n.end <= self.first else (now + sign * n.micro, before)
                )
        if of and of.said.get("category") != "Usage":
            for key, some in self.burn.total.items():
                if key[:2] == (of.ref, "at"):
                    now, before = (
                        (now + micro(some), before) if key[2] >= self.first else (now, before + micro(some))
                    )
        now -= sum(
            n.micro
            for n in self.lines
            if n.kind == "prepayment_credit" and n.payer == w.payee and (not of or n.clause == of.ref)
        )
        back = {
            "first": now,
            "none": 0,
            "pro_rata": (before + now) * amount // whole - given if whole else now,
            "last": before + now - (whole - amount) - given if whole else now,
        }[w.said.get("credit_back", "pro_rata")]
        credit = max(0, min(amount - given, now, back))
        if credit:
            self.owe(w._replace(payer=w.payee, payee=w.payer), "prepayment_credit", credit)

    def credit(self, w: Wording, day: str, claimed: int) -> None:
        missed, end = at(day), later(at(day), 1)
        in_time = claimed < later(end, w.said["claim_periods"])
        charged = [
            n
            for n in self.prior + self.lines
            if n.kind in CHARGED and (n.payer, n.payee) == (w.payee, w.payer)
        ]
        for e in (
            e for e in self.usage if e.metric == "availability" and missed <= e.start < missed + 24 * HOUR
        ):
            tiers = sorted((Fraction(tier["below"]), Fraction(tier["credit"])) for tier in w.said["tiers"])
            rate = next((rate for below, rate in tiers if Fraction(e.quantity) < below), ZERO)
            exact = sum(n.micro for n in charged if missed <= n.at < end) * rate / 1_000_000
            if (
                in_time
                and exact >= Fraction(w.said["min_credit_usd"])
                and micro(exact)
                and self.first <= max(claimed, end) < self.last
            ):
                self.owe(w, "service_credit", micro(exact))


class Books:
    """What is booked when, by month, kind, payer, payee and clause."""

    def __init__(self) -> None:
        self.events: dict[Any, Any] = {}
        self.facts: list[Any] = []
        self.papers: list[Plain] = []
        self.closed: dict[int, list[Plain]] = {}
        self.booked: Counter[Any] = Counter()

    def close(self, month: str) -> None:
        """What is owed for every month so far, less what was booked for it."""
        self.closed[at(f"{month}-01")] = self.papers
        prior: list[Line] = []
        owed: Counter[Any] = Counter()
        for first, papers in self.closed.items():
            lines = Month(first, papers, list(self.events.values()), self.facts, prior).lines
            for n in lines:
                owed[first, n.kind, n.payer, n.payee, n.clause] += n.micro
            prior = prior + lines
        for (_, *key), amount in self.booked.items():
            owed[tuple(key)] -= amount
        self.booked.update({(at(f"{month}-01"), *key): amount for key, amount in owed.items() if amount})
