"""Shut an agent down for good, with everything it runs."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from stargate.base.errors import EngineError
from stargate.base.time import SECOND
from stargate.engines.local.agent_file import AgentFile, find_agent
from stargate.engines.local.environment import HOST
from stargate.engines.local.layout import Layout
from stargate.engines.local.marker import unfinished
from stargate.engines.local.process import Process
from stargate.engines.local.sweep import bury
from stargate.engines.local.wire import Beat, Hello, Retire, frame, read_said

_ANSWER_S = 2.0
_BEAT_S = 1.0
_LOOK_S = 0.02
_EXTRA_S = 15.0
"""What an agent may take beyond the grace, for jobs that must be killed."""


def agent_process(root: Path, provider: str) -> Process | None:
    """The live agent of a provider. To lose the provider, kill it with SIGKILL."""
    agent = find_agent(Layout(root), provider)
    return agent.process if agent is not None and agent.process.alive() else None


def agents(root: Path) -> tuple[str, ...]:
    """Providers that have a live agent below this root."""
    names = sorted(path.stem for path in Path(root).resolve().glob("agents/*.json"))
    return tuple(name for name in names if agent_process(root, name) is not None)


async def retire(root: Path, provider: str, grace_s: float = 5.0) -> None:
    """End a provider's agent: its jobs get SIGTERM and the grace, and fail as `preempted`.

    Returns when agent and jobs are gone; without a live agent there is nothing to do. An agent that does not
    listen is killed, and its jobs fail as `infrastructure`.
    """
    layout = Layout(root)
    agent = find_agent(layout, provider)
    if agent is None or not agent.process.alive():
        return
    with suppress(OSError, EOFError, TimeoutError, EngineError):
        await _ask(agent, grace_s)
    await asyncio.to_thread(_make_sure, layout, provider, agent)


def _make_sure(layout: Layout, provider: str, agent: AgentFile) -> None:
    """The agent is gone, whether it wanted or not, and so are its jobs."""
    if agent.process.kill():
        while agent.process.alive():
            time.sleep(_LOOK_S)
    bury(layout, provider, unfinished(layout, provider), "its agent was killed as it did not listen")


async def _ask(agent: AgentFile, grace_s: float) -> None:
    """Ask, and wait until the process is gone. Raises TimeoutError when it takes too long."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_ANSWER_S):
        reader, writer = await asyncio.open_connection(HOST, agent.port)
    reading = None
    try:
        async with asyncio.timeout(_ANSWER_S):
            writer.write(frame(Hello(agent.token)) + frame(Retire(int(grace_s * SECOND))))
            await read_said(reader)
        reading = asyncio.create_task(_swallow(reader))
        async with asyncio.timeout(grace_s + _EXTRA_S):
            beat_at = loop.time()
            while agent.process.alive():
                if loop.time() >= beat_at:
                    beat_at = loop.time() + _BEAT_S
                    writer.write(frame(Beat()))
                await asyncio.sleep(_LOOK_S)
    finally:
        if reading is not None:
            reading.cancel()
        writer.close()


async def _swallow(reader: asyncio.StreamReader) -> None:
    """Read what nobody wants, so that the agent can go on writing."""
    with suppress(OSError):
        while await reader.read(1 << 16):
            pass
