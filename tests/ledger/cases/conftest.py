"""Books kept for one case: agreements declared, usage and facts fed, months closed, entries added up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stargate import agreements
from stargate.agreements import Agreement, WorldFact
from stargate.base import wire
from stargate.base.time import Instant
from stargate.ledger import Closed, Ledger, Line, Store, UsageEvent, open_store
from stargate.ledger.record.month import after, span_of

CASES = Path(__file__).parents[2] / "agreements/cases"
MICRO = 1_000_000
T = Instant.parse


class Books:
    """A ledger and what a test does with it. Months close a day after they end."""

    def __init__(self, store: Store, examples: Path) -> None:
        self.ledger = Ledger(store)
        self.store = store
        self.examples = examples
        self._papers: tuple[Agreement, ...] = ()
        self._used = 0
        self._next = ""

    # -- terms -------------------------------------------------------------------------------------------------

    def sign(self, *plain: dict[str, Any]) -> Books:
        """Agreements as they would stand in YAML, besides those that are there; the same id again replaces."""
        papers = {paper.id: paper for paper in self._papers}
        papers |= {item["id"]: wire.convert(item, Agreement) for item in plain}
        return self._declare(tuple(papers.values()))

    def case(self, name: str) -> Books:
        """Those of a case file, by the start of its name."""
        (path,) = CASES.glob(f"{name}_*.yaml")
        return self._declare((*self._papers, *agreements.load_all(path).agreements))

    def example(self, *names: str) -> Books:
        """Some agreements of the example, by id."""
        found = {paper.id: paper for paper in agreements.load_all(self.examples).agreements}
        return self._declare((*self._papers, *(found[name] for name in names)))

    def _declare(self, papers: tuple[Agreement, ...], *facts: WorldFact) -> Books:
        self._papers = papers
        self.ledger.declare(papers, facts, T("2025-01-01"))
        return self

    def fact(self, name: str, value: Any = True, at: str = "2025-01-01", **more: Any) -> Books:
        """Something that is so from a date on; on record from then, or when it is said."""
        if isinstance(more.get("recorded_at"), str):
            more["recorded_at"] = T(more["recorded_at"])
        return self._declare(self._papers, WorldFact(name, value, T(at), **more))

    # -- usage -------------------------------------------------------------------------------------------------

    def use(
        self, metric: str, quantity: Any, at: str, party: str = "", provider: str = "", **more: Any
    ) -> Books:
        """So much of a metric; what else is said becomes attributes, but for `quoted_usd`."""
        quoted = more.pop("quoted_usd", None)
        self._used += 1
        event = UsageEvent(
            source="test",
            key=f"event-{self._used}",
            metric=metric,
            quantity=Decimal(quantity),
            start=T(at),
            party=party,
            provider=provider,
            quoted_usd=None if quoted is None else Decimal(quoted),
            attributes={name: str(value) for name, value in more.items()},
        )
        taken = self.ledger.take([event], T(at))
        assert (taken.new, taken.refused) == (1, ())
        return self

    def hours(self, chip_hours: Any, at: str, party: str = "", provider: str = "", **more: Any) -> Books:
        """Time on chips."""
        return self.use("chip_seconds", Decimal(chip_hours) * 3600, at, party, provider, **more)

    # -- months ------------------------------------------------------------------------------------------------

    def close(self, month: str, at: str = "") -> Closed:
        """Close one month."""
        self._next = after(month)
        return self.ledger.close(month, T(at) if at else span_of(month).end.plus(86_400 * MICRO))

    def through(self, last: str, first: str = "") -> Books:
        """Close every month up to `last`, from `first`, or from the one after that closed last."""
        month = first or self._next or self.store.first_month() or last
        while month <= last:
            self.close(month)
            month = after(month)
        return self

    # -- what came of it -----------------------------------------------------------------------------------------

    def lines(self, month: str = "", **like: str) -> list[Line]:
        """Lines as they stand, of a month or of all, whose keys are like that; `clause` may lack the agreement."""
        months = [month] if month else self.store.months_with_lines()
        found = [line for name in months for line in self.store.lines(name)]
        clause = like.pop("clause", "")
        return [
            line
            for line in found
            if all(getattr(line.key, name) == value for name, value in like.items())
            and (not clause or line.key.clause == clause or line.key.clause.endswith(f"/{clause}"))
        ]

    def micro(self, month: str = "", **like: str) -> int:
        """What such lines add up to, in millionths of their unit."""
        return sum(line.posted_micro for line in self.lines(month, **like))

    def brief(self, month: str = "") -> list[tuple[str, str, str, int]]:
        """Kind, payer, payee and amount of each line that is not nothing, in order."""
        return sorted(
            (line.key.kind, line.key.payer, line.key.payee, line.posted_micro)
            for line in self.lines(month)
            if line.posted_micro
        )

    def booked(self, month: str) -> int:
        """What the entries booked in a month add up to, corrections included."""
        return sum(entry.amount_micro for entry in self.store.entries(month=month))

    def said(self, month: str = "", **like: str) -> list[str]:
        """The words of the entries of such lines."""
        keys = {line.key.id for line in self.lines(month, **like)}
        return [entry.says for entry in self.store.entries() if entry.line.id in keys]

    def check(self) -> None:
        """Closing again, and rating again, changes nothing; all accounts sum to zero."""
        before = self.store.position().entry_seq
        for month in [item.name for item in self.store.months()]:
            self.ledger.close(month, T("2100-01-01"))
        self.ledger.rate(T("2100-01-01"))
        assert self.store.position().entry_seq == before, "done again, nothing is posted"
        assert sum(self.store.balances().values()) == 0, "what is owed is what is due"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def books(request: pytest.FixtureRequest, place: Callable[[str], str], repository: Path) -> Iterator[Books]:
    """Empty books, on either store."""
    store = open_store(place(request.param), durable=False)
    kept = Books(store, repository / "examples/stargate/agreements")
    try:
        yield kept
        kept.check()
    finally:
        store.close()


def deal(*clauses: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An agreement between a lab and its supplier alpha."""
    return {"id": "deal", "customer": "lab", "supplier": "alpha", "clauses": list(clauses), **more}


@pytest.fixture
def sign(books: Books) -> Callable[..., Books]:
    """Books with one agreement between lab and alpha, of these clauses."""

    def make(*clauses: dict[str, Any], **more: Any) -> Books:
        return books.sign(deal(*clauses, **more))

    return make
