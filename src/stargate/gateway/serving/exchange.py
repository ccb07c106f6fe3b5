"""One request: permitted, sent to an endpoint, answered, and on record before its last byte leaves.

::

    read ─► permitted? ─► within limits? ─► pick an endpoint ─► Admitted on disk ─► sent
                                                 ▲                                   │
                                                 └── nothing reached the client ◄────┤ unreached, or it cannot
                                                                                     ▼
                            last byte to the client ◄─ Settled on disk ◄─ the answer passes through

Another endpoint is asked only while nothing has gone to the client, and only where the first one was not reached or
said itself that it cannot: a request that may be at work somewhere is not sent a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from stargate.base.errors import StargateError
from stargate.gateway.observing import Passage
from stargate.gateway.record import (
    Admitted,
    Application,
    Endpoint,
    Model,
    Outcome,
    Tokens,
)
from stargate.gateway.routing import Post, Ways, prefix_of
from stargate.gateway.serving.attempt import Held, OpenAttempt
from stargate.gateway.serving.body import BYTES_PER_TOKEN, PREFIX_BYTES, Asked
from stargate.gateway.serving.connections import UNREAD_BYTES
from stargate.gateway.serving.desk import Desk, authorised, busy, forbidden, not_elsewhere
from stargate.gateway.serving.race import Race
from stargate.gateway.serving.refusal import Headers, Refusal, kind_of
from stargate.gateway.serving.reply import error_in, is_object, shaped
from stargate.gateway.serving.stream import OversizedEventError, Scanner
from stargate.gateway.serving.tokenizer import whole_texts
from stargate.gateway.serving.usage import usage_in
from stargate.gateway.upstream import Answer, CutError, UnsentError

AGAIN = frozenset({408, 429, 500, 502, 503, 504, 529})
"""Statuses with which an endpoint says that it cannot, and that another may."""
OURS = frozenset({401, 402, 403})
"""Statuses that are about the key we have there: no client can do anything about them."""
UNREAD_LOOK_S = (0.001, 0.05)
"""How long after one another it is looked whether a client has taken what it was sent: at first, and at most."""
_JSON_TYPE = ("content-type", "application/json")
LISTEN_S = 0.02
"""After this it is noticed that a client goes, or has gone: most answers are whole sooner, and listening costs."""
AFTERWARDS_S = 1.0
"""How long an endpoint may take to close a stream after its end."""


class Exchange:
    """One request of one application, from its permission to its end."""

    def __init__(
        self, desk: Desk, proto: Any, passage: Passage, application: Application, asked: Asked
    ) -> None:
        self._desk = desk
        self._proto = proto
        self._passage = passage
        self._application = application
        self._asked = asked
        self._nth = 0
        self._task: asyncio.Task[Any] | None = None
        self._gone: asyncio.Future[None] | None = None
        self._listening: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Future[None] | None = None
        self._run: OpenAttempt | None = None
        self._answer: Answer | None = None
        self._beside: Post | None = None
        """The endpoint that is asked beside another."""
        self._over = False
        self._left = False
        """The client has gone away."""
        self.sending_us = 0
        """Since when the client has not taken what it was sent; 0: it has."""
        self._transport: Any = None
        """Of a stream: the server ends it when nobody holds this any more, not even a traceback."""
        self.client = ""
        """Its address, as the server says it; empty: it is not at the end of a connection of this process."""
        self._handed_bytes = 0
        """Since it was known to have taken all."""
        self.headers: Headers = [("x-request-id", passage.request)]

    async def run(self, choices: list[tuple[Model, Ways]]) -> None:
        """Answer it. Raises Refusal while nothing was answered."""
        desk, asked = self._desk, self._asked
        prefix = prefix_of(asked.prefix) if len(asked.prefix) >= PREFIX_BYTES else 0
        tried: set[str] = set()
        last: Refusal | None = None
        for model, ways in choices:
            ticket, reserved = await desk.enter(self._application, model, asked)
            held = Held(desk, ticket, model)
            try:
                while self._nth < desk.settings.attempts:
                    post = desk.switchboard.pick(
                        ways.open, prefix, desk.clock_us(), tried, model.prefer, stream=asked.stream
                    )
                    if post is None:
                        if not tried:
                            desk.miss(model, ways)
                        break
                    tried.add(post.endpoint.id)
                    post.outstanding += 1  # before anything is awaited: nobody may take it for unused
                    try:
                        last = await self._attempt(post, model, ways, reserved, held, tried)
                    finally:
                        post.outstanding -= 1
                    self._nth += 1
                    if last is None:
                        return
            finally:
                held.leave()
        if last is None:
            raise _unserved(choices)
        last.message += not_elsewhere(choices[0][1])
        raise last

    async def _attempt(
        self, post: Post, model: Model, ways: Ways, reserved: int, held: Held, tried: set[str]
    ) -> Refusal | None:
        """Ask one endpoint. None: the client has its answer, whatever it is. A refusal: another may be asked."""
        race = None
        try:
            run = await self._admit(post, model, ways, reserved, held)
            if model.hedge_after_ms and not self._nth:
                race = self._race(
                    run, lambda other: self._admit(other, model, ways, reserved, held), model, ways, tried
                )
            return await self._ask(run, race, model.hedge_after_ms)
        except asyncio.CancelledError:
            if not self._left:
                raise
            return None
        finally:
            self._run = None
            if self._beside is not None:
                self._beside.outstanding -= 1
                self._beside = None

    def _race(
        self,
        run: OpenAttempt,
        admit: Callable[[Post], Awaitable[OpenAttempt]],
        model: Model,
        ways: Ways,
        tried: set[str],
    ) -> Race:
        desk, stream = self._desk, self._asked.stream

        async def second() -> OpenAttempt | None:
            post = desk.switchboard.pick(ways.open, 0, desk.clock_us(), tried, model.prefer, stream=stream)
            if post is None or post.breaker.until_us:
                return None
            tried.add(post.endpoint.id)
            self._nth += 1
            self._beside = post
            post.outstanding += 1
            with suppress(Refusal):
                return await admit(post)
            return None

        desk.hedges.count()
        return Race(desk.hedges, desk.settings, run, self._sent, second, _is_final, stream=stream)

    async def _admit(self, post: Post, model: Model, ways: Ways, reserved: int, held: Held) -> OpenAttempt:
        """An attempt, on disk before anybody is asked. Raises Refusal."""
        desk, asked, endpoint = self._desk, self._asked, post.endpoint
        begin_us = desk.clock_us()
        admitted = Admitted(
            seq=desk.spool.number(),
            at_us=begin_us,
            request=self._passage.request,
            nth=self._nth,
            application=self._application.id,
            operation=asked.operation,
            model=model.id,
            endpoint=endpoint.id,
            why=desk.note(ways),
            routes=desk.map.routes.version if desk.map else 0,
            reserved=Tokens(input_tokens=asked.input_tokens, output_tokens=asked.output_tokens),
            reserved_micro_usd=reserved,
            lease_us=held.lease_us,
            batch=self._application.batch,
        )
        run = OpenAttempt(desk, post, admitted, held)
        run.asked = asked
        try:
            await desk.spool.write(admitted)
        except StargateError as error:
            raise Refusal(503, "cannot_record", f"usage cannot be recorded now: {error.message}") from None
        except asyncio.CancelledError:
            await run.settle("unsent", 0)  # it is on disk, and nobody was asked
            raise
        post.begun += 1
        post.breaker.begin()
        return run

    async def _sent(self, run: OpenAttempt) -> Answer:
        endpoint, asked = run.post.endpoint, self._asked
        return await self._desk.upstream.send(
            f"{endpoint.url}/{asked.operation}",
            self._upstream_headers(run.admitted, endpoint),
            asked.body(endpoint.upstream_model or run.admitted.model),
            self._desk.patience,
        )

    async def _ask(self, run: OpenAttempt, race: Race | None, after_ms: int) -> Refusal | None:
        desk, asked = self._desk, self._asked
        self._run = run
        if self._gone is None and self._listening is None:
            self._task = asyncio.current_task()
            self._listening = asyncio.get_running_loop().call_later(LISTEN_S, self.gone)
        try:
            if race is None:
                answer = await self._sent(run)
            else:
                try:
                    answer = await race.answer(after_ms / 1_000)
                finally:
                    run = self._run = race.run
        except UnsentError as error:
            run.failed(unreachable=True)
            await run.settle("unsent", 0)
            return _failed(run.post.endpoint, self._told(error))
        except CutError as error:
            await self._cut(run, 0, self._told(error))
            return None
        except asyncio.CancelledError:
            if not self._left:
                raise
            await self._cut(run, 0, "")
            return None
        self._answer = answer
        try:
            run.first_byte_us = desk.clock_us() - run.admitted.at_us
            if not 200 <= answer.status < 300:
                return await self._refused(run, answer)
            run.post.began(run.first_byte_us, desk.clock_us(), stream=asked.stream)
            if asked.stream:
                await self._stream(run, answer)
                return None
            return await self._whole(run, answer)
        finally:
            self._answer = None
            await answer.close()

    async def _refused(self, run: OpenAttempt, answer: Answer) -> Refusal | None:
        """The endpoint answered with an error."""
        endpoint, at_us = run.post.endpoint, self._desk.clock_us()
        try:
            body = await answer.whole(self._desk.settings.error_bytes)
        except CutError:
            body = b""
        if not _is_final(answer.status):
            run.post.breaker.failed(at_us)
            await run.settle("refused", answer.status)
            if answer.status == 429:
                says = f"{endpoint.provider} takes no more requests now"
                return Refusal(429, "upstream_busy", says, retry_s=_after(answer))
            return _failed(endpoint, f"it answered {answer.status}")
        run.post.breaker.answered()
        await run.settle("refused", answer.status)
        await self._respond(answer, shaped(body, kind_of(answer.status)))
        return None

    async def _whole(self, run: OpenAttempt, answer: Answer) -> Refusal | None:
        try:
            body = await answer.whole(self._desk.settings.answer_bytes)
        except CutError as error:
            await self._cut(run, answer.status, self._told(error))
            return None
        found = usage_in(body)
        if found is None and not is_object(body):
            await self._cut(run, answer.status, "what it answers is no JSON")
            return None
        if found is None and (says := error_in(body)):
            run.post.breaker.failed(self._desk.clock_us())
            await run.settle("refused", answer.status)
            return Refusal(502, "upstream_failed", f"{run.post.endpoint.provider} answers: {says}", retry_s=1)
        run.post.breaker.answered()
        if found is None:
            tokens = Tokens(run.admitted.reserved.input_tokens, 0, len(body) // BYTES_PER_TOKEN)
            known = await run.known(tokens, lambda: whole_texts(body))
            written = await run.settle("done", answer.status, *known)
        else:
            written = await run.settle("done", answer.status, found[0], "upstream", found[1])
        if not written:
            raise _unrecorded()
        await self._respond(answer, body)
        return None

    async def _cut(self, run: OpenAttempt, status: int, trouble: str) -> None:
        """No whole answer came: the client has left, or the endpoint broke off. It is not asked of another."""
        if self._left:
            run.post.breaker.left()
            await run.settle("aborted", status, *await run.known(run.guess()))
            return
        run.post.breaker.failed(self._desk.clock_us())
        await run.settle("cut", status, *await run.known(run.guess()))
        raise Refusal(502, "upstream_broke", _broke(run.post.endpoint, trouble), retry_s=1)

    async def _stream(self, run: OpenAttempt, answer: Answer) -> None:
        """Pass a stream on. Errors from here on are events of the stream: the status has gone out."""
        scanner = run.scanner = Scanner(hide_usage=not self._asked.usage_wanted)
        self._passage.status = answer.status
        self._transport = self._proto.response_stream(answer.status, [*answer.headers, *self.headers])
        trouble = ""
        try:
            async for chunk in answer:
                ready = scanner.feed(chunk)
                if ready:
                    run.keep(ready)
                    await self._send(ready)
                if scanner.ended:
                    break
        except CutError as error:
            trouble = self._told(error)
        except OversizedEventError:
            trouble = "an event of it is too large"
        if self._left and not scanner.whole:
            run.post.breaker.left()
            await run.settle("aborted", answer.status, *await run.seen())
        elif trouble or not scanner.whole:
            run.post.breaker.failed(self._desk.clock_us())
            await run.settle("cut", answer.status, *await run.seen())
            says = _broke(run.post.endpoint, trouble or "it ended before its end")
            await self._send(_error_event(Refusal(502, "upstream_broke", says)))
        else:
            run.post.breaker.answered()
            outcome: Outcome = "refused" if scanner.error else "done"
            written = await run.settle(outcome, answer.status, *await run.seen())
            await self._send(scanner.ended if written else _error_event(_unrecorded()))
            await _run_out(answer)

    def _told(self, error: UnsentError | CutError) -> str:
        return error.message if self._application.operator else error.told

    async def _send(self, data: bytes) -> None:
        if self._left or not data:
            return
        self.sending_us = self._desk.clock_us()
        try:
            await self._transport.send_bytes(data)
            self._passage.sent(len(data), self.sending_us)
            self._handed_bytes += len(data)
            if self._handed_bytes >= UNREAD_BYTES:
                await self._taken()
        except Exception:  # noqa: BLE001  # the server's errors of a closed connection share no other base
            self.leave()
        self.sending_us = 0

    async def _taken(self) -> None:
        """Wait until the client has taken what it was sent, or has left; who takes some is waited for on."""
        pause_s, longest_s = UNREAD_LOOK_S
        before = -1
        while self.client and not self._left:
            unread = self._desk.connections.unread_bytes(self.client)
            if not unread:
                break
            if unread != before:
                before, self.sending_us = unread, self._desk.clock_us()
            await asyncio.sleep(pause_s)
            pause_s = min(longest_s, 2 * pause_s)
        self._handed_bytes = 0

    async def _respond(self, answer: Answer, body: bytes) -> None:
        """A whole answer; one that is large goes out as its client takes it."""
        if self._left:
            return
        headers = [*[each for each in answer.headers if each[0] != "content-type"], *self.headers, _JSON_TYPE]
        self._passage.status = answer.status
        if len(body) <= UNREAD_BYTES:
            self._passage.sent(len(body), self._desk.clock_us())
            self._proto.response_bytes(answer.status, headers, body)
            return
        headers.append(("content-length", str(len(body))))
        self._transport = self._proto.response_stream(answer.status, headers)
        for start in range(0, len(body), UNREAD_BYTES):
            await self._send(body[start : start + UNREAD_BYTES])

    def gone(self) -> asyncio.Future[None]:
        """Done when the client goes away, which is noticed from now on."""
        if self._gone is None:
            self._task = self._task or asyncio.current_task()
            self._gone = asyncio.ensure_future(self._proto.client_disconnect())
            self._gone.add_done_callback(lambda task: None if task.cancelled() else self.leave())
        return self._gone

    def leave(self) -> None:
        """The client has gone, or does not take its answer: the endpoint is told to stop, or read to its end."""
        if self._left or self._over:
            return
        self._left = True
        run = self._run
        if run is None:
            return
        if run.post.endpoint.abort == "drain":
            self._timer = asyncio.get_running_loop().call_later(self._desk.settings.drain_s, self._stop)
        else:
            self._stop()

    def _stop(self) -> None:
        if self._answer is not None:
            self._closing = asyncio.ensure_future(self._answer.close())
        elif self._task is not None and not self._over:
            self._task.cancel()

    def end(self) -> None:
        """It is over."""
        self._over = True
        self._transport = None
        if self._listening is not None:
            self._listening.cancel()
        if self._gone is not None:
            self._gone.cancel()
        # The server's future and a timer hold this exchange, and no collector sees through them.
        self._listening = self._gone = self._task = None
        if self._timer is not None:
            self._timer.cancel()

    def _upstream_headers(self, admitted: Admitted, endpoint: Endpoint) -> Headers:
        return [
            ("content-type", "application/json"),
            ("x-request-id", admitted.upstream_id),
            *authorised(endpoint, self._desk.secrets),
            *self._passage.onward(admitted, endpoint),
        ]


def _is_final(status: int) -> bool:
    """Whether another endpoint would hardly answer better."""
    return 200 <= status < 300 or (400 <= status < 600 and status not in AGAIN | OURS)


async def _run_out(answer: Answer) -> None:
    """Read what an endpoint still says after the end of a stream, so that its connection can be used again."""
    with suppress(CutError, TimeoutError):
        async with asyncio.timeout(AFTERWARDS_S):
            async for _ in answer:
                pass


def _unserved(choices: list[tuple[Model, Ways]]) -> Refusal:
    model, ways = choices[0]
    if any(each.open for _, each in choices):
        return busy(model.id, ways)
    if ways.why.shut:
        return forbidden(model.id, ways.why.shut)
    return Refusal(503, "no_endpoint", f"no endpoint serves {model.id!r} now", retry_s=2)


def _failed(endpoint: Endpoint, says: str) -> Refusal:
    return Refusal(502, "upstream_failed", f"{endpoint.provider} did not answer: {says}", retry_s=1)


def _unrecorded() -> Refusal:
    return Refusal(503, "cannot_record", "what was used cannot be recorded now, so the answer is kept back")


def _broke(endpoint: Endpoint, says: str) -> str:
    return f"the answer of {endpoint.provider} broke off: {says}; what was answered until then is counted"


def _after(answer: Answer) -> float:
    for name, value in answer.headers:
        if name == "retry-after" and value.isdigit():  # a header that is passed on is ASCII
            return min(60.0, float(value))
    return 1.0


def _error_event(refusal: Refusal) -> bytes:
    return b"data: " + refusal.body + b"\n\n"
