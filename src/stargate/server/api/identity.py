"""Ids of things that people make: given by them, or made here, the same for the same Idempotency-Key."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated

from msgspec import Meta

from stargate.server.auth import Actor

ID_LIMIT = 100
"""Leaves room for what the broker puts behind an id, as slot and number of an attempt."""
_TAIL = 6

GivenId = Annotated[
    str,
    Meta(
        max_length=ID_LIMIT,
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$",
        description="a name of letters, digits, dots, dashes and underscores",
    ),
]


def fresh_id(stem: str, actor: Actor, idempotency_key: str) -> str:
    """The stem with a few letters behind: new each time, or always the same for one key of one actor."""
    if idempotency_key:
        tail = hashlib.sha256(f"{actor.key}/{stem}/{idempotency_key}".encode()).hexdigest()[:_TAIL]
    else:
        tail = secrets.token_hex(_TAIL // 2)
    return f"{stem[: ID_LIMIT - _TAIL - 1].rstrip('._-')}-{tail}"
