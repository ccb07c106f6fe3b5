"""Start replicas anew whose program runs and does not answer: one of each service at a time, with the reason.

The next is not touched before the last one's successor is ready, or has had its time to become so. Should it be this
server that is cut off, a service loses one replica by that and no more. How soon one that fails again and again is
tried again is the broker's, as for programs that exit: later and later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from stargate.base.errors import StargateError
from stargate.broker import State
from stargate.broker.command import Replace
from stargate.broker.rollout import is_new
from stargate.server.driver import Driver
from stargate.server.routing import Routing

LOOK_S = 1.0


class Replacing:
    """Asks for it."""

    def __init__(self, driver: Driver, routing: Routing) -> None:
        self._driver = driver
        self._routing = routing

    async def run(self) -> None:
        """Until cancelled, or the server has to stop."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                await self.look()
        except StargateError:
            return  # it is said elsewhere why nothing is decided any more

    async def look(self) -> None:
        """Have one of each service replaced that has fallen silent."""
        silent = self._routing.readiness.silent()
        if silent:
            ready = frozenset(each.id for each in self._routing.endpoints)
            for attempt in await self._driver.read(lambda state: _chosen(state, silent, ready)):
                self._driver.tell(f"unready/{attempt}", Replace(attempt, "unready", silent[attempt]))


def _chosen(state: State, silent: Mapping[str, str], ready: frozenset[str]) -> list[str]:
    """The first silent one of each service of which no other is on its way, down or up."""
    found = []
    for id in sorted({state.live[name].workload for name in silent if name in state.live}):
        holder = state.records.workloads[id]
        placed = [slot for slot in holder.slots if slot.status == "placed"]
        settled = all(
            state.records.attempts[slot.attempt].status == "running"
            and (slot.attempt in ready or slot.attempt in silent)
            for slot in placed
        )
        # A version that is being rolled out is judged by who does that.
        mine = [slot.attempt for slot in placed if slot.attempt in silent and not is_new(state, holder, slot)]
        if settled and mine:
            found.append(mine[0])
    return found
