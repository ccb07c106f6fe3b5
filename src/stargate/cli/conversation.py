"""Speaks to a gateway as any client of OpenAI's API does: asks a model, and reads its answer as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx
import msgspec

from stargate.base.errors import (
    ForbiddenError,
    InternalError,
    LimitError,
    NotFoundError,
    ProviderError,
    StargateError,
    UnauthorizedError,
    UserError,
)
from stargate.cli.client import ServerUnreachableError, demand_private

CONNECT_S = 5.0
READ_S = 600.0
"""Until the next piece of an answer: a model that has to be started first takes its time."""
ERROR_LIMIT_BYTES = 1 << 20
LINE_LIMIT_BYTES = 8 << 20
_KINDS: dict[int, type[StargateError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    429: LimitError,
}


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: dict[str, Any] | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class Reply:
    """An answer as it comes. Iterate over it for its text, piece by piece, once; the rest is known at the end."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.request = response.headers.get("x-request-id", "")
        """What `stargate explain` takes."""
        self.text = ""
        """So far."""
        self.usage: dict[str, Any] = {}
        self.finish = ""
        """Why it ended, in the model's words, as `stop` or `length`; empty: it has not."""

    def __iter__(self) -> Iterator[str]:
        for data in _events(self._response):
            if data == b"[DONE]":
                return
            chunk = _chunk(data)
            if chunk.error:
                says, code = _said(chunk.error)
                raise ProviderError(
                    _with_reason(says or "the answer broke off", code, self.request), "ask again"
                )
            self.usage = chunk.usage or self.usage
            for choice in chunk.choices:
                self.finish = choice.finish_reason or self.finish
                piece = choice.delta.content if choice.delta is not None else None
                if piece:
                    self.text += piece
                    yield piece
        raise ProviderError("the answer ended before its end", "ask again")


class Gateway:
    """One gateway, asked by one key. Use as a context manager."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        demand_private(self.url)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @contextmanager
    def ask(self, body: dict[str, Any]) -> Iterator[Reply]:
        """Begin an answer; leaving the block before its end stops it. Raises what the gateway refuses with."""
        asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
        with self._reached(), self._http.stream("POST", "chat/completions", json=asked) as response:
            if not response.is_success:
                raise _refused(response)
            yield Reply(response)

    def models(self) -> list[str]:
        """What this key may ask for. Raises what the gateway refuses with."""
        with self._reached(), self._http.stream("GET", "models") as response:
            if not response.is_success:
                raise _refused(response)
            return [model["id"] for model in _record(_bounded(response)).get("data", ())]

    def routes(self) -> int:
        """Version of the routes that it serves by. Raises InternalError where it has none."""
        ready = f"{self.url.removesuffix('/v1')}/health/ready"
        with self._reached(), self._http.stream("GET", ready) as response:
            version = _record(_bounded(response)).get("routes")
        if not isinstance(version, int):
            raise InternalError(f"the gateway at {self.url} has no routes", "see its log")
        return version

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """What httpx raises, in our words."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ServerUnreachableError(
                f"no gateway answers at {self.url} ({_brief(error)})",
                "start one with `stargate gateway`, or name another with --gateway",
            ) from error
        except httpx.HTTPError as error:
            raise ProviderError(
                f"the gateway at {self.url} broke off ({_brief(error)})", "ask again"
            ) from error


def _events(response: httpx.Response) -> Iterator[bytes]:
    """The data of each event. Split at line feeds alone: an answer may hold any other kind of line end."""
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_LIMIT_BYTES:
            raise ProviderError("the answer holds a line without end", "ask again, or ask another gateway")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()


def _chunk(data: bytes) -> _Chunk:
    try:
        return _CHUNK.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise ProviderError(
            "the answer is not in the words of OpenAI's API", "ask another model, or another gateway"
        ) from None


def _refused(response: httpx.Response) -> StargateError:
    """What the gateway answers instead: its own words, which hold the way out, and its reason."""
    status = response.status_code
    says, code = _said(_record(_bounded(response)).get("error"))
    kind = _KINDS.get(status) or (UserError if status < 500 else ProviderError)
    request = response.headers.get("x-request-id", "")
    return kind(_with_reason(says or f"the gateway answers {status}", code, request))


def _said(error: Any) -> tuple[str, str]:
    if not isinstance(error, dict):
        return str(error or ""), ""
    return str(error.get("message") or ""), str(error.get("code") or error.get("type") or "")


def _with_reason(says: str, *reasons: str) -> str:
    """What the gateway said, its short reason, and the id of the request, which `stargate explain` takes."""
    known = ", ".join(reason for reason in reasons if reason)
    return f"{says} ({known})" if known else says


def _record(data: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        found = None
    return found if isinstance(found, dict) else {}


def _bounded(response: httpx.Response) -> bytes:
    data = b""
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > ERROR_LIMIT_BYTES:
            break
    return data


def _brief(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
