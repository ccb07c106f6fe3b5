from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from stargate.base.errors import EngineError, NotFoundError
from stargate.base.time import Duration
from stargate.broker import Notify, StartAttempt, StopAttempt
from stargate.broker.command import Command, MarkSupply, Report
from stargate.broker.effect import CheckpointAttempt
from stargate.engines.engine import LogPage, Progress, Say
from stargate.server import fleet as module
from stargate.server.fleet import Fleet
from stargate.workloads import parse
from tests.server.world import JOB

pytestmark = pytest.mark.anyio
WORK = parse(JOB)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.002)


def start(attempt: str = "j.0.1", pool: str = "p") -> StartAttempt:
    return StartAttempt("1.0", attempt, "j", 1, 0, "acme", pool, (0,), 8, WORK)


def stop(attempt: str = "j.0.1", pool: str = "p") -> StopAttempt:
    return StopAttempt("2.0", attempt, pool, Duration(0), "cancelled")


class Noted:
    """An engine that notes what it is asked, fails so many times, and may be held up."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.calls: list[str] = []
        self.failures: dict[str, int] = {}
        self.fault: Exception = EngineError("no answer", "Wait.")
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = False

    async def _called(self, what: str) -> None:
        await self.gate.wait()
        self.calls.append(what)
        kind = what.partition(" ")[0]
        if self.failures.get(kind, 0):
            self.failures[kind] -= 1
            raise self.fault

    async def open(self) -> None:
        await self._called("open")

    async def start(self, effect: StartAttempt) -> None:
        await self._called(f"start {effect.attempt}")

    async def stop(self, effect: StopAttempt) -> None:
        await self._called(f"stop {effect.attempt}")

    async def checkpoint(self, effect: CheckpointAttempt) -> None:
        await self._called(f"checkpoint {effect.attempt}")

    async def logs(self, attempt: str, rank: int | None, offset: int, limit: int) -> LogPage:
        return LogPage(b"line", offset + 4)

    def progress(self, attempt: str) -> Progress | None:
        return Progress(step=7)

    async def close(self) -> None:
        self.closed = True


class Rig:
    def __init__(self, draining: bool = False) -> None:
        self.told: list[tuple[str, Command]] = []
        self.engines: list[Noted] = []
        self.fleet = Fleet(self._make, {"p": "local", "q": "slurm"}.get, lambda *_: draining)  # type: ignore[arg-type]

    def _make(self, say: Say) -> dict[str, Any]:
        self.engines.append(Noted(say))
        return {"local": self.engines[0]}

    @property
    def engine(self) -> Noted:
        return self.engines[0]

    async def open(self) -> None:
        await self.fleet.open(lambda id, command: self.told.append((id, command)))

    async def done(self) -> None:
        for _ in range(2_000):
            await asyncio.sleep(0.001)
            if not self.fleet.pending:
                return
        raise AssertionError("effects are still on their way")


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Rig]:
    rig = Rig(**options)
    await rig.open()
    yield rig
    await rig.fleet.close()
    assert rig.engine.closed


async def test_effects_reach_the_engine_of_their_pool() -> None:
    async with opened() as rig:
        rig.fleet.dispatch(start())
        rig.fleet.dispatch(CheckpointAttempt("3.0", "j.0.1", "p"))
        rig.fleet.dispatch(stop())
        await rig.done()
        assert rig.engine.calls == ["open", "start j.0.1", "checkpoint j.0.1", "stop j.0.1"]


async def test_effects_wait_until_the_engines_are_open() -> None:
    rig = Rig()
    rig.fleet.dispatch(start())
    await asyncio.sleep(0.01)
    assert rig.engine.calls == []
    await rig.open()
    await rig.done()
    assert rig.engine.calls == ["open", "start j.0.1"]
    await rig.fleet.close()


async def test_one_slow_attempt_does_not_hold_up_another() -> None:
    async with opened() as rig:
        rig.engine.gate.clear()
        rig.fleet.dispatch(start("a.0.1"))
        await asyncio.sleep(0.005)
        rig.fleet.dispatch(stop("a.0.1"))
        rig.fleet.dispatch(start("b.0.1"))
        await asyncio.sleep(0.005)
        rig.engine.gate.set()
        await rig.done()
        calls = rig.engine.calls[1:]
        assert calls.index("start a.0.1") < calls.index("stop a.0.1")
        assert set(calls) == {"start a.0.1", "stop a.0.1", "start b.0.1"}


async def test_a_start_is_tried_again() -> None:
    async with opened() as rig:
        rig.engine.failures["start"] = 2
        rig.fleet.dispatch(start())
        await rig.done()
        assert rig.engine.calls.count("start j.0.1") == 3
        assert rig.told == []


@pytest.mark.parametrize("fault", [EngineError("no answer", "Wait."), ValueError("a bug")])
async def test_a_start_that_never_works_is_fenced_and_failed(fault: Exception) -> None:
    async with opened() as rig:
        rig.engine.failures["start"] = 1_000
        rig.engine.fault = fault
        rig.fleet.dispatch(start())
        await rig.done()
        assert rig.engine.calls[-1] == "stop j.0.1"
        ((_, report),) = rig.told
        assert isinstance(report, Report)
        assert (report.phase, report.failure) == ("failed", "infrastructure")
        assert str(fault).partition(".")[0] in report.detail


async def test_a_stop_is_tried_until_it_works() -> None:
    async with opened() as rig:
        rig.engine.failures["stop"] = 20
        rig.fleet.dispatch(stop())
        await rig.done()
        assert rig.engine.calls.count("stop j.0.1") == 21


async def test_a_pool_without_engine_has_no_capacity() -> None:
    async with opened() as rig:
        for pool in ("q", "unknown"):
            rig.fleet.dispatch(start(pool=pool))
            await rig.done()
            report = rig.told[-1][1]
            assert isinstance(report, Report)
            assert (report.phase, report.failure) == ("failed", "no_capacity")
        rig.fleet.dispatch(stop(pool="q"))
        await rig.done()
        assert rig.told[-1][1] == Report(
            "j.0.1", "stopped", detail="pool q has no engine on this server (its kind is 'slurm')"
        )


async def test_reports_become_commands_with_ids_of_their_own() -> None:
    async with opened() as rig:
        rig.engine.say(Report("j.0.1", "done", step=3, metrics={"bad": Decimal("NaN")}))
        assert rig.told == [("engine/j.0.1/done/3", Report("j.0.1", "done", step=3))]


@pytest.mark.parametrize(("draining", "heard"), [(False, 1), (True, 0)])
async def test_an_engine_does_not_undo_what_an_operator_drains(draining: bool, heard: int) -> None:
    async with opened(draining=draining) as rig:
        rig.engine.say(MarkSupply("provider", "acme", "up"))
        assert len(rig.told) == heard
        rig.engine.say(MarkSupply("provider", "acme", "lost", "gone"))
        assert len(rig.told) == heard + 1


async def test_an_engine_that_cannot_be_opened_is_a_trouble_and_no_more() -> None:
    rig = Rig()
    rig.engine.failures["open"] = 1
    await rig.open()
    assert rig.fleet.troubles == {"local": "no answer. Wait."}
    await rig.fleet.close()


async def test_logs_and_progress_come_from_the_engine() -> None:
    async with opened() as rig:
        assert rig.fleet.progress("j.0.1", "p") == Progress(step=7)
        assert rig.fleet.progress("j.0.1", "q") is None
        assert (await rig.fleet.logs("j.0.1", "p", None, 0, 10)).data == b"line"
        with pytest.raises(NotFoundError):
            await rig.fleet.logs("j.0.1", "q", None, 0, 10)


async def test_a_notice_is_written_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with opened() as rig:
        rig.fleet.dispatch(Notify("1.0", "acme", "offer-1", "an offer awaits your answer"))
        assert "1.0 to acme, about offer-1" in caplog.text
        assert rig.fleet.pending == 0


async def test_closing_lets_go_of_effects_that_hang() -> None:
    rig = Rig()
    await rig.open()
    rig.engine.gate.clear()
    rig.fleet.dispatch(start())
    await asyncio.sleep(0.005)
    await asyncio.wait_for(rig.fleet.close(), 5)
    assert rig.engine.closed
