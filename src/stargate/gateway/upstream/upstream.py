"""The one narrow way to ask an endpoint: send a request, read its answer, let go.

It follows no redirects, heeds no proxies of the environment, keeps no cookies and asks for nothing compressed. Idle
connections are kept and used again, any number of them; one that the endpoint has closed meanwhile is replaced as
long as nothing was sent on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from stargate.gateway.upstream.answer import Answer

CONNECT_S = 5.0
"""For the name, the connection and TLS together, unless said otherwise."""
KEPT_S = 4.0
"""How long an idle connection is kept: less than the 5 s after which uvicorn and llama.cpp close theirs, so that a
request seldom meets a connection that is being closed."""

Headers = Sequence[tuple[str, str]]


class Patience(msgspec.Struct, frozen=True):
    """How long an answer may take."""

    first_byte_s: float = 600.0
    """The longest wait for its head, besides that for a connection; and then for the first byte of its body."""
    idle_s: float = 120.0
    """The longest wait for each further piece. While nobody waits for a piece, no time runs."""
    total_s: float = 3_600.0
    """From the asking to the last byte, whoever is slow."""


PATIENT = Patience()


class Upstream(Protocol):
    """Sends requests, any number at a time."""

    async def send(
        self, url: str, headers: Headers, body: bytes | None, patience: Patience = PATIENT
    ) -> Answer:
        """Ask, and return when the answer begins. Without a body it is a GET, else a POST.

        `headers` are those to send, but for `host`, `content-length` and `accept-encoding`. Raises UnsentError and
        CutError. Cancelling it aborts the request.
        """

    async def close(self) -> None:
        """Close every connection."""
