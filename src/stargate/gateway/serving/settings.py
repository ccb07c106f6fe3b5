"""What bounds a worker."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=10**9)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Defaults suit a worker of one core."""

    body_bytes: Count = 16 << 20
    answer_bytes: Count = 64 << 20
    """Of an answer that is not streamed, and so is held in memory."""
    error_bytes: Count = 64 << 10
    """Of an endpoint's error."""
    open_requests: Count = 2_000
    """More are answered with 429 at once."""
    waking_requests: Count = 200
    """That wait for models which are being started; more are answered with 503 at once."""
    wake_s: Seconds = 300.0
    """How long each of them waits."""
    attempts: Count = 3
    """Endpoints that are asked for one request, each only while nothing of an answer has gone to the client."""
    first_byte_s: Seconds = 600.0
    idle_s: Seconds = 120.0
    """Silence of an endpoint within an answer."""
    send_s: Seconds = 60.0
    """How long a client may leave a piece of its answer unread."""
    receive_s: Seconds = 60.0
    """How long a client may take to send its request."""
    drain_s: Seconds = 60.0
    """How long an answer is read on whose client has left, where the endpoint bills it anyway."""
    stale_s: Seconds = 86_400.0
    """Age of routes after which nothing is served by them."""
    open_metrics: bool = False
    """Whoever reaches the port may read `/metrics`; else it takes an operator's key."""
