"""The engine's line to one agent: it starts the agent, connects, listens, notices silence and death, and returns.

    new ──► up ──► lost ──► up ...
     │               ▲
     └───────────────┘ no agent could be started

`up` and `lost` are said once each time. An agent whose process is gone is lost at once and its attempts are
dead; one that is silent is lost after `silence_s`, and what it runs may live on.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import msgspec

from stargate.base.errors import EngineError
from stargate.engines.local.agent_file import AgentFile, find_agent
from stargate.engines.local.environment import HOST
from stargate.engines.local.wire import (
    VERSION,
    Answer,
    Beat,
    Farewell,
    Hello,
    News,
    Said,
    Save,
    Start,
    Stop,
    Welcome,
    frame,
    read_said,
)

if TYPE_CHECKING:
    from stargate.engines.local.layout import Layout

Status = Literal["new", "up", "lost"]
OUTBOX_LIMIT = 10_000
"""Requests waiting for an agent."""
_TICK_S = 0.25
_BEAT_TICKS = 8
_PAUSE_S = 0.02
_NEVER = float("inf")
_LOG_TAIL_BYTES = 500


class Bounds(msgspec.Struct, frozen=True):
    """How long is too long, in seconds."""

    silence_s: float = 1.5
    """An agent that says nothing for so long is lost. It beats every 0.4 s."""
    start_s: float = 15.0
    """A new agent must answer within this."""
    revive_s: float | None = 30.0
    """A lost agent that is dead is started again after this; None: only when the engine opens again."""


class Line(msgspec.Struct, frozen=True):
    """Whom a link tells. All are called on the event loop."""

    news: Callable[[News], None]
    up: Callable[[], None]
    lost: Callable[[str], None]
    """With the evidence."""
    died: Callable[[str], Awaitable[None]]
    """After `lost`, as soon as the agent's process is known to be gone."""


