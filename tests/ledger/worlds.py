"""Random worlds: agreements of a lab with its suppliers, and what happens in them, as both ledgers are told it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from stargate.agreements import WorldFact
from stargate.base.time import HOUR, Instant
from stargate.ledger import UsageEvent
from stargate.ledger.record.month import after, span_of

Plain = dict[str, Any]
T = Instant.parse
TEAMS = ("red", "green", "blue")


class Step(NamedTuple):
    """What happens next: agreements or facts are declared, events come, or a month is closed."""

    papers: list[Plain] | None = None
    facts: tuple[WorldFact, ...] = ()
    events: tuple[UsageEvent, ...] = ()
    close: str = ""


class World:
    """All that a seed says. The same seed is the same world."""

    def __init__(self, seed: int, events: int, months: int = 5) -> None:
        self.draw = random.Random(seed)
        self.first = self.draw.choice(("2025-10", "2025-11", "2026-01", "2026-02"))
        self.months = [self.first]
        for _ in range(months - 1):
            self.months.append(after(self.months[-1]))
        self.start, self.end = span_of(self.first).start, span_of(self.months[-1]).end
        self.suppliers = ("alpha", "beta", "gamma")[: self.draw.randint(1, 3)]
        self.scale = Decimal(max(1, events)) / 500
        self.papers = [self.paper(name) for name in self.suppliers]
        self.count = events

    # -- agreements ----------------------------------------------------------------------------------------------

    def chance(self, part: float) -> bool:
        return self.draw.random() < part

    def money(self, most: int) -> str:
        return str(
            (Decimal(self.draw.randrange(1, most * 100)) / 100 * self.scale).quantize(Decimal("0.000001"))
        )

    def moment(self, *, whole: bool = False) -> str:
        """An instant of the world; now and then within an hour."""
        at = self.draw.randrange(self.start, self.end)
        grain = 24 * HOUR if whole or self.chance(0.5) else 60_000_000
        return Instant(max(self.start, at - at % grain)).iso()[:19] + "Z"

    def first_day(self) -> str:
        return f"{self.draw.choice(self.months[:3])}-{self.draw.choice(('01', '01', '14'))}"

    def paper(self, supplier: str) -> Plain:
        clauses = [*self.prices(), *self.commitments(), *self.shares(supplier), *self.levels()]
        clauses += self.prepayments(clauses)
        paper: Plain = {
            "id": f"deal-{supplier}",
            "customer": "lab",
            "supplier": supplier,
            "signed_on": "2025-01-01",
        }
        paper["clauses"] = clauses
        return paper | {"clauses": [*clauses, *self.amendments(clauses)]}

    def tiers(self, price: str, bound: str, prices: tuple[str, ...], most: int) -> list[Plain]:
        bounds = sorted({Decimal(self.money(most)) for _ in prices[1:]})
        chosen = self.draw.sample(prices, len(bounds) + 1)
        return [
            {price: what} | ({bound: str(to)} if to else {})
            for what, to in zip(chosen, [*bounds, None], strict=True)
        ]

    def prices(self) -> Iterator[Plain]:
        rates = ("2.25", "0.0018", "3.1", "1.999999", "7")
        kind = self.draw.choice(("rate", "rate", "graduated", "volume", "reserved", "quoted"))
        dated = {"from": self.moment()} if self.chance(0.2) else {}
        price: Plain = {"kind": "price", "id": "chips"} | dated
        if kind == "rate":
            yield price | {"price_usd": self.draw.choice(rates)}
        elif kind == "reserved":
            quantity = self.draw.randrange(1, 4) * max(1, int(self.scale))
            yield {
                "kind": "capacity_reservation",
                "id": "pool",
                "quantity": quantity,
                "from": self.first_day(),
            }
            burst = {"burst_price_usd": self.draw.choice(rates)} if self.chance(0.5) else {}
            yield price | {"price_usd": self.draw.choice(rates), "reservation": "pool"} | burst
        elif kind != "quoted":
            tiers = self.tiers("price_usd", "up_to", rates, 3000)
            often = self.draw.choice(("Monthly", "Quarterly", "Annual"))
            yield price | {"tiers": tiers, "tier_mode": kind, "tier_interval": often}
        if self.chance(0.7):
            scope = {"scope": self.scope()} if self.chance(0.3) else {}
            rate = self.draw.choice(("0.0000005", "0.000015", "0.00000125"))
            yield {"kind": "price", "id": "tokens", "unit": "output_tokens", "price_usd": rate} | scope

    def scope(self) -> list[Plain]:
        return [{"field": "team", "values": self.draw.sample(TEAMS, self.draw.randint(1, 2))}]

    def commitments(self) -> Iterator[Plain]:
        scoped = self.chance(0.3)
        for number in range(self.draw.choice((0, 1, 1, 2, 3))):
            said: Plain = {"kind": "commitment", "id": f"take-{number}", "from": self.first_day()}
            said["shortfall"] = self.draw.choice(("pay", "forfeit", "make_up", "convert_to_prepayment"))
            if self.chance(0.3):
                said |= {"category": "Usage", "unit": "chip_hours"}
                said["shortfall_price_usd"] = self.draw.choice(("2", "1.1", "0.333333"))
            if said["shortfall"] == "make_up":
                said["make_up_period"] = f"{self.draw.choice((31, 59, 120))}d"
            if scoped and number < len(TEAMS):
                said["scope"] = [{"field": "team", "values": [TEAMS[number]]}]
            if self.chance(0.4):
                said["priority"] = self.draw.randrange(3)
            yield said | self.due()

    def due(self) -> Plain:
        until = {"until": self.draw.choice((f"{self.months[-1]}-01", f"{self.months[-2]}-20", "2026-12-01"))}
        often = {"fulfillment_interval": self.draw.choice(("Monthly", "Monthly", "Quarterly"))}
        kind = self.draw.choice(("minimum", "minimum", "amount", "parts", "milestones"))
        if kind == "minimum":
            rolls = {"rollover": self.draw.choice(("none", "next_interval", "until_end"))}
            more = until if self.chance(0.5) else {}
            return {"minimum": self.money(900), **often, **rolls, **more}
        if kind == "amount":
            return {"amount": self.money(4000), **until}
        if kind == "parts":
            return {"amount": self.money(4000), **often, **until}
        whole = sorted(Decimal(self.money(3000)) for _ in range(2))
        dates = (f"{self.months[2]}-15", f"{self.months[-1]}-01")
        marks = [{"by": by, "amount": str(amount)} for by, amount in zip(dates, whole, strict=True)]
        return {"amount": str(whole[-1]), "milestones": marks, "until": f"{self.months[-1]}-01"}

    def shares(self, supplier: str) -> Iterator[Plain]:
        for way, ends in (("share", {}), ("back", {"payer": supplier, "payee": "lab"})):
            if not self.chance(0.5):
                continue
            said: Plain = {"kind": "revenue_share", "id": way} | ends
            if self.chance(0.5):
                said["rate"] = self.draw.choice(("0.2", "0.25", "0.333333"))
            else:
                said["tiers"] = self.tiers("rate", "up_to_usd", ("0.2", "0.1", "0.05"), 5000)
            if self.chance(0.5):
                said["base"] = {"less": ["refunds_usd"]}
            if self.chance(0.4):
                said["cap_total_usd"] = self.money(2000)
            if self.chance(0.4):
                often = self.draw.choice(("Monthly", "Quarterly", "Annual"))
                said |= {"cap_period_usd": self.money(900), "cap_interval": often}
            if self.chance(0.2):
                said["accrue_until"] = self.moment()
            yield said

    def levels(self) -> Iterator[Plain]:
        if self.chance(0.4):
            tiers = [{"below": "0.9999", "credit": "0.1"}, {"below": "0.95", "credit": "1"}]
            yield {
                "kind": "service_level",
                "id": "up",
                "tiers": tiers,
                "claim_periods": 2,
                "min_credit_usd": self.draw.choice((0, 1)),
            }

    def prepayments(self, clauses: list[Plain]) -> list[Plain]:
        if not self.chance(0.4):
            return []
        said: Plain = {"kind": "prepayment", "id": "ahead", "from": f"{self.first}-01"}
        said["credit_back"] = self.draw.choice(("pro_rata", "first", "last", "none"))
        taken = [one for one in clauses if one["kind"] == "commitment" and "amount" in one]
        if taken and self.chance(0.7):
            return [said | {"percent": self.draw.choice(("15", "33.3")), "of": taken[0]["id"]}]
        return [said | {"amount_usd": self.money(2000)}]

    def amendments(self, clauses: list[Plain]) -> list[Plain]:
        fields = {"price_usd": ("1.5", "0.000002"), "minimum": ("100", "777.77"), "rate": ("0.3", "0.15")}
        found: list[Plain] = []
        for one in clauses:
            name = next((name for name in fields if name in one), "")
            if name and self.chance(0.3):
                change = {"clause": one["id"], "set": {name: self.draw.choice(fields[name])}}
                late = max(self.moment(), f"{one.get('from', '2025-01-01')[:10]}T23:00:00Z")
                found.append({"kind": "amendment", "id": f"a{len(found)}", "from": late, "changes": [change]})
        return found

    # -- what happens --------------------------------------------------------------------------------------------

    def event(self, number: int) -> UsageEvent:
        metric = self.draw.choice(
            ("chip_seconds",) * 4 + ("output_tokens",) * 3 + ("revenue_usd", "refunds_usd", "spend_usd")
        )
        most = {"chip_seconds": 3600 * 12, "output_tokens": 10_000_000, "refunds_usd": 20}.get(metric, 100)
        places = (
            0
            if metric in ("chip_seconds", "output_tokens") and self.chance(0.8)
            else self.draw.choice((2, 6))
        )
        quantity = Decimal(self.draw.randrange(1, most * 10**places)).scaleb(-places)
        if metric == "chip_seconds" and self.chance(0.3):
            quantity = Decimal(self.draw.choice((1200, 2400, 3600, 7200)))
        supplier = self.draw.choice(self.suppliers)
        earns = metric in ("revenue_usd", "refunds_usd")
        quoted = {"chip_seconds": ("2.5", "1.8"), "output_tokens": ("0.0000005", "0.00001")}.get(metric)
        return UsageEvent(
            source=f"source-{number % 3}",
            key=f"event-{number}",
            metric=metric,
            quantity=quantity,
            start=Instant(self.draw.randrange(self.start, self.end)),
            party=self.draw.choice(("lab", supplier)) if earns else "lab",
            provider="" if earns else supplier,
            quoted_usd=Decimal(self.draw.choice(quoted)) if quoted and self.chance(0.7) else None,
            attributes={"team": self.draw.choice(TEAMS), "workload": f"w{self.draw.randrange(4)}"},
        )

    def events(self) -> Iterator[UsageEvent]:
        for number in range(self.count):
            one = self.event(number)
            yield one
            if self.chance(0.03):
                yield UsageEvent(
                    source=one.source,
                    key=f"{one.key}-taken-back",
                    corrects=one.key,
                    metric=one.metric,
                    quantity=-one.quantity
                    if self.chance(0.5)
                    else -(one.quantity / 3).quantize(Decimal("0.000001")),
                    start=one.start,
                    party=one.party,
                    provider=one.provider,
                    quoted_usd=one.quoted_usd,
                    attributes=one.attributes,
                )
        for supplier in self.suppliers:
            for month in self.months:
                yield UsageEvent(
                    source="level",
                    key=f"{supplier}-{month}",
                    metric="availability",
                    quantity=Decimal(self.draw.choice(("0.9", "0.995", "1"))),
                    start=span_of(month).start,
                    party="lab",
                    provider=supplier,
                )

    def steps(self) -> Iterator[Step]:
        """Declared, used and closed month by month; some comes late, some twice, some terms change afterwards."""
        yield Step(papers=self.papers)
        waiting: dict[str, list[UsageEvent]] = {month: [] for month in [*self.months, after(self.months[-1])]}
        names = list(waiting)
        for one in self.events():
            own = one.start.iso()[:7]
            later = [name for name in names if name >= own]
            waiting[self.draw.choice(later) if self.chance(0.1) else own].append(one)
        for month, batch in waiting.items():
            self.draw.shuffle(batch)
            half = len(batch) // 2
            yield Step(events=tuple(batch[:half]))
            if self.chance(0.2):
                self.papers = self.revised()
                yield Step(papers=self.papers)
            claims = [
                WorldFact(f"claimed/{paper['id']}/up", f"{missed}-01", Instant(span_of(month).end - HOUR))
                for paper in self.papers
                for missed in self.months
                if missed < month and self.chance(0.3)
            ]
            yield Step(facts=tuple(claims))
            yield Step(events=tuple(batch[half:] + batch[:3]))
            yield Step(close=month)

    def revised(self) -> list[Plain]:
        """One agreement amended once more, perhaps from a date that lies in a month already closed."""
        chosen = self.draw.randrange(len(self.papers))
        paper = self.papers[chosen]
        more = self.amendments([one for one in paper["clauses"] if one["kind"] != "amendment"])
        more = [one | {"id": f"{one['id']}-{len(paper['clauses'])}"} for one in more]
        return [
            one | {"clauses": [*one["clauses"], *more]} if place == chosen else one
            for place, one in enumerate(self.papers)
        ]
