"""An agent lives longer than its engine, is alone, and hears nobody without the token."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stargate.engines.local import agent_process, agents
from stargate.engines.local.agent_file import find_agent
from stargate.engines.local.layout import Layout
from stargate.engines.local.wire import (
    FRAME_LIMIT,
    HELLO_LIMIT,
    Asked,
    Beat,
    Hello,
    Retire,
    Welcome,
    frame,
    read_said,
)
from tests.engines.processes import PATIENCE_S, eventually, with_environment
from tests.engines.stage import AZURE, LONG, ORACLE, WELL, LocalStage, effect, stop

pytestmark = pytest.mark.anyio
JOB = "job.0.1"
COMMAND = [sys.executable, "-m", "stargate.engines.local.agent"]


async def converse(stage: LocalStage, *data: bytes) -> bytes:
    """Everything the agent says until it hangs up."""
    agent = find_agent(Layout(stage.root), AZURE)
    assert agent is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", agent.port)
    try:
        for piece in data:
            writer.write(piece)
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_there_is_one_agent_for_each_provider(stage: LocalStage) -> None:
    second = await asyncio.create_subprocess_exec(*COMMAND, "--root", str(stage.root), "--provider", AZURE)
    assert await second.wait() == 3
    assert agents(stage.root) == (AZURE,)


async def test_nobody_is_heard_without_the_token(stage: LocalStage) -> None:
    for nonsense in (
        frame(Hello("wrong token")),
        frame(Beat()),
        frame(Retire(0)),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        (HELLO_LIMIT + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x03abc",
        b"\x00\x00\x00\x00",
    ):
        assert await converse(stage, nonsense) == b""
    await stage.engine.start(effect(JOB, WELL))
    assert (await stage.ended(JOB)).phase == "done"


async def test_with_the_token_nonsense_ends_the_conversation_only(stage: LocalStage) -> None:
    agent = find_agent(Layout(stage.root), AZURE)
    assert agent is not None
    hello = frame(Hello(agent.token))
    for nonsense in ((FRAME_LIMIT + 1).to_bytes(4, "big"), b"\x00\x00\x00\x01\xc1"):
        said = await converse(stage, hello + nonsense)
        assert b"welcome" in said
    await stage.engine.start(effect(JOB, WELL))
    assert (await stage.ended(JOB)).phase == "done"


async def test_the_token_is_the_owners_alone(stage: LocalStage) -> None:
    path = stage.root / "agents" / "azure.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(path.read_text())["token"]) == 64
    agent = find_agent(Layout(stage.root), AZURE)
    assert agent is not None
    assert agent.token not in repr(agent)


async def test_an_agent_beats_without_being_asked(stage: LocalStage) -> None:
    agent = find_agent(Layout(stage.root), AZURE)
    assert agent is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", agent.port)
    writer.write(frame(Hello(agent.token)))
    assert isinstance(await read_said(reader), Welcome)
    assert isinstance(await asyncio.wait_for(read_said(reader), PATIENCE_S), Beat)
    writer.close()


SERVER = """
import asyncio, sys
from pathlib import Path
from stargate.engines import LocalEngine
from tests.engines.stage import LONG, effect

async def main():
    engine = LocalEngine(Path(sys.argv[1]), print, ("azure",))
    await engine.open()
    await engine.start(effect("job.0.1", LONG, nodes=2))
    await asyncio.sleep(60)

asyncio.run(main())
"""


def start_and_kill_a_server(root: Path) -> list[int]:
    """The processes of the job that it started."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(root)], stdout=subprocess.DEVNULL, start_new_session=True
    )
    mark = f"STARGATE_RUN_DIR={root}/"
    try:
        return eventually(lambda: found if len(found := with_environment(mark)) == 2 else None)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


async def test_jobs_outlive_a_server_that_is_killed(tmp_path: Path) -> None:
    running = await asyncio.to_thread(start_and_kill_a_server, tmp_path)
    stage = LocalStage(tmp_path)
    try:
        await stage.engine.open()
        await stage.running(JOB)
        await stage.engine.start(effect(JOB, LONG, nodes=2))
        # A process that is just beginning another program has no environment for a moment.
        await stage.until(
            lambda: sorted(with_environment(f"STARGATE_RUN_DIR={tmp_path}/")) == sorted(running)
        )
        await stage.engine.stop(stop(JOB))
        assert (await stage.ended(JOB)).phase == "stopped"
    finally:
        await stage.close()


async def test_a_new_agent_gives_its_predecessors_attempts_their_end(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.until(lambda: stage.starts(JOB))
    await stage.engine.close()
    agent = agent_process(stage.root, AZURE)
    assert agent is not None
    assert agent.kill()
    await stage.reopen()
    outcome = await stage.ended(JOB)
    assert (outcome.phase, outcome.failure) == ("failed", "infrastructure")
    await stage.engine.start(effect(JOB, LONG))
    assert stage.starts(JOB) == 1
    assert with_environment(f"STARGATE_RUN_DIR={stage.root}/") == []


async def test_a_marker_without_processes_is_a_failure_and_not_a_start(stage: LocalStage) -> None:
    """As if the agent had died between the marker and the processes."""
    await stage.lose(AZURE)
    await stage.engine.close()
    home = stage.root / "attempts" / JOB
    home.mkdir()
    job = {"attempt": JOB, "workload": "job", "slot": 0, "epoch": 1, "provider": AZURE, "pool": "p"}
    (home / "job.json").write_text(json.dumps({**job, "nodes": [0], "chips_per_node": 8, "run": WELL.run}))
    (stage.root / "agents" / "azure.attempts" / JOB).touch()
    await stage.reopen()
    assert (await stage.ended(JOB)).failure == "infrastructure"
    await stage.engine.start(effect(JOB, WELL))
    assert stage.starts(JOB) == 0


async def test_what_was_started_elsewhere_is_not_started_here(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.until(lambda: stage.starts(JOB))
    await stage.engine.start(effect(JOB, LONG, provider=ORACLE))
    await stage.engine.start(effect("other.0.1", WELL, provider=ORACLE))
    await stage.ended("other.0.1")
    assert stage.outcome(JOB) is None
    assert stage.starts(JOB) == 1


def test_messages_are_bounded() -> None:
    asked: list[Asked] = [Hello("x"), Beat(), Retire(1)]
    assert all(len(frame(each)) < HELLO_LIMIT for each in asked)
