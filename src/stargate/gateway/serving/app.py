"""The RSGI application: paths, keys, bodies; what is asked of a model goes on as an `Exchange`."""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from itertools import count
from typing import Any

import msgspec

from stargate.gateway.observing import Passage
from stargate.gateway.record import OPERATIONS, Operation, Why
from stargate.gateway.serving.body import Asked, oversized, read
from stargate.gateway.serving.description import description
from stargate.gateway.serving.desk import Desk
from stargate.gateway.serving.exchange import Exchange
from stargate.gateway.serving.health import readiness
from stargate.gateway.serving.plane import PLANE, Plane
from stargate.gateway.serving.refusal import Headers, Refusal
from stargate.gateway.serving.waking import Choices, asleep

_ASKED: dict[str, Operation] = {f"/v1/{operation}": operation for operation in OPERATIONS}
_OTHERS = frozenset({"batches", "files", "models"})
"""What else is asked for below `/v1/`, and told apart where requests are counted."""
_JSON = msgspec.json.Encoder()
WATCH_S = 1.0
_FAILED = Refusal(500, "failed", "this gateway failed; its log says why")
WHY_BYTES = 4_096
WHY_SHOWN = 8


class App:
    """One worker's."""

    def __init__(self, desk: Desk, plane: Plane) -> None:
        self._desk = desk
        self._plane = plane
        self._open: set[Exchange] = set()
        self._receiving: dict[asyncio.Task[Any], int] = {}
        """Requests whose bodies are waited for, and since when."""
        self._prefix = f"req_{secrets.token_hex(8)}"
        """Ids of requests are unique over hosts and starts, and none is guessed from another host's."""
        self._numbers = count(1)

    async def __call__(self, scope: Any, proto: Any) -> None:
        """One request."""
        if scope.proto != "http":
            proto.close(404)
            return
        passage = self._desk.observer.begin(f"{self._prefix}{next(self._numbers):x}")
        try:
            await self._answer(scope, proto, passage)
        except Refusal as refusal:
            passage.refuse(refusal.status, refusal.code)
            headers = [*refusal.headers, ("x-request-id", passage.request)]
            proto.response_bytes(refusal.status, headers, refusal.body)
        except Exception:
            passage.refuse(_FAILED.status, _FAILED.code)
            with suppress(RuntimeError):  # where the answer has begun it is too late to say so
                headers = [*_FAILED.headers, ("x-request-id", passage.request)]
                proto.response_bytes(_FAILED.status, headers, _FAILED.body)
            raise
        finally:
            self._desk.observer.end(passage, scope)

    async def _answer(self, scope: Any, proto: Any, passage: Passage) -> None:
        path = scope.path
        operation = _ASKED.get(path)
        if operation is not None:
            _demand_method(scope, "POST")
            await self._ask(scope, proto, passage, operation)
            return
        kind = path.removeprefix("/v1/").partition("/")[0]
        passage.operation, passage.status = kind if kind in _OTHERS else "other", 200
        await self._answer_other(scope, proto, passage, path)

    async def _answer_other(self, scope: Any, proto: Any, passage: Passage, path: str) -> None:
        if path == "/v1/models" or path.startswith("/v1/models/"):
            _demand_method(scope, "GET")
            self._models(scope, proto, passage.request)
        elif passage.operation in PLANE:
            await self._pass_on(scope, proto, passage)
        elif path in ("/health", "/health/ready", "/metrics"):
            passage.operation = ""
            _demand_method(scope, "GET")
            await self._tell(scope, proto, path)
        elif path == "/openapi.json":
            _demand_method(scope, "GET")
            proto.response_bytes(200, [("content-type", "application/json")], _described())
        else:
            raise Refusal(
                404, "not_found", f"there is nothing at {path!r:.200}; `/v1/models` lists what can be asked"
            )

    async def _pass_on(self, scope: Any, proto: Any, passage: Passage) -> None:
        desk = self._desk
        _, passage.application = desk.application(scope.headers.get("authorization"))
        desk.demand_room()
        desk.open_requests += 1
        try:
            passage.status = await self._plane.ask(scope, proto, passage.request)
        finally:
            desk.open_requests -= 1

    async def _ask(self, scope: Any, proto: Any, passage: Passage, operation: Operation) -> None:
        desk = self._desk
        desk.observer.asks(passage, operation, scope.headers)
        routes, application = desk.application(scope.headers.get("authorization"))
        passage.application = application
        desk.demand_room()
        desk.open_requests += 1
        try:
            asked = await self._read(scope, proto, passage, operation)
            choices = desk.ways(routes, application, asked)
            exchange = Exchange(desk, proto, passage, application, asked)
            exchange.client = scope.client
            if application.operator:
                exchange.headers += _explained(choices[0][1].why)
            self._open.add(exchange)
            try:
                awake: Choices | None = choices
                if asleep(choices):
                    header = scope.headers.get("authorization")
                    awake = await desk.waking.awake(
                        choices, lambda: desk.ways(*desk.application(header), asked), exchange.gone()
                    )
                if awake is not None:
                    await exchange.run(awake)
            finally:
                self._open.discard(exchange)
                exchange.end()
        finally:
            desk.open_requests -= 1

    async def _read(self, scope: Any, proto: Any, passage: Passage, operation: Operation) -> Asked:
        limit = self._desk.settings.body_bytes
        headers = scope.headers
        if headers.get("content-encoding", "identity") != "identity":
            raise Refusal(415, "unsupported_encoding", "send the body as it is, without content-encoding")
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            raise oversized(limit)
        data = await self._receive(proto, limit, whole=bool(length))
        if len(data) > limit:
            raise oversized(limit)
        passage.received_bytes = len(data)
        asked = read(operation, data)
        passage.asked_model, passage.stream = asked.model, asked.stream
        return asked

    async def _receive(self, proto: Any, limit: int, *, whole: bool) -> bytes:
        """The body. `watch` ends the wait: a timer for each would cost more than the bodies do that are there."""
        task = asyncio.current_task()
        assert task is not None
        self._receiving[task] = self._desk.clock_us()
        try:
            data: bytes = await proto() if whole else await _read_bounded(proto, limit)
        except asyncio.CancelledError:
            if task in self._receiving:
                raise
            task.uncancel()
            raise Refusal(408, "slow_request", "the request did not arrive in time", retry_s=1) from None
        except RuntimeError:  # the server's error of a connection that is closed
            raise Refusal(400, "cut_off", "the request broke off before its end") from None
        finally:
            self._receiving.pop(task, None)
        return data

    def _models(self, scope: Any, proto: Any, request: str) -> None:
        routes, application = self._desk.application(scope.headers.get("authorization"))
        allowed = application.scope.models
        found = [
            {"id": model.id, "object": "model", "created": model.created_s, "owned_by": model.owner}
            for model in routes.models.values()
            if not allowed or model.id in allowed
        ]
        wanted = scope.path.removeprefix("/v1/models").strip("/")
        if wanted:
            one = [model for model in found if model["id"] == wanted]
            if not one:
                raise Refusal(
                    404, "model_not_found", f"the model {wanted!r:.100} does not exist", param="model"
                )
            _say(proto, one[0], request)
        else:
            _say(proto, {"object": "list", "data": found}, request)

    async def _tell(self, scope: Any, proto: Any, path: str) -> None:
        """What load balancers and operators ask: that it lives, whether it takes requests, what it has counted."""
        if path == "/health":
            _say(proto, {"status": "ok"}, "")
        elif path == "/health/ready":
            said = readiness(self._desk)
            _say(proto, said, "", 503 if said["troubles"] else 200)
        else:
            desk = self._desk
            if not desk.settings.open_metrics:
                if desk.map is None:
                    raise Refusal(503, "no_routes", "this gateway knows no keys yet", retry_s=1)
                if not desk.holder(desk.map, scope.headers.get("authorization")).operator:
                    says = "metrics are for keys that were made with `stargate key make --why`"
                    raise Refusal(403, "not_an_operator", says)
            kind, text = await desk.observer.metrics(scope.headers.get("accept", ""))
            proto.response_bytes(200, [("content-type", kind)], text)

    async def watch(self) -> None:
        """Let go of clients that send or read nothing, and of limits that lie idle. Runs until cancelled."""
        while True:
            await asyncio.sleep(WATCH_S / 4)
            self._desk.purse.sweep()
            now_us = self._desk.clock_us()
            since_us = now_us - int(self._desk.settings.receive_s * 1e6)
            for task in [task for task, began_us in self._receiving.items() if began_us < since_us]:
                del self._receiving[task]
                task.cancel()
            before_us = now_us - int(self._desk.settings.send_s * 1e6)
            for exchange in [each for each in self._open if 0 < each.sending_us < before_us]:
                exchange.leave()


async def _read_bounded(proto: Any, limit: int) -> bytes:
    data = bytearray()
    async for chunk in proto:
        data += chunk
        if len(data) > limit:
            raise oversized(limit)
    return bytes(data)


@cache
def _described() -> bytes:
    return _JSON.encode(description(version("stargate")))


def _explained(why: Why) -> Headers:
    """Of long lists only the beginning: `stargate explain` shows all."""
    short = msgspec.structs.replace(why, open=why.open[:WHY_SHOWN], shut=why.shut[:WHY_SHOWN])
    text = json.dumps(msgspec.to_builtins(short), separators=(",", ":"))
    return [("stargate-why", text)] if len(text) <= WHY_BYTES else []


def _demand_method(scope: Any, method: str) -> None:
    if scope.method != method:
        raise Refusal(
            405, "method_not_allowed", f"{scope.path} answers {method}", headers=[("allow", method)]
        )


def _say(proto: Any, content: object, request: str, status: int = 200) -> None:
    headers: Headers = [("content-type", "application/json")]
    if request:
        headers.append(("x-request-id", request))
    proto.response_bytes(status, headers, _JSON.encode(content))
