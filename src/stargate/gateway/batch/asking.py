"""One line asked until its answer is final: again where another try may go better, at the pace that is asked for."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from contextlib import suppress

import aiohttp
import msgspec

from stargate.base.errors import UnauthorizedError
from stargate.gateway.batch.record import ANSWER_BYTES_LIMIT, Line, Result

SPENT = "insufficient_quota"
"""Of what is refused for a while, this lasts."""
_BUSY = frozenset({429, 503})
_FAILED = frozenset({408, 409, 500, 502, 504, 529})


class Pace(msgspec.Struct, frozen=True):
    """How long it is patient."""

    wait_s: float = 1.0
    """Before the second try; doubled from try to try."""
    wait_limit_s: float = 60.0
    tries: int = 8
    """Of a line that fails while others are answered, which may be its own doing."""
    outage_s: float = 900.0
    """Of one that fails while no other is answered, which is rather an outage."""
    key_s: float = 60.0
    """A key that was made a moment ago may not be known at every gateway yet."""


class _Fault(msgspec.Struct, frozen=True):
    code: str | None = None


class _Refused(msgspec.Struct, frozen=True):
    error: _Fault = _Fault()


_REFUSED = msgspec.json.Decoder(_Refused)


class KeyRefusedError(UnauthorizedError):
    """The runner's key is worth nothing (any more)."""

    def __init__(self) -> None:
        super().__init__(
            "the key of this batch is refused", "Look with `stargate key list` whether its owner was revoked"
        )


class Asker:
    """Asks the gateway for lines, any number at a time."""

    def __init__(self, session: aiohttp.ClientSession, url: str, stopping: asyncio.Event, pace: Pace) -> None:
        """`url`: with the operation at its end."""
        self._session = session
        self._url = url
        self._stopping = stopping
        self._pace = pace
        self._key_until_s = time.monotonic() + pace.key_s
        self._answered = 0
        """Lines, well."""

    async def ask(self, number: int, line: Line) -> Result | None:
        """The final answer; None: the runner is to end before there is one. Raises KeyRefusedError.

        A line is asked again where its answer did not arrive: it may then have been answered twice, and is counted so.
        """
        waits = 0
        failures, since_s, before = 0, 0.0, 0
        while not self._stopping.is_set():
            waits += 1
            try:
                status, headers, body = await self._post(line)
            except (aiohttp.ClientError, TimeoutError, OSError):
                await self._wait(0.0, waits)
                continue
            if status == 401 and time.monotonic() < self._key_until_s:
                await self._wait(self._pace.wait_s, 0)
                continue
            if status == 401:
                raise KeyRefusedError
            if status in _BUSY and not (status == 429 and _code(body) == SPENT):
                await self._wait(_after_s(headers), waits)
                continue
            if status in _FAILED:
                if not failures:
                    since_s, before = time.monotonic(), self._answered
                failures += 1
                if not self._is_its_own(failures, since_s, before):
                    await self._wait(_after_s(headers), waits)
                    continue
            self._answered += 200 <= status < 300
            return _result(number, status, headers, body)
        return None

    def _is_its_own(self, failures: int, since_s: float, before: int) -> bool:
        """Whether a line that fails is to blame itself: others have been answered meanwhile, or it is long ago."""
        if self._answered > before:
            return failures >= self._pace.tries
        return time.monotonic() > since_s + self._pace.outage_s

    async def _post(self, line: Line) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body; of a body that is too large, more than is kept."""
        async with self._session.post(
            self._url, data=bytes(line.body), headers={"content-type": "application/json"}
        ) as answer:
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > ANSWER_BYTES_LIMIT:
                    break
            return answer.status, answer.headers, bytes(body)

    async def _wait(self, asked_s: float, times: int) -> None:
        """As long as was asked for, else longer each time; or until the runner is to end."""
        pace = self._pace
        wait_s = asked_s or pace.wait_s * 2.0 ** min(max(0, times - 1), 20)
        wait_s = min(pace.wait_limit_s, wait_s) * random.uniform(1.0, 1.25)  # noqa: S311 - lets not all come at once
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()


def _result(number: int, status: int, headers: Mapping[str, str], body: bytes) -> Result:
    request = headers.get("x-request-id", "")[:128]
    if len(body) > ANSWER_BYTES_LIMIT:
        return _useless(
            number, request, "answer_too_large", f"it is larger than {ANSWER_BYTES_LIMIT:,} bytes"
        )
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _useless(number, request, "answer_unreadable", f"the answer ({status}) is no JSON")
    return Result(number, status, request, body)


def _useless(number: int, request: str, code: str, says: str) -> Result:
    return Result(number, 0, request, msgspec.json.encode({"code": code, "message": says}))


def _code(body: bytes) -> str | None:
    try:
        return _REFUSED.decode(body).error.code
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _after_s(headers: Mapping[str, str]) -> float:
    """As the gateway asks; 0: it does not say."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        said = headers.get(name, "")
        if said.isascii() and said.isdigit():
            return int(said[:9]) * unit_s
    return 0.0
