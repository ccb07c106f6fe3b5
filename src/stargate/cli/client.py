"""Speaks to a running server over HTTP.

Where: `--url`, STARGATE_URL, or `url` in DATA/server.json, which a running server writes; else the default
port on this machine. Key: STARGATE_KEY, or DATA/operator.key (never an argument: those show in process lists).
DATA: `--data`, STARGATE_DATA, or ./stargate-data.

Routes, all below /v1 (the server's OpenAPI document is the reference):

    GET  status                                    GET  needs, needs/{id}       POST needs, needs/{id}/quotes,
    GET  workloads, workloads/{id}                                                   needs/{id}/withdraw
    POST workloads, workloads/{id}/cancel,         GET  offers, offers/{id}     POST offers/{id}/answer
         workloads/{id}/scale                      GET  leases                  POST leases/{id}/deliver
    GET  attempts/{id}/logs                        GET  pools                   POST supply, facts
    GET  explain/{seq or workload}                 GET  journal, journal/verify
    GET  models, requests/{id}                     POST keys, keys/{id}/revoke, declare
    GET  keys

Lists come in pages of `items`, with `next` to go on. Every POST carries an Idempotency-Key, so that one whose
answer was lost is sent again without being done twice. Refusals are raised as the error of `base.errors` that the
server names.
"""

from __future__ import annotations

import ipaddress
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from stargate.base import errors, wire
from stargate.base.errors import (
    ForbiddenError,
    InputError,
    InternalError,
    Problem,
    StargateError,
    UnauthorizedError,
    UserError,
)

DEFAULT_URL = "http://127.0.0.1:8750"
TIMEOUT_S = 35.0
"""A little more than the server gives itself."""
TRIES = 4
PAUSE_S = 0.25
ANSWER_LIMIT_BYTES = 256 << 20
PAGE = 200


class ServerUnreachableError(StargateError):
    """No server answers, or what answers is none."""


class Client:
    """One server, asked by one key. Use as a context manager."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        demand_private(self.url)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # Settings for proxies are not meant for a server on this machine.
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """The answer as plain data. `None` among the query is left out. Raises what the server names."""
        return self._send(
            "GET", path, query={name: value for name, value in query.items() if value is not None}
        )

    def post(self, path: str, body: Any = None) -> Any:
        """The answer as plain data. Sent again, under one Idempotency-Key, where the answer is lost."""
        return self._send("POST", path, body=wire.to_json({} if body is None else body))

    def pages(self, path: str, most: int | None = None, **query: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page."""
        after: str | int | None = None
        left = most
        while left is None or left > 0:
            page = self.get(path, limit=PAGE if left is None else min(left, PAGE), after=after, **query)
            yield from page["items"]
            after = page.get("next")
            if after is None:
                return
            if left is not None:
                left -= len(page["items"])

    def _send(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: bytes = b"") -> Any:
        headers = {"Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/json"} if body else {}
        for attempt in range(1, TRIES + 1):
            try:
                response = self._http.request(
                    method, f"/v1/{path}", params=query or None, content=body or None, headers=headers
                )
            except httpx.TransportError as error:
                lost = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if attempt == TRIES or not (lost or attempt > 1):
                    raise self._unreachable(error) from error
                time.sleep(PAUSE_S * 2**attempt)
            else:
                return _answer(response)
        raise AssertionError("the last try returns or raises")

    def _unreachable(self, error: Exception) -> ServerUnreachableError:
        return ServerUnreachableError(
            f"no server answers at {self.url} ({' '.join(str(error).split()) or type(error).__name__})",
            "start one with `stargate up`, or name another with --url or STARGATE_URL",
        )


def connect(data: Path, url: str | None) -> Client:
    """The server that the options, the environment and the data folder name."""
    found = url or os.environ.get("STARGATE_URL") or _announced(data) or DEFAULT_URL
    return Client(found, os.environ.get("STARGATE_KEY", "").strip() or _operator_key(data))


def part(id: str) -> str:
    """An id as one part of a path."""
    return quote(id, safe="")


def demand_private(url: str) -> None:
    """A key goes to this machine, or over TLS. Raises UserError."""
    try:
        parts = urlsplit(url)
        host, scheme = parts.hostname or "", parts.scheme
    except ValueError:
        host = scheme = ""
    if scheme not in ("http", "https") or not host:
        raise UserError(f"{url!r} is no address of a server", f"write one such as {DEFAULT_URL}")
    if scheme == "http" and not _is_loopback(host):
        raise ForbiddenError(
            f"the key would travel to {host} in clear",
            "use an https address, or forward the port with ssh -L",
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _announced(data: Path) -> str:
    """What a running server wrote about itself; empty where there is nothing to be read."""
    try:
        said = json.loads((data / "server.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    url = said.get("url") if isinstance(said, dict) else None
    return url if isinstance(url, str) else ""


def _operator_key(data: Path) -> str:
    path = data / "operator.key"
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise UnauthorizedError(
            f"there is no key: {path} does not exist",
            "name the server's folder with --data or STARGATE_DATA, or set STARGATE_KEY",
        ) from None
    except (OSError, ValueError):
        raise UnauthorizedError(
            f"the key in {path} cannot be read",
            "run this as the user who runs the server, or set STARGATE_KEY",
        ) from None


def _answer(response: httpx.Response) -> Any:
    """The body of a success; else the error that it names."""
    try:
        said = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, RecursionError):
        raise ServerUnreachableError(
            f"{response.url} answers {response.status_code}, and not in JSON",
            "this is no Stargate server, or one behind a broken proxy: check the address",
        ) from None
    if response.is_success:
        return said
    raise _raised(said.get("error") if isinstance(said, dict) else None, response.status_code)


def _raised(said: Any, status: int) -> StargateError:
    said = said if isinstance(said, dict) else {}
    message = str(said.get("message") or f"the server answers {status}")
    remedy = str(said.get("remedy") or "see the server's log")
    kind = getattr(errors, str(said.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, StargateError)):
        kind = UserError if 400 <= status < 500 else InternalError
    if issubclass(kind, InputError):
        return InputError(_problems(said.get("problems")) or (Problem(message, remedy),))
    if issubclass(kind, ForbiddenError):
        return kind(message, remedy, tuple(str(reason) for reason in said.get("reasons") or ()))
    return kind(message, remedy)


def _problems(said: Any) -> tuple[Problem, ...]:
    try:
        return wire.convert(said or [], tuple[Problem, ...])
    except msgspec.ValidationError:
        return ()
