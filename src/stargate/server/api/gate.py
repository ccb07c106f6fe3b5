"""What every request passes first and last: bounds on the way in, a guard with a key, headers on the way out."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from stargate.base.errors import UnauthorizedError
from stargate.server.access import ANYBODY, demand
from stargate.server.api.refusal import encoded, refusal_of
from stargate.server.config import Limits
from stargate.server.errors import UnavailableError

_log = logging.getLogger(__name__)

HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""Answers are data for programs: never cached, never rendered, never framed."""

FILES = ("/v1/files", "/v1/batches/")
"""Paths where whole files move."""
_SCHEME = "bearer "


class Gate:
    """Around the whole application: so many requests at once, so long for each, and always an answer."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if str(scope["type"]) != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        try:
            if self._inside >= self._limits.concurrent_requests:
                raise UnavailableError(
                    f"{self._inside} requests are being answered, as many as are let in",
                    "try again in a second",
                )
            self._inside += 1
            try:
                limit_s = (
                    self._limits.transfer_s if scope["path"].startswith(FILES) else self._limits.request_s
                )
                async with asyncio.timeout(limit_s):
                    await self._app(scope, receive, send_on)
            except TimeoutError:
                raise UnavailableError(
                    f"this took longer than {limit_s:g} s",
                    "ask again; a command with the same Idempotency-Key is not done twice",
                ) from None
            finally:
                self._inside -= 1
        except Exception as error:
            if started:
                raise
            status, refusal = refusal_of(error)
            await _send(send_on, status, encoded(refusal))


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def authorise(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Find out who asks, and whether the role may use this route at all. A route without an action is closed."""
    action = handler.opt.get("action", "")
    if action == ANYBODY:
        return
    said = connection.headers.get("authorization", "")
    if not said.lower().startswith(_SCHEME):
        raise UnauthorizedError(
            "this needs a key",
            "send `Authorization: Bearer sg_live_…`; the first one is in DATA/operator.key",
        )
    house = connection.app.state.house
    actor = house.keyring.actor(said[len(_SCHEME) :].strip(), house.clock())
    demand(actor, action)
    connection.scope["user"] = actor
