"""Scale services between their bounds by the requests that gateways tell of.

A service that states `target_qps_per_replica`, or its traffic, has as many replicas as the busiest moment of its
cool-down needed: more at once, fewer when they have not been needed for so long. One that may have none keeps one while
anything is asked of it, and is woken from none by the first request that waits.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal

import msgspec

from stargate.base.errors import StargateError
from stargate.base.time import Instant
from stargate.broker import State
from stargate.broker.command import Scale
from stargate.broker.records import WorkloadState
from stargate.server.driver import Driver
from stargate.server.hosts import Hosts
from stargate.server.served import model_of
from stargate.workloads import Service, Workload

LOOK_S = 5.0
"""How often loads are looked at."""
HASTE_S = 0.2
"""How often while somebody waits for a replica."""
ACTOR = "load"


class Scaled(msgspec.Struct, frozen=True):
    """A service that scales by load, as it stands."""

    id: str
    service: Service
    replicas: int
    target: Decimal | None
    """Requests a second that a replica is there for."""
    per_second: Decimal
    """Requests that came to it."""
    busy: bool
    """Requests are open at its replicas, or wait for the first one."""


class Scaler:
    """Looks at loads, and asks for replicas."""

    def __init__(self, driver: Driver, hosts: Hosts, services: Callable[[], Iterable[str]]) -> None:
        """`services`: ids of those that are open."""
        self._driver = driver
        self._hosts = hosts
        self._services = services
        self._needs: dict[str, deque[tuple[Instant, int]]] = {}
        """What each service needed when, over its cool-down; the first entry is older."""

    async def run(self) -> None:
        """Until cancelled, or the server has to stop."""
        wanted = self._hosts.wanted
        try:
            while True:
                await asyncio.sleep(HASTE_S)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await wanted.wait()
                wanted.clear()
                await self.look()
        except StargateError:
            return  # it is said elsewhere why nothing is decided any more

    async def look(self) -> None:
        """Ask for what is needed now."""
        at = self._driver.now()
        found = await self._driver.read(lambda state: self._scaled(state, at))
        self._hosts.begun.trim(at)
        self._hosts.unserved.trim(at)
        self._needs = {each.id: self._needs.get(each.id, deque()) for each in found}
        for each in found:
            replicas = self._wanted(each, at)
            if replicas != each.replicas:
                self._driver.tell(f"load/{each.id}/{int(at)}", Scale(each.id, replicas, ACTOR))

    def _wanted(self, each: Scaled, at: Instant) -> int:
        needs = self._needs[each.id]
        needs.append((at, need(each)))
        since = at - each.service.cool_down
        while len(needs) > 1 and needs[1][0] <= since:
            needs.popleft()
        most = max(count for _, count in needs)
        # What was needed before the first look is not known: nothing goes until there is a whole past to look at.
        return most if most > each.replicas or needs[0][0] <= since else each.replicas

    def _scaled(self, state: State, at: Instant) -> list[Scaled]:
        """Services that scale by load. What a model had no endpoint for counts for the first that may take more."""
        hosts = self._hosts
        holders = [state.records.workloads[id] for id in self._services()]
        taking: dict[str, str] = {}
        found = []
        for holder in sorted(holders, key=lambda each: each.seq):
            service = holder.workload.service
            if service is None or not _scales(holder, service):
                continue
            live = [slot.attempt for slot in holder.slots if slot.status == "placed"]
            rate = sum((hosts.begun.per_second(attempt, at) for attempt in live), Decimal(0))
            busy = any(hosts.open(attempt) for attempt in live)
            model = model_of(holder)
            if holder.replicas < service.max_replicas and taking.setdefault(model, holder.id) == holder.id:
                rate += hosts.unserved.per_second(model, at)
                busy = busy or bool(hosts.waiting(model))
            found.append(Scaled(holder.id, service, holder.replicas, target_of(holder.workload), rate, busy))
        return found


def _scales(holder: WorkloadState, service: Service) -> bool:
    """Whether its load says how many replicas it has; one that somebody has set to none against its bounds rests."""
    return (
        holder.status == "active"
        and holder.workload.rollout is None
        and service.max_replicas > service.min_replicas
        and (bool(target_of(holder.workload)) or not service.min_replicas)
        and (holder.replicas > 0 or not service.min_replicas)
    )


def target_of(work: Workload) -> Decimal | None:
    """As it states; of stated traffic its part of that by the size that the number of replicas came from."""
    service = work.service
    if service is not None and service.target_qps_per_replica:
        return service.target_qps_per_replica
    return work.traffic.requests_per_s / work.sizes[0].replicas if work.traffic and work.sizes else None


def need(each: Scaled) -> int:
    """Replicas for what comes to a service, within its bounds."""
    service, used = each.service, each.busy or each.per_second > 0
    if each.target:
        wanted = max(int(used), math.ceil(each.per_second / each.target))
    else:
        wanted = max(1, each.replicas) if used else 0
    return min(max(wanted, service.min_replicas), service.max_replicas)
