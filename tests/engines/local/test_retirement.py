"""Agents are shut down for good, in good order or by force."""

from __future__ import annotations

import shutil
import signal

import pytest

from stargate.engines.local import agent_process, agents, retire
from tests.engines.processes import with_environment
from tests.engines.stage import AZURE, LONG, LocalStage, effect

pytestmark = pytest.mark.anyio
JOB = "job.0.1"


async def test_retiring_stops_jobs_in_good_order(stage: LocalStage) -> None:
    script = "trap 'echo saved; exit 0' TERM; echo up; while true; do sleep 0.05; done"
    await stage.engine.start(effect(JOB, script))
    await stage.running(JOB)
    log = stage.root / "attempts" / JOB / "rank-0.log"
    await stage.until(lambda: log.exists() and log.read_text())
    await retire(stage.root, AZURE)
    assert agents(stage.root) == ()
    outcome = await stage.ended(JOB)
    assert (outcome.phase, outcome.failure) == ("failed", "preempted")
    await stage.until(lambda: stage.marks(AZURE)[-1] == "lost")
    assert b"saved" in (await stage.engine.logs(JOB, 0, 0, 100)).data
    await retire(stage.root, AZURE)


async def test_an_agent_whose_folder_is_removed_ends_with_its_jobs(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.running(JOB)
    agent = agent_process(stage.root, AZURE)
    assert agent is not None
    shutil.rmtree(stage.root)
    await stage.until(lambda: not agent.alive())
    assert with_environment(f"STARGATE_RUN_DIR={stage.root}/") == []


async def test_sigterm_retires_as_well(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.running(JOB)
    agent = agent_process(stage.root, AZURE)
    assert agent is not None
    assert agent.kill(signal.SIGTERM)
    assert (await stage.ended(JOB)).failure == "preempted"
    await stage.until(lambda: not agent.alive())


async def test_an_agent_that_does_not_listen_is_retired_by_force(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.running(JOB)
    agent = agent_process(stage.root, AZURE)
    assert agent is not None
    assert agent.kill(signal.SIGSTOP)
    await retire(stage.root, AZURE)
    assert not agent.alive()
    assert (await stage.ended(JOB)).failure == "infrastructure"
    assert with_environment(f"STARGATE_RUN_DIR={stage.root}/") == []
