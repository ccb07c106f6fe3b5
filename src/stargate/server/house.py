"""Everything a running server holds, opened in order and closed in reverse.

Opening: journal (one writer) → replay → loop, routes → engines → effects that were on their way → what the files
declare → the ledger's rounds.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path

import msgspec

from stargate.base import wire
from stargate.base.errors import InputError, Problem, StateConflictError, UserError
from stargate.base.time import SECOND, Duration, Instant
from stargate.broker import Machine
from stargate.broker.command import Command, DeclareFact
from stargate.catalog import Infrastructure
from stargate.engines.engine import Engine, Say
from stargate.engines.local import LocalEngine, agents, keep_secret, retire
from stargate.gateway.lending import SqliteBook
from stargate.journal import SqliteJournal
from stargate.journal.restart import restart
from stargate.server.auth import Actor, Keyring, open_keyring
from stargate.server.batches import Batches, Course
from stargate.server.bookkeeper import Bookkeeper
from stargate.server.clock import Clock, system_clock
from stargate.server.config import Plan, ServerConfig, read_plan
from stargate.server.draining import Draining
from stargate.server.driver import Driver, Receipt
from stargate.server.fleet import Fleet
from stargate.server.history import History
from stargate.server.hosts import Hosts
from stargate.server.intake import Intake
from stargate.server.lender import Lender
from stargate.server.readiness import Pace
from stargate.server.replacing import Replacing
from stargate.server.request_log import RequestLog
from stargate.server.rollout import Rollouts
from stargate.server.routing import Routing
from stargate.server.scaling import Scaler

_log = logging.getLogger(__name__)

DOUBTS_SHOWN = 20

MakeEngines = Callable[[ServerConfig, Infrastructure, Say], Mapping[str, Engine]]
"""Builds the engines that the pools of an infrastructure may need, by kind."""


def make_engines(config: ServerConfig, infrastructure: Infrastructure, say: Say) -> Mapping[str, Engine]:
    """The engines of this release. Agents start with the server for providers that have a local pool."""
    providers = [pool.provider for pool in infrastructure.pools if pool.engine.kind == "local"]
    return {"local": LocalEngine(config.local_engine, say, dict.fromkeys(providers))}


class House:
    """The parts, for the routes. Made by `open_house`."""

    def __init__(
        self,
        config: ServerConfig,
        driver: Driver,
        fleet: Fleet,
        keyring: Keyring,
        clock: Clock,
        books: Bookkeeper | None,
        *,
        routing: Routing,
        hosts: Hosts,
        draining: Draining,
        requests: RequestLog,
        batches: Batches,
    ) -> None:
        self.config = config
        self.driver = driver
        self.fleet = fleet
        self.keyring = keyring
        self.clock = clock
        self.books = books
        """Who keeps the ledger; None: this server has none."""
        self.routing = routing
        self.hosts = hosts
        self.draining = draining
        self.requests = requests
        self.rollouts = Rollouts(driver, routing)
        self.batches = batches
        book = SqliteBook(config.requests.with_name("leases.sqlite"), driver.now)
        self.lender = Lender(driver, keyring, book, requests)
        self.intake = Intake(driver, keyring, requests, books, routing.prices)
        self.history = History(config.journal, config.limits.explain_entries)
        self.started_at = clock()
        self.warnings: list[str] = []
        """What was odd at the start: snapshots passed over, a declaration that could not take effect."""
        self.doubts: tuple[str, ...] = ()
        """What is odd about what was declared last: agreements that contradict each other."""

    async def ask(
        self, actor: Actor, command: Command, key: str = "", said: msgspec.Struct | None = None
    ) -> Receipt:
        """Hand in somebody's command. The same `key` with the same command is the same ask, however often.

        `said` stands for the command where that holds more than its sender said, as the time. Raises InputError
        for what cannot be put on record, and what `Driver.ask` raises.
        """
        packed = _packed(command)
        name = uuid.uuid4().hex
        if key:
            print_ = blake2b(packed if said is None else _packed(said), digest_size=8).hexdigest()
            name = f"{key}/{print_}"
        return await self.driver.ask(f"{actor.key}/{name}", command)

    async def declare(self, actor: Actor, plan: Plan, key: str = "") -> Receipt:
        """Put a plan into force, with the facts beside its agreements. Raises what `ask` raises."""
        receipt = await self.ask(actor, plan.command, key)
        known = await self.driver.read(lambda state: list(state.records.world_facts))
        for fact in plan.facts:
            if fact not in known:
                receipt = await self.ask(actor, DeclareFact(fact), key)
        self.doubts = tuple(str(problem) for problem in plan.doubts[:DOUBTS_SHOWN])
        return receipt

    async def declare_files(self, actor: Actor, key: str = "") -> Receipt:
        """Read the configured files again, and declare what they say."""
        if not self.config.declares:
            raise StateConflictError(
                "this server was started without files to read again",
                "start it with --infrastructure, --agreements and --policy, or send what is to be declared",
            )
        return await self.declare(actor, await asyncio.to_thread(read_plan, self.config), key)


SERVER = Actor("server", "server", "operator")
"""The server itself, as the cause of what it asks at its start."""


@asynccontextmanager
async def open_house(
    config: ServerConfig, *, clock: Clock = system_clock, make: MakeEngines = make_engines
) -> AsyncIterator[House]:
    """Open everything; close it at the end, leaving jobs running.

    Raises InputError for faulty files at the first start, StateConflictError while another server uses the data
    folder, JournalError when the journal does not verify.
    """
    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    journal = await asyncio.to_thread(SqliteJournal, config.journal)
    try:
        replayed = await asyncio.to_thread(restart, journal)
        machine = replayed.state
        plan = _read_if_told(config, first=replayed.head.seq == 0)
        infrastructure = machine.state.records.infrastructure
        if isinstance(plan, Plan):
            infrastructure = plan.command.infrastructure
        fleet = Fleet(
            lambda say: make(config, infrastructure, say),
            lambda pool: _kind_of(machine, pool),
            lambda scope, id: machine.state.records.marks.get(f"{scope}:{id}") == "draining",
        )
        books = None if config.books is None else Bookkeeper(config.books, config.limits.ledger_s)
        counted = Instant(0) if books is None else await books.open()
        driver = Driver(
            machine,
            journal,
            lambda effect: house.draining.dispatch(effect),  # noqa: PLW0108 - it is made below
            clock,
            config.limits,
            counted,
        )
        keyring = open_keyring(config.keys, config.operator_key, clock(), config.limits.keys)
        house = _furnished(config, driver, fleet, keyring, clock, books)
        house.warnings += replayed.warnings
        if isinstance(plan, UserError):
            _warn(house, f"the files could not be read, so what was declared before holds: {plan}")
        loop = asyncio.create_task(driver.run(), name="driver")
        beside = _beside(house)
        rounds: asyncio.Task[None] | None = None
        try:
            for effect in machine.outstanding():
                house.draining.dispatch(effect)
            if isinstance(plan, Plan):
                await _declare_at_start(house, plan, first=replayed.head.seq == 0)
            await fleet.open(driver.tell)
            if books is not None:
                rounds = asyncio.create_task(books.run(driver), name="ledger")
            yield house
        finally:
            house.routing.release()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await house.lender.close()
            await house.draining.close()
            await house.requests.close()
            await house.batches.close()
            if books is not None:
                await _close_books(books, rounds)
            await _close(house, loop)
            if config.stop_jobs:
                await _stop_jobs(config.local_engine, machine.state.records.policy.recovery.stop_grace)
    finally:
        await asyncio.to_thread(journal.close)


def _furnished(
    config: ServerConfig,
    driver: Driver,
    fleet: Fleet,
    keyring: Keyring,
    clock: Clock,
    books: Bookkeeper | None,
) -> House:
    """The house with what is kept for gateways and their clients."""
    routing = Routing(driver, keyring, fleet.address, Pace(ready_s=config.limits.probe_s))
    hosts = Hosts(driver.now)
    return House(
        config,
        driver,
        fleet,
        keyring,
        clock,
        books,
        routing=routing,
        hosts=hosts,
        draining=Draining(fleet.dispatch, driver, routing, hosts),
        requests=RequestLog(config.requests, config.limits.request_rows, config.limits.request_days),
        batches=Batches(config.batches, driver.now, int(config.limits.batch_s * SECOND)),
    )


def _beside(house: House) -> list[asyncio.Task[None]]:
    """What goes on beside the loop, as long as the house is open."""
    driver, routing, config = house.driver, house.routing, house.config
    course = Course(
        house.batches,
        driver,
        house.keyring,
        routing.prices,
        lambda name, text: keep_secret(config.local_engine, name, text),
        config.gateway,
    )
    scaler = Scaler(driver, house.hosts, lambda: routing.services)
    return [
        asyncio.create_task(routing.run(), name="routes"),
        asyncio.create_task(course.run(), name="batches"),
        asyncio.create_task(scaler.run(), name="load"),
        asyncio.create_task(house.rollouts.run(), name="roll-outs"),
        asyncio.create_task(Replacing(driver, routing).run(), name="replacing"),
    ]


def _read_if_told(config: ServerConfig, *, first: bool) -> Plan | UserError | None:
    """What the files say. A server that ran before goes on with what it knows when they are faulty."""
    if not config.declares:
        return None
    try:
        return read_plan(config)
    except UserError as error:
        if first:
            raise
        return error


async def _declare_at_start(house: House, plan: Plan, *, first: bool) -> None:
    try:
        await house.declare(SERVER, plan)
    except UserError as error:
        if first:
            raise
        _warn(house, f"the files could not take effect, so what was declared before holds: {error}")


async def _close(house: House, loop: asyncio.Task[None]) -> None:
    """Finish what is in hand, save the state, let go of the engines."""
    house.driver.stop()
    await asyncio.wait([loop], timeout=house.config.limits.shutdown_s)
    if loop.done() and not loop.cancelled() and loop.exception() is None:
        await house.driver.snapshot()
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    await house.fleet.close()


async def _close_books(books: Bookkeeper, rounds: asyncio.Task[None] | None) -> None:
    """What is being written is finished; what is missing is counted after the next start."""
    if rounds is not None:
        rounds.cancel()
        await asyncio.gather(rounds, return_exceptions=True)
    await books.close()


async def _stop_jobs(root: Path, grace: Duration) -> None:
    """End the local agents with all they run. Each job has time to save, and goes on at the next start."""
    grace_s = grace / SECOND
    await asyncio.gather(*(retire(root, provider, grace_s) for provider in agents(root)))


def _kind_of(machine: Machine, pool: str) -> str:
    found = machine.state.catalog_pools.get(pool)
    return found.engine.kind if found is not None else ""


def _packed(record: object) -> bytes:
    """Raises InputError for what no journal could hold: half a surrogate pair, a number beyond 64 bits."""
    try:
        return wire.pack(record)
    except (UnicodeError, OverflowError, TypeError, ValueError, RecursionError) as error:
        problem = Problem(f"this cannot be put on record: {error}", "Change the text or number it speaks of.")
        raise InputError((problem,)) from None


def _warn(house: House, text: str) -> None:
    house.warnings.append(text)
    _log.warning("%s", text)
