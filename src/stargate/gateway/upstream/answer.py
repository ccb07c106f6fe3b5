"""What an endpoint answers: bytes as they come, and the few headers that matter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

from stargate.gateway.upstream.failure import CutError
from stargate.gateway.upstream.unpack import Unpack

PASSED_ON = ("content-type", "openai-processing-ms", "retry-after", "retry-after-ms", "x-should-retry")
"""Headers that are worth passing on, where they are plain text: no cookies, and nothing about the connection. The
limits that an endpoint tells are those of our account there."""


class Answer(ABC):
    """Read it to its end, or close it."""

    __slots__ = ("_unpack", "headers", "status")

    status: int
    headers: tuple[tuple[str, str], ...]
    """Those of `PASSED_ON`, names in lower case."""

    def __init__(self, status: int, header: Callable[[str], str | None]) -> None:
        """`header` gives a header of the answer by its name. Raises CutError for an answer that cannot be read."""
        self.status = status
        found = [(name, header(name)) for name in PASSED_ON]
        self.headers = tuple([(name, value) for name, value in found if value and _plain(value)])
        encoding = (header("content-encoding") or "identity").lower()
        self._unpack = None if encoding == "identity" else Unpack(encoding)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes of the body. Raises CutError."""
        if self._unpack is not None:
            return await self._unpacked(self._unpack)
        piece = await self._piece()
        if not piece:
            raise StopAsyncIteration
        return piece

    async def _unpacked(self, unpack: Unpack) -> bytes:
        plain = unpack.more()
        while not plain:
            piece = await self._piece()
            if not piece:
                unpack.end()
                raise StopAsyncIteration
            plain = unpack.feed(piece)
        return plain

    @abstractmethod
    async def _piece(self) -> bytes:
        """What came, as soon as anything has; nothing at the end. Raises CutError."""

    @abstractmethod
    async def close(self) -> None:
        """Let go. An answer that is not at its end is aborted: the connection closes, and the endpoint notices."""

    async def whole(self, limit_bytes: int) -> bytes:
        """The rest of the body, if it is no longer than that. Raises CutError."""
        pieces: list[bytes] = []
        length = 0
        async for piece in self:
            pieces.append(piece)
            length += len(piece)
            if length > limit_bytes:
                await self.close()
                raise CutError("too_large", f"an endpoint's answer is longer than {limit_bytes} bytes")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _plain(value: str) -> bool:
    return value.isascii() and value.isprintable()
