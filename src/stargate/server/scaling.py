"""Scale services between their bounds by the requests that gateways tell of.

A service that states `target_qps_per_replica` has as many replicas as the busiest moment of the last minutes needed:
more at once, fewer when they have not been needed for a while. One at 0 replicas gets no requests, so nothing is known
of its load, and it stays there until somebody scales it.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from stargate.base.errors import StargateError
from stargate.base.time import SECOND, Instant
from stargate.broker import State
from stargate.broker.command import Scale
from stargate.server.driver import Driver
from stargate.workloads.workload import Service

LOOK_S = 5.0
"""How often loads are looked at."""
RATE_S = 15
"""A rate is the mean over so long."""
LATE_S = 2
"""What began so lately may not have been told yet."""
STEADY_S = 300
"""For so long a replica must not have been needed before it goes."""
ACTOR = "load"


class Load:
    """Requests of each service in each second, of the last ones."""

    def __init__(self) -> None:
        self._begun: dict[str, Counter[int]] = {}

    def note(self, service: str, at_us: int) -> None:
        """A request began at one of its replicas."""
        self._begun.setdefault(service, Counter())[at_us // SECOND] += 1

    def per_second(self, service: str, at: Instant) -> Decimal:
        """The rate of requests, as far as it was told."""
        last = at // SECOND - LATE_S
        begun = self._begun.get(service, Counter())
        return Decimal(sum(begun[second] for second in range(last - RATE_S, last))) / RATE_S

    def forget(self, services: Iterable[str], at: Instant) -> None:
        """Drop what is over, and all of services but these."""
        first = at // SECOND - LATE_S - RATE_S
        kept = set(services)
        self._begun = {
            service: Counter({second: count for second, count in begun.items() if second >= first})
            for service, begun in self._begun.items()
            if service in kept
        }


class Scaled(msgspec.Struct, frozen=True):
    """A service that scales by load, as it stands."""

    id: str
    service: Service
    replicas: int


class Scaler:
    """Looks at loads, and asks for replicas."""

    def __init__(self, driver: Driver, load: Load) -> None:
        self._driver = driver
        self._load = load
        self._needs: dict[str, deque[tuple[Instant, int]]] = {}
        """What each service needed when, over the last STEADY_S; the first entry is older."""

    async def run(self) -> None:
        """Until cancelled, or the server has to stop."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                await self.look()
        except StargateError:
            return  # it is said elsewhere why nothing is decided any more

    async def look(self) -> None:
        """Ask for what is needed now."""
        found = await self._driver.read(_scaled)
        at = self._driver.now()
        self._load.forget((each.id for each in found), at)
        self._needs = {each.id: self._needs.get(each.id, deque()) for each in found}
        for each in found:
            replicas = self._wanted(each, at)
            if replicas != each.replicas:
                self._driver.tell(f"load/{each.id}/{int(at)}", Scale(each.id, replicas, ACTOR))

    def _wanted(self, each: Scaled, at: Instant) -> int:
        needs = self._needs[each.id]
        needs.append((at, need(each.service, self._load.per_second(each.id, at))))
        since = at - STEADY_S * SECOND
        while len(needs) > 1 and needs[1][0] <= since:
            needs.popleft()
        most = max(count for _, count in needs)
        # What was needed before the first look is not known: nothing goes until there is a whole past to look at.
        return most if most > each.replicas or needs[0][0] <= since else each.replicas


def need(service: Service, per_second: Decimal) -> int:
    """Replicas for a rate of requests, within the bounds; never none, as it could not be told when one is needed."""
    assert service.target_qps_per_replica, "a service without target does not scale by load"
    wanted = math.ceil(per_second / service.target_qps_per_replica)
    return min(max(wanted, service.min_replicas, 1), service.max_replicas)


def _scaled(state: State) -> list[Scaled]:
    """Services that scale by load and have replicas."""
    found = []
    for id in {attempt.workload for attempt in state.live.values()}:
        holder = state.records.workloads[id]
        service = holder.workload.service
        if (
            service is None
            or not service.target_qps_per_replica
            or service.max_replicas <= service.min_replicas
        ):
            continue
        if holder.status == "active" and holder.replicas:
            found.append(Scaled(id, service, holder.replicas))
    return found
