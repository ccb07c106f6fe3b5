"""The engines of one server: who runs what, effects on their way out, reports on their way in.

Effects of one attempt go out one after the other, those of different attempts side by side. An engine that does
not take an effect is asked again, later and later: starting and stopping are idempotent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from stargate.base.errors import EngineError, NotFoundError, StargateError
from stargate.base.time import Duration
from stargate.broker import CheckpointAttempt, Effect, Notify, StartAttempt, StopAttempt
from stargate.broker.command import Command, MarkSupply, Report
from stargate.engines.engine import Engine, LogPage, Progress, Say
from stargate.server.hearing import cause_of, recordable

_log = logging.getLogger(__name__)

Tell = Callable[[str, Command], None]
"""Takes a command that nobody waits for, under an id."""

Doing = StartAttempt | StopAttempt | CheckpointAttempt

START_TRIES = 5
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 30.0
CALLS_AT_ONCE = 64


class Fleet:
    """Every engine by its kind, and which one serves a pool."""

    def __init__(
        self,
        make: Callable[[Say], Mapping[str, Engine]],
        kind_of: Callable[[str], str],
        is_draining: Callable[[str, str], bool],
    ) -> None:
        """`kind_of` tells the engine of a pool; `is_draining`, whether an operator wants a provider (…) empty."""
        self._tell: Tell | None = None
        self._kind_of = kind_of
        self._is_draining = is_draining
        self._engines = make(self._hear)
        self._last: dict[str, asyncio.Task[None]] = {}
        """The newest task of each attempt that has any."""
        self._calls = asyncio.Semaphore(CALLS_AT_ONCE)
        self._ready = asyncio.Event()
        self.troubles: dict[str, str] = {}
        """Engine kind to what is wrong with it."""

    async def open(self, tell: Tell) -> None:
        """Connect all engines, then let effects go out. One that cannot be opened does not stop the others."""
        self._tell = tell
        await asyncio.gather(*(self._open(kind, engine) for kind, engine in self._engines.items()))
        self._ready.set()

    async def close(self) -> None:
        """Let go of all engines; what runs goes on running."""
        for task in tuple(self._last.values()):
            task.cancel()
        await asyncio.gather(*self._last.values(), return_exceptions=True)
        await asyncio.gather(*(engine.close() for engine in self._engines.values()), return_exceptions=True)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of engine that are there."""
        return tuple(self._engines)

    @property
    def pending(self) -> int:
        """Attempts with effects on their way."""
        return len(self._last)

    def dispatch(self, effect: Effect) -> None:
        """Send an effect on its way. Returns at once; what goes wrong is reported, never raised."""
        if isinstance(effect, Notify):
            due = f"; due {effect.due}" if effect.due is not None else ""
            # Under its number: after a restart what was told last is told again.
            _log.info(
                "%s to %s, about %s: %s%s", effect.id, effect.party, effect.subject, effect.message, due
            )
            return
        before = self._last.get(effect.attempt)
        task = asyncio.create_task(self._carry_out(effect, before), name=effect.id)
        self._last[effect.attempt] = task
        task.add_done_callback(lambda done: self._forget(effect.attempt, done))

    def progress(self, attempt: str, pool: str) -> Progress | None:
        """What the program of an attempt said last."""
        engine = self._engines.get(self._kind_of(pool))
        return engine.progress(attempt) if engine is not None else None

    def address(self, attempt: str, pool: str) -> str:
        """`host:port` at which a replica answers; empty while that is not known."""
        said = self.progress(attempt, pool)
        return said.address if said is not None else ""

    async def logs(self, attempt: str, pool: str, rank: int | None, offset: int, limit: int) -> LogPage:
        """A piece of an attempt's output. Raises NotFoundError and EngineError."""
        engine = self._engines.get(self._kind_of(pool))
        if engine is None:
            raise NotFoundError(
                f"no engine here has logs of attempt {attempt!r}", "its pool has no engine on this server"
            )
        return await engine.logs(attempt, rank, offset, limit)

    async def _open(self, kind: str, engine: Engine) -> None:
        try:
            await engine.open()
        except StargateError as error:
            self.troubles[kind] = str(error)
            _log.error("the %s engine could not be opened: %s", kind, error)

    def _forget(self, attempt: str, done: asyncio.Task[None]) -> None:
        if self._last.get(attempt) is done:
            del self._last[attempt]
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.error("an effect of %s was lost", attempt, exc_info=error)

    async def _carry_out(self, effect: Doing, before: asyncio.Task[None] | None) -> None:
        await self._ready.wait()
        if before is not None:
            await asyncio.wait([before])
        kind = self._kind_of(effect.pool)
        engine = self._engines.get(kind)
        if engine is None:
            self._without_engine(effect, kind)
        elif isinstance(effect, StartAttempt):
            await self._start(engine, effect)
        elif isinstance(effect, StopAttempt):
            await self._insist(lambda: engine.stop(effect), f"stopping {effect.attempt}", tries=None)
        else:
            await self._insist(
                lambda: engine.checkpoint(effect), f"a checkpoint of {effect.attempt}", tries=1
            )

    async def _start(self, engine: Engine, effect: StartAttempt) -> None:
        attempt = effect.attempt
        trouble = await self._insist(lambda: engine.start(effect), f"starting {attempt}", tries=START_TRIES)
        if trouble:
            # It may have started all the same: it must be over before another one takes its place.
            stop = StopAttempt(f"{effect.id}.x", attempt, effect.pool, Duration(0), "start failed")
            await self._insist(lambda: engine.stop(stop), f"stopping {attempt}", tries=START_TRIES)
            self._hear(Report(attempt, "failed", failure="infrastructure", detail=trouble))

    async def _insist(
        self, call: Callable[[], Coroutine[Any, Any, None]], what: str, tries: int | None
    ) -> str:
        """Call until it works. Gives what was wrong last when the tries are used up, else nothing."""
        wait_s, tried = FIRST_WAIT_S, 0
        while True:
            try:
                async with self._calls:
                    await call()
            except EngineError as error:
                trouble = error.message
                _log.warning("%s: %s", what, error)
            except Exception as error:  # noqa: BLE001 - whatever it is, no attempt may be left in limbo
                trouble = f"the engine failed: {type(error).__name__}: {error}"
                _log.exception("%s", what)
            else:
                return ""
            tried += 1
            if tries is not None and tried >= tries:
                return trouble
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _without_engine(self, effect: Doing, kind: str) -> None:
        detail = f"pool {effect.pool} has no engine on this server (its kind is {kind or 'unknown'!r})"
        if isinstance(effect, StartAttempt):
            self._hear(Report(effect.attempt, "failed", failure="no_capacity", detail=detail))
        elif isinstance(effect, StopAttempt):
            self._hear(Report(effect.attempt, "stopped", detail=detail))

    def _hear(self, said: Report | MarkSupply) -> None:
        if self._tell is None:
            return
        if isinstance(said, MarkSupply) and said.status == "up" and self._is_draining(said.scope, said.id):
            return  # that it runs is no reason to use it: an operator wants it empty
        said = recordable(said)
        self._tell(cause_of(said), said)
