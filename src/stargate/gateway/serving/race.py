"""Two endpoints for one request, the second as the first did not begin to answer: whoever begins first, answers.

Each endpoint's part is on record as an attempt of its own, and one of them is charged; what the other came to is a cost
of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from stargate.gateway.record import Tokens
from stargate.gateway.serving.attempt import OpenAttempt
from stargate.gateway.serving.hedge import Hedges
from stargate.gateway.serving.settings import Settings
from stargate.gateway.serving.usage import usage_in
from stargate.gateway.upstream import Answer, CutError, UnsentError


class _Leg(NamedTuple):
    run: OpenAttempt
    task: asyncio.Task[Answer]


class Race:
    """One request's. `run` is the attempt whose answer, or trouble, `answer` came to."""

    def __init__(
        self,
        hedges: Hedges,
        settings: Settings,
        run: OpenAttempt,
        send: Callable[[OpenAttempt], Coroutine[Any, Any, Answer]],
        second: Callable[[], Awaitable[OpenAttempt | None]],
        final: Callable[[int], bool],
        *,
        stream: bool,
    ) -> None:
        """`second` admits another attempt; None: no endpoint may take it. `final`: statuses that no other betters."""
        self._hedges = hedges
        self._settings = settings
        self._send = send
        self._second = second
        self._final = final
        self._stream = stream
        self._legs: list[_Leg] = []
        self.run = run

    async def answer(self, after_s: float) -> Answer:
        """The answer that began first. Raises what `send` raises, where no endpoint is left that may still answer."""
        try:
            first = self._begin(self.run)
            await asyncio.wait({first.task}, timeout=after_s)
            if not first.task.done() and self._hedges.left:
                await self._add()
            while len(self._legs) > 1:
                await asyncio.wait([leg.task for leg in self._legs], return_when=asyncio.FIRST_COMPLETED)
                won = next((leg for leg in self._legs if self._has_won(leg.task)), None)
                if won is not None:
                    self._outrun(won)
                else:
                    self._drop(next(leg for leg in self._legs if leg.task.done()))
            (last,) = self._legs
            self.run = last.run
            return await last.task
        except asyncio.CancelledError:
            kept, *others = self._legs
            self.run = kept.run
            kept.task.cancel()
            self._hedges.settle(_let_go(kept.task))
            for leg in others:
                leg.task.cancel()
                self._hedges.settle(_abandoned(leg))
            raise

    async def _add(self) -> None:
        self._hedges.spend()
        other = await self._second()
        if other is None:
            self._hedges.keep()
            return
        if self._has_won(self._legs[0].task):
            other.post.breaker.left()
            self._hedges.settle(_unsent(other))
        else:
            self._begin(other)

    def _begin(self, run: OpenAttempt) -> _Leg:
        leg = _Leg(run, asyncio.create_task(self._begun(run)))
        self._legs.append(leg)
        return leg

    async def _begun(self, run: OpenAttempt) -> Answer:
        """An answer that has begun: a stream has sent something, not only said that it will."""
        answer = await self._send(run)
        if not self._stream or not 200 <= answer.status < 300:
            return answer
        try:
            return Begun(answer, await anext(answer, b""))
        except BaseException:
            await answer.close()
            raise

    def _has_won(self, task: asyncio.Task[Answer]) -> bool:
        return (
            task.done()
            and not task.cancelled()
            and task.exception() is None
            and self._final(task.result().status)
        )

    def _outrun(self, won: _Leg) -> None:
        for leg in self._legs:
            if leg is won:
                continue
            leg.run.outrun(stream=self._stream)
            if leg.run.post.endpoint.abort == "drain":
                self._hedges.settle(_drained(leg, self._settings))
            else:
                leg.task.cancel()
                self._hedges.settle(_abandoned(leg))
        self._legs = [won]

    def _drop(self, leg: _Leg) -> None:
        """It came to nothing, and the other may still answer."""
        self._legs.remove(leg)
        self._hedges.settle(_failed(leg))


class Begun(Answer):
    """An answer of which a piece was read already."""

    __slots__ = ("_first", "_rest")

    def __init__(self, rest: Answer, first: bytes) -> None:
        self.status = rest.status
        self.headers = rest.headers
        self._unpack = None
        self._first = first
        self._rest = rest

    async def _piece(self) -> bytes:
        first, self._first = self._first, b""
        return first or await anext(self._rest, b"")

    async def close(self) -> None:
        """See `Answer`."""
        await self._rest.close()


async def _let_go(task: asyncio.Task[Answer]) -> None:
    """Its attempt is settled by whoever asked."""
    (answer,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(answer, Answer):
        await answer.close()


async def _unsent(run: OpenAttempt) -> None:
    await run.settle("unsent", 0)


async def _abandoned(leg: _Leg) -> None:
    """It was told to stop: it is asked what it had made by then."""
    (answer,) = await asyncio.gather(leg.task, return_exceptions=True)
    status = 0
    if isinstance(answer, Answer):
        status = answer.status
        await answer.close()
    if isinstance(answer, UnsentError):
        await leg.run.settle("unsent", 0)
    else:
        await leg.run.settle("outrun", status, *await leg.run.known(leg.run.guess()))


async def _drained(leg: _Leg, settings: Settings) -> None:
    """It bills to its end whoever listens, so it is read to its end for its count."""
    said, status = b"", 0
    try:
        async with asyncio.timeout(settings.drain_s):
            answer = await leg.task
            status = answer.status
            try:
                said = await answer.whole(settings.answer_bytes)
            finally:
                await answer.close()
    except UnsentError:
        await leg.run.settle("unsent", 0)
        return
    except (CutError, TimeoutError):
        pass
    found = usage_in(said) or _last_usage(said)
    if found is None:
        await leg.run.settle("outrun", status, *await leg.run.known(leg.run.guess()))
    else:
        await leg.run.settle("outrun", status, found[0], "upstream", found[1])


async def _failed(leg: _Leg) -> None:
    error = leg.task.exception()
    run = leg.run
    if error is None:
        answer = leg.task.result()
        run.failed()
        await answer.close()
        await run.settle("refused", answer.status)
    elif isinstance(error, UnsentError):
        run.failed(unreachable=True)
        await run.settle("unsent", 0)
    else:
        run.failed()
        await run.settle("cut", 0, *await run.known(run.guess()))


def _last_usage(stream: bytes) -> tuple[Tokens, bytes] | None:
    """What a stream told of its usage."""
    for line in reversed(stream.splitlines()):
        if line.startswith(b"data:") and b'"usage"' in line:
            found = usage_in(line[5:].strip())
            if found is not None:
                return found
    return None
