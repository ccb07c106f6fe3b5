"""Which replicas of services answer: each is asked again and again over HTTP, as its readiness probe says.

A replica is ready once it has answered 200, and no longer when it has failed to several times in a row: then it gets
no requests. After many times in a row it is `silent`, as is one that was not ready in time.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Mapping

import aiohttp
import msgspec

from stargate.base.time import SECOND, Duration
from stargate.workloads.workload import Probe

_ADDRESS = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}")
DEFAULT = Probe(path="/health", timeout=Duration(5 * SECOND))
"""For a service that states none."""


class Pace(msgspec.Struct, frozen=True):
    """How often replicas are asked."""

    starting_s: float = 0.25
    """Until it is ready; then longer and longer, up to `ready_s`."""
    ready_s: float = 10.0
    failing_s: float = 0.5
    """Once a ready one has failed."""
    failures: int = 3
    silent_failures: int = 12
    probes: int = 64
    """At a time."""
    slowest_s: float = 30.0
    """However long a probe says that an answer may take."""


class Asked(msgspec.Struct, frozen=True):
    """A replica to be asked."""

    attempt: str
    pool: str
    service: str
    probe: Probe = DEFAULT


AddressOf = Callable[[str, str], str]
"""`host:port` at which an attempt in a pool answers; empty while that is not known."""


class _Replica:
    __slots__ = ("address", "asked", "failed", "since", "task", "was_ready")

    def __init__(self, asked: Asked, since: float) -> None:
        self.asked = asked
        self.since = since
        self.address = ""
        """Where it answers; empty: it is not ready."""
        self.failed = 0
        """Times in a row that it has not."""
        self.was_ready = False
        self.task: asyncio.Task[None] | None = None


class Readiness:
    """Asks all replicas that it is told of, each by a task of its own. One event loop."""

    def __init__(self, address_of: AddressOf, changed: Callable[[], None], pace: Pace | None = None) -> None:
        self._address_of = address_of
        self._changed = changed
        self._pace = pace or Pace()
        self._replicas: dict[str, _Replica] = {}
        self._probes = asyncio.Semaphore(self._pace.probes)
        self._session: aiohttp.ClientSession | None = None

    def follow(self, wanted: Mapping[str, Asked]) -> None:
        """From now on these, by attempt. Those already asked stay as they are."""
        for attempt in self._replicas.keys() - wanted.keys():
            task = self._replicas.pop(attempt).task
            if task is not None:
                task.cancel()
        for attempt in wanted.keys() - self._replicas.keys():
            replica = _Replica(wanted[attempt], asyncio.get_running_loop().time())
            self._replicas[attempt] = replica
            replica.task = asyncio.create_task(self._ask(replica), name=f"probe {attempt}")

    def address(self, attempt: str) -> str:
        """Where a replica answers; empty: it does not, or is not asked."""
        found = self._replicas.get(attempt)
        return found.address if found is not None else ""

    @property
    def complete(self) -> bool:
        """Whether all that are asked have answered."""
        return all(replica.address for replica in self._replicas.values())

    @property
    def troubles(self) -> tuple[str, ...]:
        """Services whose replicas should have been ready by now."""
        now = asyncio.get_running_loop().time()
        late: dict[str, int] = {}
        for replica in self._replicas.values():
            asked = replica.asked
            if not replica.address and now - replica.since > asked.probe.initial_delay / SECOND:
                late[asked.service] = late.get(asked.service, 0) + 1
        return tuple(
            f"{count} of the replicas of {service} do not answer their readiness probe"
            for service, count in sorted(late.items())
        )

    def silent(self) -> dict[str, str]:
        """Replicas that should answer and do not, each with what is wrong.

        One that never has is let be where no probe is stated: it may be no HTTP that it speaks.
        """
        now = asyncio.get_running_loop().time()
        found: dict[str, str] = {}
        for attempt, replica in self._replicas.items():
            asked = replica.asked
            delay = asked.probe.initial_delay
            if replica.address:
                continue
            if replica.was_ready and replica.failed >= self._pace.silent_failures:
                found[attempt] = (
                    f"it runs, and has failed its readiness probe {replica.failed} times in a row"
                )
            elif (
                not replica.was_ready and now - replica.since > delay / SECOND and asked.probe is not DEFAULT
            ):
                found[attempt] = f"it runs, and has not become ready within {delay}"
        return found

    async def close(self) -> None:
        """Ask no more."""
        tasks = [replica.task for replica in self._replicas.values() if replica.task is not None]
        self._replicas.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _ask(self, replica: _Replica) -> None:
        """One replica, until cancelled."""
        pace = self._pace
        patience_s = pace.starting_s
        while True:
            address = await self._answers(replica.asked)
            failed = replica.failed = 0 if address else replica.failed + 1
            replica.was_ready = replica.was_ready or bool(address)
            if address != replica.address and (address or failed >= pace.failures):
                replica.address = address
                self._changed()
            if not replica.address:
                pause_s, patience_s = patience_s, min(1.5 * patience_s, pace.ready_s)
            elif failed:
                pause_s = pace.failing_s
            else:
                pause_s, patience_s = pace.ready_s, pace.starting_s
            # Not all at once: a thousand that were started together are not asked together for ever.
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311

    async def _answers(self, asked: Asked) -> str:
        """Where it has answered that it is ready; empty: it has not."""
        address = self._address_of(asked.attempt, asked.pool)
        if not _ADDRESS.fullmatch(address):
            return ""  # a program writes it, and may write anything
        probe = asked.probe
        body = probe.post_data.encode() if probe.post_data else None
        headers = {"content-type": "application/json", **probe.headers} if body else probe.headers
        slowest_s = min(self._pace.slowest_s, max(probe.timeout / SECOND, 0.1))
        async with self._probes:
            try:
                async with asyncio.timeout(slowest_s):
                    async with self._client().request(
                        "POST" if body else "GET",
                        f"http://{address}/{probe.path.lstrip('/')}",
                        data=body,
                        headers=headers,
                        allow_redirects=False,
                    ) as answer:
                        return address if answer.status == 200 else ""
            except (aiohttp.ClientError, OSError, ValueError):  # a TimeoutError is an OSError
                return ""

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            # A new connection each time: what a load balancer of old connections says is not what new requests meet.
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._session
