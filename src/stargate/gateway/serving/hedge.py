"""How many requests are sent to a second endpoint because the first does not begin to answer: a small part of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

SHARE = 0.05
"""Of the requests for models that ask for it, so that an overload is not doubled."""
SAVED = 10.0
"""Hedges that may follow one another at once, where there were few before."""
CLOSE_S = 5.0


class Hedges:
    """How many more a worker may make, and those that were outrun and are not settled yet."""

    def __init__(self) -> None:
        self._saved = 1.0
        self._settling: set[asyncio.Task[None]] = set()

    def count(self) -> None:
        """A request came that may be hedged."""
        self._saved = min(SAVED, self._saved + SHARE)

    @property
    def left(self) -> bool:
        """Whether one more may be made."""
        return self._saved >= 1

    def spend(self) -> None:
        """One was made."""
        self._saved -= 1

    def keep(self) -> None:
        """There was no endpoint for it."""
        self._saved += 1

    def settle(self, work: Coroutine[Any, Any, None]) -> None:
        """Find out what an attempt came to, while its request goes on or is over."""
        task = asyncio.create_task(work)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def close(self) -> None:
        """Wait a little for what is not settled; what is not then is settled by the steward."""
        if self._settling:
            await asyncio.wait(self._settling, timeout=CLOSE_S)
