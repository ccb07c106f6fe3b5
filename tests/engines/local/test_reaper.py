"""A shim that dies leaves nothing behind, and takes nobody else along."""

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
SCATTERED = "(setsid sleep 1000 &); setsid sleep 1000 & sleep 1000"


SLEEPERS = 3
"""What each rank of it comes to."""


def marked(stage: LocalStage, attempt: str) -> list[int]:
    """Everything that carries the mark of an attempt."""
    return with_environment(f"STARGATE_RUN_DIR={stage.root}/attempts/{attempt}")


def sleepers(stage: LocalStage, attempt: str) -> list[int]:
    """Those that stay; the shells that start them come and go."""
    with_names = ((pid, Path(f"/proc/{pid}/comm")) for pid in marked(stage, attempt))
    return [pid for pid, name in with_names if name.exists() and name.read_text() == "sleep\n"]


def shims(stage: LocalStage) -> set[int]:
    """What the agent has for children."""
    process = agent_process(stage.root, AZURE)
    assert process is not None
    return set(children_of(process.pid))


async def test_when_a_shim_is_killed_its_rank_and_the_gang_die(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, SCATTERED, nodes=2))
    await stage.until(lambda: len(sleepers(stage, JOB)) == 2 * SLEEPERS)
    os.kill(min(shims(stage)), signal.SIGKILL)
    outcome = await stage.ended(JOB)
    assert outcome.failure == "infrastructure"
    assert marked(stage, JOB) == []
    assert shims(stage) == set()


async def test_other_gangs_are_not_touched(stage: LocalStage) -> None:
    await stage.engine.start(effect("other.0.1", SCATTERED, nodes=2))
    await stage.until(lambda: len(sleepers(stage, "other.0.1")) == 2 * SLEEPERS)
    others = sleepers(stage, "other.0.1")
    before = shims(stage)
    await stage.engine.start(effect(JOB, SCATTERED))
    await stage.until(lambda: len(sleepers(stage, JOB)) == SLEEPERS)
    (shim,) = shims(stage) - before
    os.kill(shim, signal.SIGKILL)
    await stage.ended(JOB)
    assert stage.outcome("other.0.1") is None
    assert all(alive(pid) for pid in others)
