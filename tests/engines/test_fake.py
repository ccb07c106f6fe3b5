"""The engine that lies: on demand, deterministically, and otherwise never."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine

import pytest

from stargate.base.wire import pack
from stargate.broker.command import MarkSupply, Report
from stargate.engines.fake import FakeEngine, Faults, Script
from tests.engines.stage import AZURE, effect, stop

Said = list[Report | MarkSupply]
JOBS = [f"job{n}.0.1" for n in range(6)]
LIES = Faults().lies
FOUR_TICKS = Script(ticks=4)


def play(seed: int, faults: Faults, script: Script = FOUR_TICKS, ticks: int = 60) -> tuple[FakeEngine, Said]:
    """Six attempts under these faults, one of them stopped."""
    heard: Said = []
    engine = FakeEngine(heard.append, seed, lambda _: script, faults)

    async def story() -> None:
        for job in JOBS:
            await engine.start(effect(job, ""))
            await engine.start(effect(job, ""))
        engine.tick()
        await engine.stop(stop(JOBS[0]))

    asyncio.run(story())
    for _ in range(ticks):
        engine.tick()
    return engine, heard


ENDS = {"done", "failed", "stopped"}


def ends(heard: Said) -> Counter[str]:
    return Counter(said.attempt for said in heard if isinstance(said, Report) and said.phase in ENDS)


def phases_of(attempt: str, heard: Said) -> list[str]:
    return [said.phase for said in heard if isinstance(said, Report) and said.attempt == attempt]


def test_the_same_seed_tells_the_same_lies() -> None:
    faults = Faults(duplicate=0.3, delay=0.3, lose=0.1, lie=0.5)
    first, second = play(7, faults)[1], play(7, faults)[1]
    assert first == second
    assert first != play(8, faults)[1]


def test_without_faults_each_ends_once() -> None:
    engine, heard = play(1, Faults())
    assert ends(heard) == Counter(JOBS)
    assert engine.started == JOBS
    assert engine.running() == ()


@pytest.mark.parametrize(
    ("faults", "holds"),
    [
        (Faults(duplicate=1), lambda count: all(count[job] == 2 for job in JOBS)),
        (Faults(delay=1), lambda count: count == Counter(JOBS)),
        (Faults(lose=1), lambda count: not count),
        (Faults(mute_start=1), lambda count: set(count) == {JOBS[0]}),
    ],
)
def test_reports_are_repeated_delayed_and_lost(faults: Faults, holds: Callable[[Counter[str]], bool]) -> None:
    assert holds(ends(play(3, faults)[1]))


def test_delayed_reports_overtake_one_another() -> None:
    heard = play(5, Faults(delay=0.5))[1]
    phases = phases_of(JOBS[1], heard)
    assert sorted(phases) != phases or phases[0] != "accepted"
    assert phases != phases_of(JOBS[1], play(5, Faults())[1])


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_told_and_can_be_written_down(lie: str) -> None:
    honest = play(1, Faults())[1]
    heard = play(1, Faults(lie=1, lies=(lie,)))[1]  # type: ignore[arg-type]
    assert len(heard) > len(honest)
    for said in heard:
        pack(said)


def test_there_are_many_lies() -> None:
    assert len(LIES) >= 20


def test_what_ignores_a_stop_goes_on_until_its_provider_is_lost() -> None:
    engine, heard = play(1, Faults(), Script(ticks=0, ignores_stop=True))
    assert engine.running() == tuple(JOBS)
    engine.lose(AZURE)
    assert ends(heard) == Counter(JOBS)
    engine.restore(AZURE)
    assert isinstance(heard[-1], MarkSupply)
    assert heard[-1].status == "up"


def test_an_attempt_goes_on_from_what_its_predecessor_saved() -> None:
    heard: Said = []
    engine = FakeEngine(heard.append, script=lambda _: Script(ticks=0, steps_per_tick=10))

    def do(call: Coroutine[None, None, None]) -> None:
        asyncio.run(call)

    do(engine.start(effect("job.0.1", "")))
    for _ in range(4):
        engine.tick()
    engine.lose(AZURE)
    do(engine.start(effect("job.0.2", "", provider="oracle")))
    engine.tick()
    progress = engine.progress("job.0.2")
    assert progress is not None
    assert progress.first_step == 31
