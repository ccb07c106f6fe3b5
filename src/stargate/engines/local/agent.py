"""The agent of one provider: the process that hosts its nodes and outlives the server.

    python -m stargate.engines.local.agent --root DIR --provider NAME [--detach]

It listens on a loopback port, named with a random token in `agents/<provider>.json`, runs the attempts it is
given, and tells every connected engine what becomes of them. There is at most one per provider and root.
SIGKILL is how a provider is lost: its jobs die with it. SIGTERM retires it: its jobs are stopped first.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import hmac
import logging
import os
import secrets
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stargate.base.errors import EngineError
from stargate.base.time import SECOND
from stargate.base.wire import to_json
from stargate.engines.local.agent_file import AgentFile, find_agent
from stargate.engines.local.environment import HOST
from stargate.engines.local.gang import Gang
from stargate.engines.local.layout import Layout, write_whole
from stargate.engines.local.marker import (
    INDEX_LIMIT,
    bar,
    claim,
    delist,
    enlist,
    list_attempts,
    read_job,
    read_outcome,
    unfinished,
)
from stargate.engines.local.process import identify
from stargate.engines.local.reaper import Reaper
from stargate.engines.local.shim import become_subreaper
from stargate.engines.local.sweep import bury
from stargate.engines.local.verdict import Ending
from stargate.engines.local.wire import (
    HELLO_LIMIT,
    Answer,
    Asked,
    Beat,
    Farewell,
    Hello,
    Job,
    News,
    Outcome,
    Retire,
    Said,
    Save,
    Start,
    Stop,
    Welcome,
    frame,
    read_asked,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

BEAT_S = 0.4
"""How often the agent says that it is there."""
LOOK_BEATS = 5
"""After so many beats it looks whether its folder is still there: without it nobody could reach it."""
ENGINE_SILENCE_S = 10.0
"""An engine that says nothing for so long is hung up on; it may come again."""
HELLO_S = 5.0
CONNECTION_LIMIT = 16
BACKLOG_LIMIT_BYTES = 16 << 20
"""An engine that does not read is hung up on; it catches up when it comes again."""
LIVE_LIMIT = 4_096
"""Attempts at a time."""
RETIRE_GRACE_S = 5.0
LOG_LIMIT_BYTES = 1 << 20
LOG = logging.getLogger("stargate.engines.local.agent")


class Agent:
    """Everything that one provider runs here."""

    def __init__(self, layout: Layout, provider: str) -> None:
        self._layout = layout
        self._provider = provider
        self._reaper = Reaper()
        self._gangs: dict[str, Gang] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: dict[str, News] = {}
        """The newest ended attempts, oldest first."""
        self._engines: set[asyncio.StreamWriter] = set()
        self._token = secrets.token_hex(32)
        self._retired = asyncio.Event()
        self._retiring = False

    async def serve(self) -> None:
        """Until retired."""
        loop = asyncio.get_running_loop()
        self._reaper.begin()
        loop.add_signal_handler(signal.SIGTERM, self._retire, RETIRE_GRACE_S)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(ignored, lambda: None)
        self._adopt()
        server = await asyncio.start_server(self._connected, HOST, 0)
        self._announce(server.sockets[0].getsockname()[1])
        beating = asyncio.create_task(self._beat())
        await self._retired.wait()
        beating.cancel()
        server.close()
        self._tell(Farewell())
        self._layout.agent(self._provider, "json").unlink(missing_ok=True)
        for engine in tuple(self._engines):
            engine.close()
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(engine.wait_closed(), 1)

    def _announce(self, port: int) -> None:
        me = identify(os.getpid())
        assert me is not None, "this process is alive"
        file = AgentFile(process=me, port=port, token=self._token)
        write_whole(self._layout.agent(self._provider, "json"), to_json(file))

    def _adopt(self) -> None:
        """Attempts of an agent before this one: those without an outcome died with it."""
        bury(self._layout, self._provider, unfinished(self._layout, self._provider), "its agent died")
        for attempt in list_attempts(self._layout, self._provider):
            outcome = read_outcome(self._layout.home(attempt))
            if outcome is None:
                delist(self._layout, self._provider, attempt)
            else:
                self._remember(News(attempt, "ended", outcome.step, outcome.detail, outcome))

    def _remember(self, news: News) -> None:
        self._ended[news.attempt] = news
        while len(self._ended) > INDEX_LIMIT:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            delist(self._layout, self._provider, oldest)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._engines) >= CONNECTION_LIMIT or not await self._greet(reader, writer):
                return
            for news in self._catch_up():
                writer.write(frame(news))
            self._engines.add(writer)
            while True:
                asked = await asyncio.wait_for(read_asked(reader), ENGINE_SILENCE_S)
                answer = self._do(asked)
                if answer is not None:
                    writer.write(frame(answer))
        except (EngineError, EOFError, OSError, TimeoutError) as error:
            LOG.info("an engine left: %r", error)
        finally:
            self._engines.discard(writer)
            writer.close()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        hello = await asyncio.wait_for(read_asked(reader, HELLO_LIMIT), HELLO_S)
        if not isinstance(hello, Hello) or not hmac.compare_digest(hello.token, self._token):
            LOG.warning("somebody came without the token")
            return False
        writer.write(frame(Welcome(self._provider, os.getpid())))
        return True

    def _catch_up(self) -> Iterator[News]:
        yield from self._ended.values()
        for gang in self._gangs.values():
            yield from gang.news.values()

    def _tell(self, said: Said) -> None:
        data = frame(said)
        for engine in tuple(self._engines):
            if engine.transport.get_write_buffer_size() > BACKLOG_LIMIT_BYTES:
                engine.transport.abort()
            else:
                engine.write(data)

    async def _beat(self) -> None:
        while True:
            for _ in range(LOOK_BEATS):
                self._tell(Beat())
                await asyncio.sleep(BEAT_S)
            announced = find_agent(self._layout, self._provider)
            if announced is None or announced.token != self._token:
                LOG.warning("the folder of this agent is gone")
                self._retire(RETIRE_GRACE_S)

    def _do(self, asked: Asked) -> Answer | None:
        match asked:
            case Start():
                return Answer(asked.id, self._start(asked.job))
            case Stop():
                ending = Ending("stopped", None, asked.reason)
                return Answer(asked.id, self._stop(asked.attempt, asked.grace_us / SECOND, ending))
            case Save():
                gang = self._gangs.get(asked.attempt)
                if gang is not None:
                    gang.save()
            case Retire():
                self._retire(asked.grace_us / SECOND)
            case Hello() | Beat():
                pass
        return None

    def _start(self, job: Job) -> str:
        """Start an attempt, unless it ever was. What stands in the way, or nothing."""
        home = self._layout.home(job.attempt)
        if job.attempt in self._gangs:
            self._repeat(job.attempt)
            return ""
        if not home.path.exists():
            if self._retiring:
                return "its agent is being retired"
            if len(self._gangs) >= LIVE_LIMIT:
                return f"its agent runs {LIVE_LIMIT} attempts already"
        try:
            enlist(self._layout, self._provider, job.attempt)
            fresh = claim(home, job)
        except OSError as error:
            return f"its agent cannot write: {error}"
        if fresh:
            self._launch(job)
            return ""
        return self._known(job.attempt)

    def _known(self, attempt: str) -> str:
        """An attempt that has a marker but does not run here: say how it ended."""
        home = self._layout.home(attempt)
        outcome = read_outcome(home)
        if outcome is None:
            job = read_job(home)
            if job is None or job.provider != self._provider:
                delist(self._layout, self._provider, attempt)
                return "it was started at another provider"
            (outcome,) = bury(self._layout, self._provider, [attempt], "it was lost at its start").values()
        news = News(attempt, "ended", outcome.step, outcome.detail, outcome)
        self._remember(news)
        self._tell(news)
        return ""

    def _launch(self, job: Job) -> None:
        gang = self._gangs[job.attempt] = Gang(job, self._layout, self._reaper, self._tell)
        task = asyncio.create_task(self._run(gang))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, gang: Gang) -> None:
        attempt = gang.job.attempt
        try:
            await gang.run(self._ports)
        except Exception:
            # A fault of ours must not leave an attempt without an outcome.
            LOG.exception("attempt %s", attempt)
            gang.abandon()
            outcome = bury(self._layout, self._provider, [attempt], "its agent failed")[attempt]
            gang.news["ended"] = News(attempt, "ended", outcome.step, outcome.detail, outcome)
            self._tell(gang.news["ended"])
        del self._gangs[attempt]
        self._remember(gang.news["ended"])
        if self._retiring and not self._gangs:
            self._retired.set()

    def _ports(self) -> set[int]:
        ports = [gang.ports for gang in self._gangs.values() if gang.ports is not None]
        return {port for both in ports for port in (both.master, both.service) if port is not None}

    def _stop(self, attempt: str, grace_s: float, ending: Ending) -> str:
        gang = self._gangs.get(attempt)
        if gang is not None:
            gang.stop(grace_s, ending)
            return ""
        try:
            bar(self._layout.home(attempt), Outcome("stopped", None, None, ending.detail))
        except OSError as error:
            return f"its agent cannot write: {error}"
        return self._known(attempt)

    def _repeat(self, attempt: str) -> None:
        for news in self._gangs[attempt].news.values():
            self._tell(news)

    def _retire(self, grace_s: float) -> None:
        self._retiring = True
        for gang in self._gangs.values():
            gang.stop(grace_s, Ending("failed", "preempted", f"{self._provider} took its nodes away"))
        if not self._gangs:
            self._retired.set()


def _hold(layout: Layout, provider: str) -> int | None:
    """The lock that makes this the only agent of its provider; None when there is one. Released by death."""
    fd = os.open(layout.agent(provider, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _detach(log: Path) -> None:
    """Go on in a child of nobody, with the log for output."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def main() -> None:
    """Entry of the process. Exit code 3: there is an agent already."""
    parser = argparse.ArgumentParser(description="the agent of one local provider")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--provider", required=True)
    parser.add_argument("--detach", action="store_true", help="leave the caller's session")
    options = parser.parse_args()
    layout = Layout(options.root)
    layout.make(options.provider)
    if options.detach:
        _detach(layout.agent(options.provider, "log"))
    held = _hold(layout, options.provider)
    if held is None:
        sys.exit(3)
    os.chdir("/")
    become_subreaper()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    LOG.info("agent of %s, process %d, started at %s", options.provider, os.getpid(), time.ctime())
    asyncio.run(Agent(layout, options.provider).serve())


if __name__ == "__main__":
    main()
