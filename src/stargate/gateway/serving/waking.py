"""Requests for a model that is scaled to zero: they wait until somebody has started it, so many and so long."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from stargate.gateway.record import Model
from stargate.gateway.routing import Ways
from stargate.gateway.serving.refusal import Refusal
from stargate.gateway.serving.settings import Settings

Choices = list[tuple[Model, Ways]]
"""The model asked for, then what answers in its place."""
RETRY_S = 5.0
"""After so long a client may ask again for what is still being started."""


class Waking:
    """Those of one worker. That they wait is told with its load, and brings the first replica."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._news = asyncio.Event()
        self.waiting: Counter[str] = Counter()
        """Requests by the model that they wait for."""

    def hear(self) -> None:
        """There are new routes."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def awake(
        self, choices: Choices, again: Callable[[], Choices], gone: asyncio.Future[None]
    ) -> Choices | None:
        """Where to ask, as `again` says once somebody is there. None: the client has left. Raises Refusal."""
        model = choices[0][0].id
        if self.waiting.total() >= self._settings.waking_requests:
            raise _starting(model, "and as many requests as may wait for it already")
        clock = asyncio.get_running_loop().time
        until = clock() + self._settings.wake_s
        self.waiting[model] += 1
        try:
            while asleep(choices):
                news = asyncio.ensure_future(self._news.wait())
                try:
                    await asyncio.wait(
                        (news, gone), timeout=until - clock(), return_when=asyncio.FIRST_COMPLETED
                    )
                finally:
                    news.cancel()
                if gone.done():
                    return None
                if clock() >= until:
                    raise _starting(model, f"which has taken more than {self._settings.wake_s:,.0f} s so far")
                choices = again()
        finally:
            self.waiting[model] -= 1
            if not self.waiting[model]:
                del self.waiting[model]
        return choices


def asleep(choices: Choices) -> bool:
    """Whether nobody can answer now, and a replica of the model is started when somebody waits for it."""
    model, ways = choices[0]
    if not model.wakes or (ways.why.shut and not ways.open):
        return False
    return all(endpoint.draining for _, each in choices for endpoint in each.open)


def _starting(model: str, says: str) -> Refusal:
    return Refusal(503, "model_starting", f"{model!r} is being started, {says}", retry_s=RETRY_S)
