"""The routes of gateways: made of keys, services, the catalog and the agreements, handed to whoever waits for newer.

It follows the journal and the keyring. What they change is made anew, a moment later and all at once, and no other
part; facts that are none of a gateway's business cost a look at their type.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Literal

import msgspec

from stargate.base import wire
from stargate.base.errors import StargateError
from stargate.base.time import Instant
from stargate.broker import Entry, State
from stargate.broker.fact import (
    Declared,
    Ended,
    FactDeclared,
    Placed,
    Started,
    Stopping,
    Submitted,
    WorkloadEnded,
)
from stargate.gateway.record import Application, Endpoint, Model, Price, Routes
from stargate.server.auth import Key, Keyring
from stargate.server.driver import Driver
from stargate.server.readiness import AddressOf, Pace, Readiness
from stargate.server.served import SERVING, apis, asked, is_open_service, models, replica

_log = logging.getLogger(__name__)

GATHER_S = 0.02
"""The first change goes out at once, and what changes within so long after it as one version."""
HOLD_S = 3.0
"""How long the first routes after a start wait for replicas to answer."""
Part = Literal["keys", "terms", "catalog", "services", "replicas"]
PARTS: frozenset[Part] = frozenset({"keys", "terms", "catalog", "services", "replicas"})
RETRY_S = 1.0
"""When a part is tried again that could not be made."""
_ROUTES = wire.unpacker(Routes)
_CHECKS = {"models": wire.unpacker(tuple[Model, ...]), "endpoints": wire.unpacker(tuple[Endpoint, ...])}


class Routing:
    """The routes as they are now, and those who wait for the next. One event loop."""

    def __init__(
        self, driver: Driver, keyring: Keyring, address_of: AddressOf, pace: Pace | None = None
    ) -> None:
        self._driver = driver
        self._keyring = keyring
        self.readiness = Readiness(address_of, lambda: self._touch("replicas"), pace)
        self._services: set[str] = set()
        """Workloads that serve."""
        self._replicas: set[str] = set()
        """Their attempts that hold nodes."""
        self._heed: dict[type, Callable[[Any], None]] = {
            Declared: self._declared,
            FactDeclared: self._fact_declared,
            Submitted: self._submitted,
            WorkloadEnded: self._workload_ended,
            Placed: self._placed,
            Started: self._moved,
            Stopping: self._moved,
            Ended: self._ended,
        }
        """What each type of fact makes stale; others are none of a gateway's business."""
        self._stale: set[Part] = set()
        self._bell = asyncio.Event()
        self._packed: dict[str, msgspec.Raw] = {}
        """Each field of the routes as it was packed last."""
        self._apis: tuple[Endpoint, ...] = ()
        self.models: tuple[Model, ...] = ()
        self.endpoints: tuple[Endpoint, ...] = ()
        self._news = asyncio.Event()
        """Of the next version."""
        self._released = False
        self._failed: dict[Part, str] = {}
        """Parts that cannot be made, and why."""
        self.version = 0
        self.made = 0
        """How many versions there have been."""
        self.body = b""
        """The routes, packed; empty: they have not been made yet."""

    async def run(self) -> None:
        """Keep the routes as they should be, until cancelled or the server has to stop."""
        try:
            await self._driver.read(self._begin)
            await self._wait_for_replicas()
            clock, again = asyncio.get_running_loop().time, 0.0
            while True:
                await self._bell.wait()
                await asyncio.sleep(max(0.0, again - clock()))
                self._bell.clear()
                again = clock() + GATHER_S
                stale, self._stale = self._stale, set()
                await self._driver.read(lambda state: self._make(state, stale))  # noqa: B023 - awaited here
        except StargateError as error:
            _log.warning("routes are not kept any more: %s", error.message)
        finally:
            await self.readiness.close()

    async def _wait_for_replicas(self) -> None:
        """After a restart replicas are asked anew. Until they answer, gateways serve by the routes that they have."""
        await self._driver.read(lambda state: len(self._ready(state)))
        with suppress(TimeoutError):
            async with asyncio.timeout(HOLD_S):
                while not self.readiness.complete:
                    self._bell.clear()
                    await self._bell.wait()
        self._bell.set()

    async def newer(self, version: int, wait_s: float) -> bytes | None:
        """The routes, packed, once they are of another version than this; None: they were not within the time."""
        try:
            async with asyncio.timeout(wait_s):
                while not self.body or self.version == version:
                    if self._released:
                        return None
                    await self._news.wait()
        except TimeoutError:
            return None
        return self.body

    @property
    def troubles(self) -> tuple[str, ...]:
        """What an operator should look at."""
        failed = (f"gateways are not told newer {part}: {says}" for part, says in self._failed.items())
        return (*failed, *self.readiness.troubles)

    @property
    def services(self) -> frozenset[str]:
        """Workloads that serve, or will."""
        return frozenset(self._services)

    @property
    def has_gateways(self) -> bool:
        """Whether there may be any: they need keys."""
        now = self._driver.now()
        return any(key.role == "gateway" and not key.refusal(now) for key in self._keyring.all())

    def closed(self, attempt: str) -> int | None:
        """The version of routes by which nothing new is sent to a replica; None: it is not made yet."""
        if not self.body or any(each.id == attempt and not each.draining for each in self.endpoints):
            return None
        return self.version

    def prices(self) -> dict[str, Price]:
        """What models cost now, by what they are called."""
        return {model.id: model.price for model in self.models}

    def release(self) -> None:
        """Let go of all who wait: the server is about to stop."""
        self._released = True
        self._news.set()

    # -- what changes what ---------------------------------------------------------------------------------------

    def _begin(self, state: State) -> None:
        """From here on it hears of everything."""
        self._driver.follow(self._hear)
        self._keyring.changed = lambda: self._touch("keys")
        self._services = {id for id, holder in state.records.workloads.items() if is_open_service(holder)}
        self._replicas = {attempt.id for attempt in state.live.values() if attempt.workload in self._services}
        self._touch(*PARTS)

    def _hear(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            heed = self._heed.get(type(entry.fact))
            if heed is not None:
                heed(entry.fact)

    def _touch(self, *parts: Part) -> None:
        self._stale.update(parts)
        self._bell.set()

    def _declared(self, _fact: Declared) -> None:
        self._touch("terms", "catalog", "replicas")

    def _fact_declared(self, _fact: FactDeclared) -> None:
        self._touch("terms")

    def _submitted(self, fact: Submitted) -> None:
        if fact.workload.kind == "serve":
            self._services.add(fact.id)
            self._touch("services")

    def _workload_ended(self, fact: WorkloadEnded) -> None:
        if fact.workload in self._services:
            self._services.remove(fact.workload)
            self._touch("services")

    def _placed(self, fact: Placed) -> None:
        if fact.workload in self._services:
            self._replicas.add(fact.attempt)

    def _moved(self, fact: Started | Stopping) -> None:
        if fact.attempt in self._replicas:
            self._touch("replicas")

    def _ended(self, fact: Ended) -> None:
        if fact.attempt in self._replicas:
            self._replicas.remove(fact.attempt)
            self._touch("replicas")

    # -- making them ---------------------------------------------------------------------------------------------

    def _make(self, state: State, stale: set[Part]) -> None:
        """Make anew what is stale; where that says the same as before, nobody is told.

        A part that cannot be made stays as it was, and does not keep the others: a key that is revoked is revoked.
        """
        packed: dict[str, msgspec.Raw] = {}
        for part in sorted(stale):
            try:
                packed |= {name: _packed(name, value) for name, value in self._fresh(part, state).items()}
                self._failed.pop(part, None)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not keep the other parts
                _log.error("the routes' %s cannot be made", part, exc_info=error)
                self._failed[part] = f"{type(error).__name__}: {error}"
                asyncio.get_running_loop().call_later(RETRY_S, self._touch, part)
        if all(bytes(self._packed.get(name, b"")) == bytes(value) for name, value in packed.items()):
            return
        self._packed |= packed
        at = self._driver.now()
        # As late as it is made: so it rises over restarts too, also where the last one had not been seen by all.
        self.version = max(int(at), self.version + 1)
        self.made += 1
        self.body = wire.pack({"version": self.version, "made": at, **self._packed})
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _fresh(self, part: Part, state: State) -> dict[str, object]:
        """The fields of the routes that a part gives."""
        records = state.records
        match part:
            case "keys":
                return {"applications": applications(self._keyring.all(), self._driver.now())}
            case "terms":
                lab = records.policy.lab
                return {"lab": lab, "agreements": records.agreements, "facts": records.world_facts}
            case "catalog" | "services":
                self._apis = apis(records.infrastructure)
                services = (records.workloads[id] for id in sorted(self._services))
                self.models = models(records.infrastructure, services)
                return {"models": self.models}
            case "replicas":
                self.endpoints = (*self._apis, *self._ready(state))
                return {"endpoints": self.endpoints}

    def _ready(self, state: State) -> list[Endpoint]:
        """Replicas that answer; those that should are asked from now on, and no others."""
        live = [state.live[id] for id in sorted(self._replicas)]
        attempts = [attempt for attempt in live if attempt.status in SERVING]
        self.readiness.follow({attempt.id: asked(state, attempt) for attempt in attempts})
        addresses = {attempt.id: self.readiness.address(attempt.id) for attempt in attempts}
        return [
            replica(state, attempt, addresses[attempt.id]) for attempt in attempts if addresses[attempt.id]
        ]


def _packed(name: str, value: object) -> msgspec.Raw:
    """As it goes out. Raises ValidationError for what no gateway could read: it would read none of the rest either."""
    packed = wire.pack(value)
    check = _CHECKS.get(name)
    if check is not None:
        check.decode(packed)
    return msgspec.Raw(packed)


def applications(keys: Iterable[Key], at: Instant) -> tuple[Application, ...]:
    """The keys of applications that are good now, and of their batches. What expires later is told with its date."""
    good = [key for key in keys if not key.refusal(at)]
    own = {key.id: key for key in good if key.role == "application"}
    return (
        *(key.application() for key in own.values()),
        *(key.standing_for(own[key.owner]) for key in good if key.owner in own),
    )


def opened(body: bytes) -> Routes:
    """Packed routes as a record."""
    found: Routes = _ROUTES.decode(body)
    return found