class Link:
    """One agent as the engine sees it."""

    def __init__(self, layout: Layout, provider: str, line: Line, bounds: Bounds) -> None:
        self.provider = provider
        self.status: Status = "new"
        self.outbox: dict[int, tuple[Start | Stop, bytes]] = {}
        """What the agent has not answered yet, in order."""
        self._layout = layout
        self._line = line
        self._bounds = bounds
        self._answers: dict[int, asyncio.Future[str]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._next_id = 1
        self._settled = asyncio.Event()
        self._silent_ticks = 0
        self._retired = False
        self._mourned = False
        self._complaint = ""
        self._heard_at = self._start_at = asyncio.get_running_loop().time()
        self._give_up_at = self._start_at + bounds.start_s
        self._task = asyncio.create_task(self._keep(), name=f"link to {provider}")

    async def settled(self) -> None:
        """Wait until the agent is up or lost for the first time."""
        await self._settled.wait()

    async def start(self, start: Start) -> str:
        """Deliver; the agent's objection, or nothing. Raises EngineError when it is lost meanwhile."""
        if self.status == "lost":
            raise EngineError(f"{self.provider} is lost", "Start the attempt elsewhere.")
        self.post(start)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answers[start.id] = answer
        return await answer

    def post(self, message: Start | Stop) -> None:
        """Deliver now, or when the agent is there again. Raises EngineError when too much is waiting."""
        if len(self.outbox) >= OUTBOX_LIMIT:
            raise EngineError(
                f"{OUTBOX_LIMIT} requests wait for {self.provider}", "Find out why it does not answer."
            )
        data = frame(message)
        self.outbox[message.id] = message, data
        if self._writer is not None:
            self._writer.write(data)

    def send(self, message: Save | Beat) -> None:
        """Send if connected; forget otherwise."""
        if self._writer is not None:
            self._writer.write(frame(message))

    def number(self) -> int:
        """An id for a request."""
        self._next_id += 1
        return self._next_id

    def withdraw(self) -> list[Start]:
        """Take back the starts that were not answered; whoever waits for them gets an EngineError."""
        starts = [message for message, _ in self.outbox.values() if isinstance(message, Start)]
        for start in starts:
            del self.outbox[start.id]
            answer = self._answers.pop(start.id, None)
            if answer is not None and not answer.done():
                answer.set_exception(EngineError(f"{self.provider} was lost", "Start the attempt elsewhere."))
        return starts

    async def close(self) -> None:
        """Hang up. The agent goes on."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self.withdraw()

    async def _keep(self) -> None:
        """Be connected whenever that is possible."""
        clock = asyncio.get_running_loop().time
        while True:
            agent = find_agent(self._layout, self.provider)
            if agent is not None and agent.process.alive():
                await self._session(agent)
            elif clock() >= self._start_at and not self._retired:
                self._start_at = _NEVER
                self._give_up_at = clock() + self._bounds.start_s
                await self._begin_agent()
            agent = find_agent(self._layout, self.provider)
            await self._judge(agent, clock())
            await asyncio.sleep(_PAUSE_S if self.status != "lost" or clock() < self._give_up_at else _TICK_S)

    async def _judge(self, agent: AgentFile | None, now: float) -> None:
        """Without a connection: is the agent lost, is it dead, when is it started again?"""
        dead = agent is None or not agent.process.alive()
        silent_s = now - self._heard_at
        if self.status == "new" and now > self._give_up_at:
            self._lose(f"its agent did not answer within {self._bounds.start_s:g} s. {self._last_words()}")
        elif self.status == "up" and dead:
            self._lose(self._epitaph(agent))
        elif self.status == "up" and silent_s > self._bounds.silence_s:
            self._lose(f"its agent has been silent for {silent_s:.1f} s")
        if self.status != "lost" or not dead:
            return
        if not self._mourned:
            self._mourned = True
            await self._line.died(self._epitaph(agent))
        if self._start_at == _NEVER and self._bounds.revive_s is not None:
            self._start_at = now + self._bounds.revive_s

    def _lose(self, evidence: str) -> None:
        self.status = "lost"
        self._mourned = False
        self._settled.set()
        self._line.lost(evidence)

    def _epitaph(self, agent: AgentFile | None) -> str:
        if self._retired:
            return "its agent was retired"
        if agent is None:
            return f"it has no agent. {self._last_words()}"
        return f"its agent, process {agent.process.pid}, is gone"

    def _last_words(self) -> str:
        """The end of the agent's log, for somebody who wonders why it does not start."""
        if self._complaint:
            return self._complaint
        try:
            tail = self._layout.agent(self.provider, "log").read_bytes()[-_LOG_TAIL_BYTES:]
        except OSError:
            return ""
        return f"Its log ends: {tail.decode(errors='replace').strip()}"

    async def _begin_agent(self) -> None:
        module = "stargate.engines.local.agent"
        # -P: a job directory or a stray folder must not shadow a module.
        command = [sys.executable, "-P", "-m", module, "--detach", "--provider", self.provider]
        command += ["--root", str(self._layout.root)]
        try:
            done = await asyncio.to_thread(
                subprocess.run,
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                check=False,
                timeout=self._bounds.start_s,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            self._complaint = str(error)
            return
        self._complaint = done.stderr.decode(errors="replace").strip()[-_LOG_TAIL_BYTES:]

    async def _session(self, agent: AgentFile) -> None:
        """From connecting to the end of the connection, whatever ends it."""
        writer = None
        try:
            async with asyncio.timeout(self._bounds.silence_s):
                reader, writer = await asyncio.open_connection(HOST, agent.port)
                writer.write(frame(Hello(agent.token)))
                welcome = await read_said(reader)
            if not isinstance(welcome, Welcome) or welcome.version != VERSION:
                raise EngineError(
                    f"the agent of {self.provider} speaks another version of the protocol",
                    "Retire it with the version of Stargate that started it.",
                )
            self._greeted(writer)
            await self._attend(reader)
        except (OSError, EOFError, TimeoutError, EngineError) as error:
            self._complaint = str(error)
        finally:
            self._writer = None
            if writer is not None:
                writer.close()

    def _greeted(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._heard_at = asyncio.get_running_loop().time()
        self._start_at = _NEVER
        self._complaint = ""
        if self.status != "up":
            self.status = "up"
            self._line.up()
        self._settled.set()
        for _, data in self.outbox.values():
            writer.write(data)

    async def _attend(self, reader: asyncio.StreamReader) -> None:
        """Listen until the connection ends or falls silent.

        Ticks are counted, not time: when this process itself was held up, what the agent said meanwhile is
        read before the next tick.
        """
        clock = asyncio.get_running_loop().time
        listening = asyncio.create_task(self._listen(reader))
        ticks = 0
        try:
            while not listening.done():
                await asyncio.wait({listening}, timeout=_TICK_S)
                self._silent_ticks += 1
                ticks += 1
                if self._silent_ticks * _TICK_S > self._bounds.silence_s:
                    return
                if ticks % _BEAT_TICKS == 0:
                    self.send(Beat())
            self._heard_at = clock()  # It hung up: that is a sign of life as well.
            listening.result()
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError, OSError, EOFError, EngineError):
                await listening

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            said = await read_said(reader)
            self._silent_ticks = 0
            self._heard_at = clock()
            self._take(said)

    def _take(self, said: Said) -> None:
        match said:
            case News():
                self._line.news(said)
            case Answer():
                self.outbox.pop(said.id, None)
                answer = self._answers.pop(said.id, None)
                if answer is not None and not answer.done():
                    answer.set_result(said.problem)
            case Farewell():
                self._retired = True
            case Welcome() | Beat():
                pass
