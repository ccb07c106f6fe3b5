"""How the engine notices that an agent is silent, dead, or back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stargate.broker.command import MarkSupply
from stargate.engines.local import Bounds, agent_process
from stargate.engines.local.link import OUTBOX_LIMIT
from tests.engines.stage import AZURE, LONG, WELL, LocalStage, effect, stop

pytestmark = pytest.mark.anyio
JOB = "job.0.1"


@pytest.fixture
async def reviving(tmp_path: Path) -> AsyncIterator[LocalStage]:
    made = LocalStage(tmp_path, Bounds(revive_s=0.2))
    await made.engine.open()
    yield made
    await made.close()


def pid_of(stage: LocalStage) -> int:
    process = agent_process(stage.root, AZURE)
    assert process is not None
    return process.pid


async def test_opening_finds_the_provider_up(stage: LocalStage) -> None:
    assert stage.heard == [MarkSupply("provider", AZURE, "up")]
    assert OUTBOX_LIMIT


async def test_a_dead_agent_is_lost_at_once_with_evidence(stage: LocalStage) -> None:
    pid = pid_of(stage)
    await stage.lose(AZURE)
    mark = stage.heard[-1]
    assert isinstance(mark, MarkSupply)
    assert str(pid) in mark.evidence


async def test_a_silent_agent_is_lost_and_back_with_what_it_runs(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.running(JOB)
    pid = pid_of(stage)
    os.kill(pid, signal.SIGSTOP)
    try:
        frozen_at = time.monotonic()
        await stage.until(lambda: stage.marks(AZURE) == ["up", "lost"])
        assert time.monotonic() - frozen_at > 1, "a short pause is not a loss"
        assert stage.outcome(JOB) is None, "it may still run, so nobody says that it failed"
        await stage.engine.stop(stop(JOB))
        await stage.engine.start(effect("other.0.1", WELL))
        assert (await stage.ended("other.0.1")).failure == "no_capacity"
    finally:
        os.kill(pid, signal.SIGCONT)
    await stage.until(lambda: stage.marks(AZURE) == ["up", "lost", "up"])
    assert (await stage.ended(JOB)).phase == "stopped", "the stop waited for it"
    assert stage.starts("other.0.1") == 0


async def test_a_short_pause_is_no_loss(stage: LocalStage) -> None:
    pid = pid_of(stage)
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(0.5)
    os.kill(pid, signal.SIGCONT)
    await stage.engine.start(effect(JOB, WELL))
    await stage.ended(JOB)
    assert stage.marks(AZURE) == ["up"]


async def test_an_engine_that_was_held_up_does_not_blame_the_agent(stage: LocalStage) -> None:
    time.sleep(2.5)  # noqa: ASYNC251 - the very point: the event loop stands still
    await stage.engine.start(effect(JOB, WELL))
    await stage.ended(JOB)
    assert stage.marks(AZURE) == ["up"]


async def test_a_dead_agent_is_started_again_and_its_attempts_are_not(reviving: LocalStage) -> None:
    stage = reviving
    await stage.engine.start(effect(JOB, LONG))
    await stage.until(lambda: stage.starts(JOB))
    await stage.lose(AZURE)
    await stage.until(lambda: stage.marks(AZURE) == ["up", "lost", "up"])
    assert (await stage.ended(JOB)).failure == "infrastructure"
    await stage.engine.start(effect(JOB, LONG))
    await stage.engine.start(effect("job.0.2", WELL))
    assert (await stage.ended("job.0.2")).phase == "done"
    assert stage.outcome(JOB) is not None
    assert stage.starts(JOB) == 1


async def test_saved_steps_are_told_before_the_loss(stage: LocalStage) -> None:
    told = '{"first_step": 1, "step": 7, "checkpoint_step": 5}'
    script = f"echo '{told}' > $STARGATE_PROGRESS_FILE.new; mv $STARGATE_PROGRESS_FILE.new $STARGATE_PROGRESS_FILE; "
    await stage.engine.start(effect(JOB, script + "exec sleep 1000"))
    await stage.until(lambda: stage.engine.progress(JOB))
    await stage.lose(AZURE)
    assert (await stage.ended(JOB)).step == 7
    kinds = [getattr(said, "phase", getattr(said, "status", "")) for said in stage.heard]
    assert kinds.index("checkpointed") < kinds.index("lost") < kinds.index("failed")


async def test_a_provider_whose_agent_cannot_start_is_lost(tmp_path: Path) -> None:
    stage = LocalStage(tmp_path, Bounds(start_s=20.0, revive_s=None))
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "azure.lock").mkdir()
    await stage.engine.open()
    try:
        assert stage.marks(AZURE) == ["lost"]
        mark = stage.heard[-1]
        assert isinstance(mark, MarkSupply)
        assert "IsADirectoryError" in mark.evidence
        await stage.engine.start(effect(JOB, WELL))
        assert (await stage.ended(JOB)).failure == "no_capacity"
    finally:
        await stage.close()
