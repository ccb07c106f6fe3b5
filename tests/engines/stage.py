"""A stage for engines: what is asked of them, what they say, and a way to wait for it.

The same stories are played by every engine. A `Play` is a program in the two forms in which engines take it:
a shell script for those that run processes, a `Script` for the one that pretends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from stargate.base.time import SECOND, Duration
from stargate.broker.command import MarkSupply, Report
from stargate.broker.effect import CheckpointAttempt, StartAttempt, StopAttempt
from stargate.engines import Engine, FakeEngine, LocalEngine, Script
from stargate.engines.local import Bounds, agent_process, agents, retire
from stargate.workloads import Workload
from tests.engines.processes import PATIENCE_S

T = TypeVar("T")
AZURE, ORACLE = "azure", "oracle"


class Play(NamedTuple):
    """One program."""

    name: str
    run: str
    script: Script


_TELL = """printf '{{"first_step": 1, "step": {0}, "checkpoint_step": {0}, "loss": 2.5, "done": {1}}}' \
> $STARGATE_PROGRESS_FILE.new && mv $STARGATE_PROGRESS_FILE.new $STARGATE_PROGRESS_FILE"""
_ONCE = "echo $STARGATE_ATTEMPT >> $STARGATE_CHECKPOINT_DIR/started; "

WELL = Play(
    "well",
    f"{_ONCE}[ $STARGATE_RANK = 0 ] && {_TELL.format(10, 'true')}; echo line one; echo line two",
    Script(ticks=2, steps_per_tick=10),
)
BAD = Play("bad", f"{_ONCE}exit 3", Script(ticks=1, failure="user"))
LONG = Play("long", f"{_ONCE}exec sleep 1000", Script(ticks=0))
SAVING = Play(
    "saving",
    f"{_ONCE}n=0; while sleep 0.1; do n=$((n+10)); [ $STARGATE_RANK = 0 ] && "
    + _TELL.format("'$n'", "false")
    + "; done",
    Script(ticks=0),
)
PLAYS = {play.name: play for play in (WELL, BAD, LONG, SAVING)}


class Stage(Protocol):
    """One engine with an audience."""

    engine: Engine
    heard: list[Report | MarkSupply]

    async def reopen(self) -> None:
        """As after a restart of the server: what was said before is forgotten."""

    async def lose(self, provider: str) -> None:
        """The provider breaks, with all that runs there."""

    def starts(self, attempt: str) -> int:
        """How often the first rank of it has really begun."""

    async def until(self, condition: Callable[[], T | None]) -> T:
        """What `condition` gives, as soon as it is true."""

    async def close(self) -> None:
        """Clear the stage."""


def effect(
    attempt: str, play: Play | str, *, nodes: int = 1, provider: str = AZURE, **more: object
) -> StartAttempt:
    """A start of a play, or of a script."""
    run, name = (play.run, play.name) if isinstance(play, Play) else (play, "script")
    workload, _, number = attempt.split(".")
    fields = {"name": name, "kind": "train", "nodes": nodes, "run": run, **more}
    return StartAttempt(
        id=f"{number}.0",
        attempt=attempt,
        workload_id=workload,
        number=int(number),
        slot=0,
        provider=provider,
        pool=f"{provider}-1",
        nodes=tuple(range(nodes)),
        chips_per_node=8,
        workload=Workload(**fields),  # type: ignore[arg-type]
    )


def stop(attempt: str, grace_s: float = 5, provider: str = AZURE) -> StopAttempt:
    """A stop of it."""
    return StopAttempt("9.0", attempt, f"{provider}-1", Duration(int(grace_s * SECOND)), "the test says so")


def save(attempt: str, provider: str = AZURE) -> CheckpointAttempt:
    """A wish that it saves its state."""
    return CheckpointAttempt("9.1", attempt, f"{provider}-1")


class Audience:
    """What was said, and questions about it."""

    def __init__(self) -> None:
        self.heard: list[Report | MarkSupply] = []

    def reports(self, attempt: str) -> list[Report]:
        """All reports on it, in order."""
        return [said for said in self.heard if isinstance(said, Report) and said.attempt == attempt]

    def phases(self, attempt: str) -> list[str]:
        """Its phases without repetitions in a row."""
        phases = [report.phase for report in self.reports(attempt)]
        return [phase for n, phase in enumerate(phases) if n == 0 or phases[n - 1] != phase]

    def outcomes(self, attempt: str) -> list[Report]:
        """Its ends; the contract allows repetitions of one."""
        return [report for report in self.reports(attempt) if report.phase in {"done", "failed", "stopped"}]

    def outcome(self, attempt: str) -> Report | None:
        """Its end, if it has one; never two different ones."""
        outcomes = self.outcomes(attempt)
        assert all(outcome == outcomes[0] for outcome in outcomes), outcomes
        return outcomes[0] if outcomes else None

    def marks(self, provider: str) -> list[str]:
        """What was said of a provider's health."""
        return [said.status for said in self.heard if isinstance(said, MarkSupply) and said.id == provider]

    def _tick(self) -> None:
        """A moment passes."""

    async def until(self, condition: Callable[[], T | None], patience_s: float = PATIENCE_S) -> T:
        """Wait; fail with everything that was said."""
        deadline = time.monotonic() + patience_s
        while not (result := condition()):
            assert time.monotonic() < deadline, f"it did not come true; said was: {self.heard}"
            self._tick()
            await asyncio.sleep(0.01)
        return result

    async def ended(self, attempt: str) -> Report:
        """Its end, once it has one."""
        return await self.until(lambda: self.outcome(attempt))

    async def running(self, attempt: str) -> None:
        """Once it runs."""
        await self.until(lambda: "running" in self.phases(attempt))


class LocalStage(Audience):
    """The local engine, below a folder."""

    def __init__(self, root: Path, bounds: Bounds | None = None) -> None:
        super().__init__()
        self.root = root
        self._bounds = bounds or Bounds(revive_s=None)
        self.engine = self._engine()

    def _engine(self) -> LocalEngine:
        return LocalEngine(self.root, self.heard.append, (AZURE,), self._bounds)

    async def reopen(self) -> None:
        """A second engine on the same folder."""
        await self.engine.close()
        self.heard.clear()
        self.engine = self._engine()
        await self.engine.open()

    async def lose(self, provider: str) -> None:
        """Its agent dies of SIGKILL."""
        process = agent_process(self.root, provider)
        assert process is not None
        assert process.kill()
        await self.until(lambda: "lost" in self.marks(provider)[-1:])

    def starts(self, attempt: str) -> int:
        """Every play writes a line into its checkpoint directory."""
        path = self.root / "work" / attempt.partition(".")[0] / "checkpoint" / "started"
        return path.read_text().split().count(attempt) if path.exists() else 0

    async def close(self) -> None:
        """End the agents and all they run."""
        await self.engine.close()
        for provider in agents(self.root):
            await retire(self.root, provider, grace_s=0)


class FakeStage(Audience):
    """The engine that pretends; each look lets a moment pass."""

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeEngine(self.heard.append, script=lambda start: PLAYS[start.workload.name].script)
        self.engine: Engine = self.fake

    def _tick(self) -> None:
        self.fake.tick()

    async def reopen(self) -> None:
        """The fake keeps what it pretends to run."""
        await self.engine.close()
        self.heard.clear()
        await self.engine.open()

    async def lose(self, provider: str) -> None:
        """By command."""
        self.fake.lose(provider)

    def starts(self, attempt: str) -> int:
        """It counts them itself."""
        return self.fake.started.count(attempt)

    async def close(self) -> None:
        """Nothing runs."""
