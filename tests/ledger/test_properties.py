"""What holds in every world: parts are the whole, caps hold, the past stays, and the way in does not matter."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stargate.agreements import Agreement
from stargate.base import wire
from stargate.base.time import DAY, Instant
from stargate.ledger import Ledger, Line, Store, UsageEvent, open_store
from stargate.ledger.record.month import span_of
from tests.ledger.worlds import World

T = Instant.parse
SEEDS = st.integers(min_value=0, max_value=10**9)
FEW = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],  # a seed does not shrink
)
SIGNED = T("2025-01-01")
LATER = T("2027-01-01")


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made) / "ledger.sqlite"


@contextmanager
def kept(path: Path) -> Iterator[Store]:
    store = open_store(path, durable=False)
    try:
        yield store
    finally:
        store.close()


def declare(store: Store, papers: Sequence[dict[str, Any]]) -> Ledger:
    ledger = Ledger(store)
    ledger.declare([wire.convert(paper, Agreement) for paper in papers], [], SIGNED)
    return ledger


def close(ledger: Ledger, months: Sequence[str]) -> list[bytes]:
    return [ledger.close(month, LATER).month.root for month in months]


def lines(store: Store, months: Sequence[str]) -> dict[str, tuple[Line, int, int]]:
    found = (line for month in months for line in store.lines(month))
    return {repr(line.key): (line, line.micro, line.posted_micro) for line in found if line.posted_micro}


def owed(groups: Sequence[Any]) -> Counter[str]:
    """What each party owes, in all."""
    found: Counter[str] = Counter()
    for one in groups:
        found[one.payer] += one.amount_micro
        found[one.payee] -= one.amount_micro
    return found


@FEW
@given(SEEDS)
def test_days_teams_and_entries_are_parts_of_the_month(seed: int) -> None:
    world = World(seed, 60, months=4)
    with folder() as path, kept(path) as store:
        ledger = declare(store, world.papers)
        ledger.take(list(world.events()), SIGNED)
        close(ledger, world.months)
        for month in world.months:
            by_team = sum(one.charged_micro_usd for one in ledger.used(month, ["team"]))
            assert by_team == sum(one.charged_micro_usd for one in ledger.used(month, ["provider"]))
            assert by_team == sum(one.posted_micro for one in store.use_charged(month, grain=DAY))
            for supplier in world.suppliers:
                drawn = ledger.statement(("lab", supplier), month)
                whole = owed(drawn.items)
                assert whole == owed(drawn.net)
                for by in (["day"], ["team"], ["day", "team", "clause"]):
                    assert owed(ledger.grouped(drawn, by)) == whole
                parts = Counter[str]()
                for one in store.entries(month=month, parties=("lab", supplier)):
                    parts[one.line.payer] += one.amount_micro
                    parts[one.line.payee] -= one.amount_micro
                assert parts == whole


@FEW
@given(SEEDS, SEEDS)
def test_the_way_in_does_not_matter_to_what_a_month_comes_to(seed: int, way: int) -> None:
    """In any order, twice, in parts, rated or not in between, by writers that stop: the same roots."""
    world = World(seed, 60, months=4)
    events, draw = list(world.events()), random.Random(way)
    with folder() as path, kept(path) as store:
        ledger = declare(store, world.papers)
        ledger.take(events, SIGNED)
        straight = close(ledger, world.months)
        as_is = lines(store, world.months)
    with folder() as path:
        with kept(path) as store:
            declare(store, world.papers)
        mixed = draw.sample(events, len(events)) + draw.choices(events, k=20)
        while mixed:
            part = draw.randint(1, 40)
            with kept(path) as store:  # each part by a writer of its own
                Ledger(store).take(mixed[:part], SIGNED)
                if draw.random() < 0.5:
                    Ledger(store).rate(SIGNED)
            mixed = mixed[part:]
        with kept(path) as store:
            assert close(Ledger(store), world.months) == straight
            assert lines(store, world.months).keys() == as_is.keys()
            assert close(Ledger(store), world.months) == straight


@FEW
@given(SEEDS, st.integers(min_value=0, max_value=115 * 24 * 60))
def test_an_amendment_changes_nothing_before_it(seed: int, minute: int) -> None:
    world = World(seed, 60, months=4)
    events = list(world.events())
    since = Instant(world.start + minute * 60_000_000)
    fields = {"price_usd": "9.75", "minimum": "4321", "rate": "0.9", "cap_total_usd": "1"}
    changes = [
        {"clause": clause["id"], "set": {name: value}}
        for clause in world.papers[0]["clauses"]
        for name, value in fields.items()
        if name in clause and clause.get("from", "2025-01-01")[:10] < since.iso()[:10]
    ]
    if not changes:
        return
    amendment = {"kind": "amendment", "id": "later", "from": since.iso(), "changes": changes}
    plain = [
        paper | {"clauses": [c for c in paper["clauses"] if c["kind"] != "amendment"]}
        for paper in world.papers
    ]
    amended = [plain[0] | {"clauses": [*plain[0]["clauses"], amendment]}, *plain[1:]]
    found = []
    for papers in (plain, amended):
        with folder() as path, kept(path) as store:
            ledger = declare(store, papers)
            ledger.take(events, SIGNED)
            close(ledger, world.months)
            found.append(
                {
                    name: (micro, posted)
                    for name, (line, micro, posted) in lines(store, world.months).items()
                    if span_of(line.key.month).end <= since
                    or (line.key.kind == "usage" and line.key.end <= since)
                }
            )
    assert found[0] == found[1]


@FEW
@given(SEEDS, st.lists(st.tuples(st.integers(-500, 2000), st.integers(0, 4)), min_size=1, max_size=25))
def test_no_more_than_the_cap_is_ever_owed(seed: int, earned: list[tuple[int, int]]) -> None:
    """Late, taken back, amended, closed between: never more than the cap, nor less than nothing."""
    draw = random.Random(seed)
    share: dict[str, Any] = {
        "kind": "revenue_share",
        "id": "s",
        "rate": "0.333333",
        "cap_total_usd": "400",
        "cap_period_usd": "150",
    }
    share |= {"cap_interval": "Quarterly", "base": {"less": ["refunds_usd"]}}
    change = [{"clause": "s", "set": {"rate": "0.9"}}]
    amendment = {"kind": "amendment", "id": "a", "from": "2025-02-10T10:30:00Z", "changes": change}
    paper: dict[str, Any] = {"id": "deal", "customer": "lab", "supplier": "alpha", "signed_on": "2025-01-01"}
    months = [f"2025-0{month}" for month in range(1, 6)]
    with folder() as path, kept(path) as store:
        ledger = declare(store, [paper | {"clauses": [share, amendment]}])
        for month in months:
            batch = [(number, what) for number, what in enumerate(earned) if what[1] == int(month[-1]) - 1]
            for number, (amount, _) in batch:
                own = draw.choice([name for name in months if name <= month])
                event = UsageEvent(
                    source="books",
                    key=str(number),
                    metric="revenue_usd" if amount >= 0 else "refunds_usd",
                    quantity=Decimal(abs(amount)),
                    start=Instant(span_of(own).start + draw.randrange(27 * DAY)),
                    party="lab",
                )
                ledger.take([event], SIGNED)
            close(ledger, [month])
            owes = [(line.key.start, line.posted_micro) for name in months for line in store.lines(name)]
            total = sum(amount for _, amount in owes)
            assert 0 <= total <= 400_000_000
            assert sum(amount for start, amount in owes if start < T("2025-04-01")) <= 150_000_000
            assert sum(amount for start, amount in owes if start >= T("2025-04-01")) <= 150_000_000
