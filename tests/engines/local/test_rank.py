"""Sudden death, at every level: nothing of a job is ever left, and nothing runs twice."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from stargate.engines.local import agent_process
from tests.engines.processes import alive, children_of, with_environment
from tests.engines.stage import AZURE, LocalStage, effect

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]
JOB = "job.0.1"
FAMILY = "(setsid bash -c 'trap \"\" TERM; sleep 1000' &); setsid sleep 1000 & sleep 1000"
"""Children, grandchildren, other sessions, deaf ones."""
FAMILY_MEMBERS = 4


def family(stage: LocalStage) -> list[int]:
    """Everything that carries the mark of this stage's attempts."""
    return with_environment(f"STARGATE_RUN_DIR={stage.root}/")


def agent_pid(stage: LocalStage) -> int:
    process = agent_process(stage.root, AZURE)
    assert process is not None
    return process.pid


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def grown(stage: LocalStage, nodes: int) -> None:
    await stage.engine.start(effect(JOB, FAMILY, nodes=nodes))
    await stage.running(JOB)
    await stage.until(lambda: len(family(stage)) >= FAMILY_MEMBERS * nodes)


async def test_when_the_agent_is_killed_everything_dies_with_it(stage: LocalStage) -> None:
    await grown(stage, nodes=3)
    shims = children_of(agent_pid(stage))
    assert len(shims) == 3
    await stage.lose(AZURE)
    outcome = await stage.ended(JOB)
    assert outcome.failure == "infrastructure"
    assert "lost" in outcome.detail
    assert family(stage) == [], "before the failure is said, nothing is left"
    await stage.until(lambda: not any(alive(pid) for pid in shims))


async def test_when_agent_and_shims_are_killed_at_once_the_rest_is_found(stage: LocalStage) -> None:
    await grown(stage, nodes=2)
    agent = agent_pid(stage)
    shims = children_of(agent)
    os.kill(agent, signal.SIGSTOP)
    for pid in (*shims, agent):
        os.kill(pid, signal.SIGKILL)
    assert (await stage.ended(JOB)).failure == "infrastructure"
    assert family(stage) == []


async def test_when_the_first_process_is_killed_the_rest_of_its_rank_dies(stage: LocalStage) -> None:
    await grown(stage, nodes=1)
    (shim,) = children_of(agent_pid(stage))
    first = next(pid for pid in children_of(shim) if FAMILY in command_of(pid))
    os.kill(first, signal.SIGKILL)
    outcome = await stage.ended(JOB)
    assert (outcome.failure, outcome.detail) == ("infrastructure", "rank 0 was killed by SIGKILL")
    assert family(stage) == []
