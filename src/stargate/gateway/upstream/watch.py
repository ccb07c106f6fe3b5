"""One clock for everything that is waited for: a timer for each wait would cost more than the waits are worth."""

from __future__ import annotations

import asyncio
from typing import Protocol

TICK_S = 0.1
"""How often it looks: a wait ends so much late at most."""


class Wait(Protocol):
    """What may take too long."""

    def look(self, now_s: float) -> None:
        """Give up, if it is time to."""


class Watch:
    """Looks at every wait that it was given, until it is told that it is over. It ticks only while there are any."""

    __slots__ = ("_loop", "_timer", "_waits")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waits: set[Wait] = set()

    def add(self, wait: Wait) -> None:
        """Look at it from now on."""
        self._waits.add(wait)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def drop(self, wait: Wait) -> None:
        """It is over, or never was."""
        self._waits.discard(wait)

    def close(self) -> None:
        """Look at nothing any more."""
        self._waits.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        now_s = self._loop.time()
        for wait in tuple(self._waits):
            wait.look(now_s)
        self._timer = self._loop.call_later(TICK_S, self._tick) if self._waits else None
