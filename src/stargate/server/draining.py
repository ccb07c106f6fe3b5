"""Replicas that are to stop first finish what they have: no gateway may have a request open there.

    Stopping on record ─► routes say `draining` ─► all gateways serve by them ─► nothing is open ─► the engine is asked
                                     └───────── at the latest when the grace is over ─────────┘

Only what is asked of the engine is held back. It is asked again after a restart: nothing is lost with this process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from stargate.base.errors import StargateError
from stargate.base.time import SECOND, Duration
from stargate.broker import Effect, State, StopAttempt
from stargate.server.driver import Driver
from stargate.server.hosts import Hosts
from stargate.server.routing import Routing

_log = logging.getLogger(__name__)

LOOK_S = 0.1
LEAST = Duration(5 * SECOND)
"""A program that has drained until its grace was over still has so long to end."""


class Draining:
    """Stands between the driver and the fleet."""

    def __init__(
        self, send: Callable[[Effect], None], driver: Driver, routing: Routing, hosts: Hosts
    ) -> None:
        self._send = send
        self._driver = driver
        self._routing = routing
        self._hosts = hosts
        self._held: set[asyncio.Task[None]] = set()

    def dispatch(self, effect: Effect) -> None:
        """Send an effect on its way, at once or when a replica is done."""
        if not isinstance(effect, StopAttempt) or not effect.grace:
            self._send(effect)
            return
        task = asyncio.create_task(self._stop(effect), name=f"drain {effect.attempt}")
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    @property
    def pending(self) -> int:
        """Effects that are held back."""
        return len(self._held)

    async def close(self) -> None:
        """Hold nothing any more: the next start asks again."""
        tasks = tuple(self._held)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _stop(self, effect: StopAttempt) -> None:
        clock = asyncio.get_running_loop().time
        since = clock()
        try:
            if await self._driver.read(lambda state: _answers(state, effect.attempt)):
                async with asyncio.timeout(effect.grace / SECOND):
                    await self._drained(effect.attempt)
        except TimeoutError:
            _log.warning("%s is stopped with requests open: its grace is over", effect.attempt)
        except StargateError:
            return  # the server stops, and why is said elsewhere
        left = effect.grace - round((clock() - since) * SECOND)
        self._send(msgspec.structs.replace(effect, grace=Duration(max(left, min(LEAST, effect.grace)))))

    async def _drained(self, attempt: str) -> None:
        """Returns when nothing is open there, and nothing new can come."""
        while True:
            version = self._routing.closed(attempt)
            if version is not None and self._is_unused(attempt, version):
                return
            await asyncio.sleep(LOOK_S)

    def _is_unused(self, attempt: str, version: int) -> bool:
        return not self._routing.has_gateways or self._hosts.drained(attempt, version)


def _answers(state: State, attempt: str) -> bool:
    """Whether it is a replica that may have requests."""
    found = state.records.attempts.get(attempt)
    if found is None or found.status != "stopping" or found.started_at is None:
        return False
    return state.records.workloads[found.workload].workload.kind == "serve"
