"""What gateways' hosts do now, by what each of them told last: how busy replicas are, and who waits for one.

A host that has fallen silent counts for nothing as load. As to whether a replica is still in use, it is believed to go
on as before for a while: it may be cut off from here alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from stargate.base.errors import LimitError
from stargate.base.time import SECOND, Instant
from stargate.gateway.record import Busy, Load, Wanted

SILENT_S = 5
"""After so long what a host told is no load any more."""
FORGET_S = 60
"""After so long it is taken to have ended."""
HEAR_S = 4
"""Within so long after a start all hosts that run have told of themselves."""
RATE_S = 15
"""A rate is the mean over so long."""
HOSTS_LIMIT = 10_000


class Host(msgspec.Struct, frozen=True):
    """One of them."""

    load: Load
    at: Instant
    """When it told."""


class Rates:
    """How often things with names have happened lately."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[int]] = {}

    def note(self, name: str, count: int, at: Instant) -> None:
        """It has happened so often just now."""
        if count > 0:
            self._counts.setdefault(name, Counter())[at // SECOND] += count

    def per_second(self, name: str, at: Instant) -> Decimal:
        """The mean of the last whole seconds."""
        last, counts = at // SECOND, self._counts.get(name, Counter[int]())
        return Decimal(sum(counts[second] for second in range(last - RATE_S, last))) / RATE_S

    def trim(self, at: Instant) -> None:
        """Forget what is too long ago."""
        first = at // SECOND - RATE_S
        kept = {
            name: Counter({second: count for second, count in counts.items() if second >= first})
            for name, counts in self._counts.items()
        }
        self._counts = {name: counts for name, counts in kept.items() if counts}


class Hosts:
    """All that have told of themselves. One event loop."""

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self._clock = clock
        self._since = clock()
        self._hosts: dict[tuple[str, str], Host] = {}
        self.begun = Rates()
        """Requests by the endpoint that they were sent to."""
        self.unserved = Rates()
        """Requests by the model that had no endpoint to take them."""
        self.wanted = asyncio.Event()
        """Somebody waits for a replica to be started."""

    def hear(self, source: str, load: Load) -> Instant:
        """A host says what it does; when that was. Raises LimitError."""
        at, key = self._clock(), (source, load.node)
        if load.gone:
            self._hosts.pop(key, None)
            return at
        before = self._hosts.get(key)
        if before is None and len(self._hosts) >= HOSTS_LIMIT:
            raise LimitError(
                f"{HOSTS_LIMIT:,} gateways have told of themselves", "give each host one name, and keep it"
            )
        if before is not None:
            self._count(before.load if before.load.began == load.began else Load(), load, at)
        self._hosts[key] = Host(load, at)
        if any(wanted.waiting for wanted in load.models.values()):
            self.wanted.set()
        return at

    def _count(self, before: Load, load: Load, at: Instant) -> None:
        for id, busy in load.endpoints.items():
            self.begun.note(id, busy.begun - before.endpoints.get(id, Busy()).begun, at)
        for id, wanted in load.models.items():
            self.unserved.note(id, wanted.unserved - before.models.get(id, Wanted()).unserved, at)

    def open(self, endpoint: str) -> int:
        """Requests that are open at an endpoint, as far as it was told lately."""
        return sum(load.endpoints.get(endpoint, Busy()).open for load in self._heard())

    def waiting(self, model: str) -> int:
        """Requests that wait for a model to be started."""
        return sum(load.models.get(model, Wanted()).waiting for load in self._heard())

    def drained(self, endpoint: str, version: int) -> bool:
        """Whether all hosts serve by these routes, or newer ones, and none has a request open at the endpoint."""
        self._trim()
        at = self._clock()
        silent = at - SILENT_S * SECOND
        return at >= self._since + HEAR_S * SECOND and all(
            host.at > silent
            and host.load.routes >= version
            and not host.load.endpoints.get(endpoint, Busy()).open
            for host in self._hosts.values()
        )

    def __len__(self) -> int:
        return len(self._hosts)

    def _heard(self) -> Iterator[Load]:
        silent = self._clock() - SILENT_S * SECOND
        return (host.load for host in self._hosts.values() if host.at > silent)

    def _trim(self) -> None:
        """Forget hosts that have ended."""
        ended = self._clock() - FORGET_S * SECOND
        self._hosts = {key: host for key, host in self._hosts.items() if host.at > ended}
