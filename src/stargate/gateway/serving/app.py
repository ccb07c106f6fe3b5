"""The RSGI application: paths, keys, bodies; what is asked of a model goes on as an `Exchange`."""

from __future__ import annotations

import asyncio
import secrets
from itertools import count
from typing import Any

import msgspec

from stargate.gateway.record import OPERATIONS, Operation
from stargate.gateway.serving.body import Asked, oversized, read
from stargate.gateway.serving.desk import Desk
from stargate.gateway.serving.exchange import Exchange
from stargate.gateway.serving.refusal import Headers, Refusal

_ASKED: dict[str, Operation] = {f"/v1/{operation}": operation for operation in OPERATIONS}
_JSON = msgspec.json.Encoder()
WATCH_S = 1.0


class App:
    """One worker's."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open: set[Exchange] = set()
        self._prefix = f"req_{secrets.token_hex(8)}"
        """Ids of requests are unique over hosts and starts, and none is guessed from another host's."""
        self._numbers = count(1)

    async def __call__(self, scope: Any, proto: Any) -> None:
        """One request."""
        if scope.proto != "http":
            proto.close(404)
            return
        request = f"{self._prefix}{next(self._numbers):x}"
        try:
            await self._answer(scope, proto, request)
        except Refusal as refusal:
            proto.response_bytes(refusal.status, [*refusal.headers, ("x-request-id", request)], refusal.body)

    async def _answer(self, scope: Any, proto: Any, request: str) -> None:
        path = scope.path
        operation = _ASKED.get(path)
        if operation is not None:
            _demand_method(scope, "POST")
            await self._ask(scope, proto, request, operation)
        elif path == "/v1/models" or path.startswith("/v1/models/"):
            _demand_method(scope, "GET")
            self._models(scope, proto, request)
        elif path == "/health":
            self._health(proto)
        else:
            raise Refusal(
                404, "not_found", f"there is nothing at {path!r:.200}; `/v1/models` lists what can be asked"
            )

    async def _ask(self, scope: Any, proto: Any, request: str, operation: Operation) -> None:
        desk = self._desk
        routes, application = desk.application(scope.headers.get("authorization"))
        if desk.open_requests >= desk.settings.open_requests:
            raise Refusal(
                429, "overloaded", f"{desk.open_requests:,} requests are open here, the limit", retry_s=1
            )
        desk.open_requests += 1
        try:
            asked = await self._read(scope, proto, operation)
            choices = desk.ways(routes, application, asked)
            exchange = Exchange(desk, proto, request, application, asked)
            if application.operator:
                exchange.headers.append(
                    ("stargate-why", _JSON.encode(choices[0][1].why).decode("ascii", "replace"))
                )
            self._open.add(exchange)
            try:
                await exchange.run(choices)
            finally:
                self._open.discard(exchange)
                exchange.end()
        finally:
            desk.open_requests -= 1

    async def _read(self, scope: Any, proto: Any, operation: Operation) -> Asked:
        limit = self._desk.settings.body_bytes
        headers = scope.headers
        if headers.get("content-encoding", "identity") != "identity":
            raise Refusal(415, "unsupported_encoding", "send the body as it is, without content-encoding")
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            raise oversized(limit)
        try:
            async with asyncio.timeout(self._desk.settings.receive_s):
                if length:
                    data: bytes = await proto()
                else:
                    data = await _read_bounded(proto, limit)
        except TimeoutError:
            raise Refusal(408, "slow_request", "the request did not arrive in time", retry_s=1) from None
        if len(data) > limit:
            raise oversized(limit)
        return read(operation, data)

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

    def _health(self, proto: Any) -> None:
        desk = self._desk
        routes = desk.map
        age_s = None if desk.heard_us is None else round((desk.clock_us() - desk.heard_us) / 1e6, 1)
        _say(
            proto,
            {
                "status": "ok" if routes is not None else "no routes",
                "routes": None if routes is None else routes.routes.version,
                "heard_s_ago": age_s,
                "open_requests": desk.open_requests,
            },
            "",
            200 if routes is not None else 503,
        )

    async def watch(self) -> None:
        """Let go of clients that leave their answers unread, and of limits that lie idle. Runs until cancelled."""
        while True:
            await asyncio.sleep(WATCH_S / 4)
            self._desk.purse.sweep()
            before_us = self._desk.clock_us() - int(self._desk.settings.send_s * 1e6)
            for exchange in [each for each in self._open if 0 < each.sending_us < before_us]:
                exchange.leave()


async def _read_bounded(proto: Any, limit: int) -> bytes:
    data = bytearray()
    async for chunk in proto:
        data += chunk
        if len(data) > limit:
            raise oversized(limit)
    return bytes(data)


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
