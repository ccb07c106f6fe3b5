"""The ledger beside a running broker: hours are counted once, whatever happens to server, ledger or clock."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from stargate.agreements import Period
from stargate.base.errors import LedgerError
from stargate.base.time import DAY, HOUR, MINUTE, Instant
from stargate.broker.command import Submit
from stargate.ledger import Budget, Ledger, UsageEvent
from stargate.server.house import SERVER
from tests.server.test_driver import job
from tests.server.world import Stage, configured, staged

pytestmark = pytest.mark.anyio

START = Instant.parse("2026-03-10T10:30:00Z")
ALL = Period(Instant.parse("2026-01-01"), Instant.parse("2027-01-01"))


class Clock:
    """Time in the hand of a test."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Instant:
        return self.now

    def wait(self, duration: int) -> None:
        """Time passes."""
        self.now = self.now.plus(duration)


async def counted(stage: Stage) -> list[UsageEvent]:
    """A round, and what is on record after it."""
    books = stage.house.books
    assert books is not None
    await books.round(stage.house.driver)
    assert books.failure == ""
    return await books.read(lambda ledger: list(ledger.store.usage(ALL)))


async def running(stage: Stage, name: str, team: str = "") -> None:
    """Work that has been accepted and runs."""
    await stage.house.ask(SERVER, Submit(name, msgspec.structs.replace(job(), team=team)))
    await stage.tick(2)


async def test_full_hours_are_counted_and_rated(tmp_path: Path) -> None:
    """From 10:30 to 12:10: half an hour and an hour of 8 chips; the rest when its hour is full."""
    clock = Clock()
    async with staged(configured(tmp_path), clock=clock) as stage:
        await running(stage, "a")
        assert await counted(stage) == []
        clock.wait(100 * MINUTE)
        events = await counted(stage)
        assert [str(event.start)[11:16] for event in events] == ["10:30", "11:00"]
        assert round(sum(event.quantity for event in events)) == 8 * 5_400
        books = stage.house.books
        assert books is not None
        lines = await books.read(lambda ledger: list(ledger.store.lines("2026-03")))
        assert round(sum(Decimal(line.micro) for line in lines) / 10**6) == 8 * 5_400
        assert await counted(stage) == events


async def test_terms_and_facts_of_the_broker_are_those_of_the_ledger(tmp_path: Path) -> None:
    """A fact that is declared later comes with the next round."""
    async with staged(configured(tmp_path), clock=Clock()) as stage:
        await stage.operator.post("/v1/facts", {"name": "agi", "value": True})
        await counted(stage)
        books = stage.house.books
        assert books is not None
        terms = await books.read(lambda ledger: ledger.store.terms())
        assert [paper.id for paper in terms.agreements] == ["ms-2025"]
        assert [fact.name for fact in terms.facts] == ["agi"]
        await stage.operator.post("/v1/facts", {"name": "ipo", "value": False})
        await counted(stage)
        facts = (await books.read(lambda ledger: ledger.store.terms())).facts
        assert [fact.name for fact in facts] == ["agi", "ipo"]


async def test_a_server_that_was_away_counts_what_passed(tmp_path: Path) -> None:
    """Hours in which no server ran are counted as the journal has them, once."""
    clock, config = Clock(), configured(tmp_path)
    async with staged(config, clock=clock) as stage:
        await running(stage, "a")
        clock.wait(HOUR)
        before = await counted(stage)
        engine = stage.engine
    clock.wait(DAY)
    async with staged(config, engine, clock=clock) as stage:
        events = await counted(stage)
    assert events[: len(before)] == before
    assert len(events) == len({event.key for event in events}) == 25


async def test_a_clock_that_is_set_back_changes_no_hour_that_was_counted(tmp_path: Path) -> None:
    """After a restart too: what happens then happens after the last hour that was counted."""
    clock, config = Clock(), configured(tmp_path)
    async with staged(config, clock=clock) as stage:
        await running(stage, "a")
        clock.wait(HOUR)
        await counted(stage)
        engine = stage.engine
    clock.wait(-45 * MINUTE)
    async with staged(config, engine, clock=clock) as stage:
        await stage.operator.post("/v1/workloads/a/cancel")
        await stage.tick(4)
        clock.wait(3 * HOUR)
        events = await counted(stage)
        ended = await stage.house.driver.read(lambda state: state.records.attempts["a.0.1"].ended_at)
    assert ended is not None
    assert ended > Instant.parse("2026-03-10T11:00:00Z")
    assert events[-1].end == ended


async def test_a_ledger_that_cannot_be_reached_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker goes on and says so; then everything is counted."""
    clock = Clock()
    async with staged(configured(tmp_path), clock=clock) as stage:
        await running(stage, "a")
        clock.wait(2 * HOUR)
        books = stage.house.books
        assert books is not None
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "rate", _fails)
            await books.round(stage.house.driver)
            assert books.failure == "the disk is full"
            (trouble,) = (await stage.operator.get("/v1/status"))["troubles"]
            assert trouble == "the ledger is behind: the disk is full"
        assert len(await counted(stage)) == 2
        assert (await stage.operator.get("/v1/status"))["troubles"] == []


def _fails(*_: object) -> None:
    raise LedgerError("the disk is full", "Make room.")


async def test_without_a_ledger_nothing_is_counted(tmp_path: Path) -> None:
    """`none` says so."""
    async with staged(configured(tmp_path, ledger="none")) as stage:
        assert stage.house.books is None
    assert not (tmp_path / "server" / "ledger.sqlite").exists()


async def test_a_team_that_has_spent_its_budget_waits_until_it_is_raised(tmp_path: Path) -> None:
    """8 chips at $2 are $16 an hour, of $35: after two and a half hours new work waits, and what runs goes on."""
    clock = Clock()
    async with staged(configured(tmp_path), clock=clock) as stage:
        books = stage.house.books
        assert books is not None

        async def allow(limit: str) -> None:
            budget = Budget(team="red", limit_usd=Decimal(limit), then="block")
            await books.write(lambda ledger: ledger.allow(budget, clock.now))
            await counted(stage)

        await allow("35")
        await running(stage, "a", "red")
        clock.wait(MINUTE * 90)
        await counted(stage)
        assert (await stage.operator.get("/v1/status"))["troubles"] == []
        clock.wait(HOUR)
        await counted(stage)
        (trouble,) = (await stage.operator.get("/v1/status"))["troubles"]
        assert trouble == "team red has spent $40.00 of $35.00 in 2026-03"
        await stage.house.ask(SERVER, Submit("b", msgspec.structs.replace(job(), team="red")))
        await stage.settle()
        found = await stage.operator.get("/v1/explain/b")
        assert "has spent its budget of 2026-03 ($40.00 of $35.00)" in found["summary"]
        assert (await stage.operator.get("/v1/workloads/a"))["attempts"][0]["status"] == "running"
        await allow("100")
        await stage.settle()
        assert len((await stage.operator.get("/v1/workloads/b"))["attempts"]) == 1
