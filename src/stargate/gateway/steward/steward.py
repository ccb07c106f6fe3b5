"""The steward's loops: routes in, usage out, limits handed out. It may die at any time; a new one goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from stargate.base import wire
from stargate.base.errors import ProviderError
from stargate.base.time import Instant
from stargate.gateway.limits.lease import Lender
from stargate.gateway.metering.course import Usage
from stargate.gateway.metering.ship import Shipper
from stargate.gateway.record import Endpoint, Routes, Shipment, Tokens, Why
from stargate.gateway.serving.desk import lookup
from stargate.gateway.steward.bank import BankServer
from stargate.gateway.steward.branch import Branch
from stargate.gateway.steward.home import Home, HomeError
from stargate.gateway.steward.loads import Loads
from stargate.gateway.steward.teller import Teller
from stargate.gateway.steward.watch import Watch
from stargate.gateway.upstream import HttptoolsUpstream

RETRY_S = 1.0
TELL_S = 1.0
"""How often it is told what this host does."""
_ROUTES = wire.unpacker(Routes)
_WHY = wire.unpacker(Why)
_log = logging.getLogger("stargate.gateway.steward")


class Charge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a steward is told by its parent."""

    data: str
    """Folder of the host."""
    node: str
    """Its name, under which usage is on record."""
    server: str
    """Address of the control plane."""
    token_file: str
    """Its key of the role `gateway`."""
    secrets: dict[str, str] = {}
    """Name of a secret to the environment variable that holds it."""
    limits: str = ""
    """A `postgresql://` address where hosts share the limits; empty: at the control plane."""


class Steward:
    """One host's."""

    def __init__(self, charge: Charge, home: Home) -> None:
        self._folder = Path(charge.data)
        self._node = charge.node
        self._home = home
        self._secrets = {name: os.environ.get(variable, "") for name, variable in charge.secrets.items()}
        self._watch = Watch(self._folder / "metrics", clock_us)
        self._loads = Loads(self._folder, charge.node, Instant(clock_us()))
        self._limits = charge.limits
        self._hosts = 0
        self._teller = Teller(clock_us)
        self._bank = BankServer(self._teller)
        self._upstream = HttptoolsUpstream()
        self._endpoints: dict[str, Endpoint] = {}
        self._version = -1
        self._told: set[str] = set()
        """Digests of decisions that the control plane knows."""

    async def run(self) -> None:
        """Until cancelled."""
        (self._folder / "spool").mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self._know(_ROUTES.decode((self._folder / "routes").read_bytes()))
        lender = self._lender()
        name = (self._node, f"{clock_us():x}-{secrets.token_hex(4)}")
        minute = Branch(lender, self._teller.limit, name, self._teller.slots)
        money = minute if lender is self._home else Branch(self._home, self._teller.limit, name)
        self._teller.open(minute, money)
        known = self._folder / "hosts"
        with contextlib.suppress(OSError, ValueError):
            minute.hosts = max(1, int(known.read_text()))

        def beat() -> None:
            if minute.hosts != self._hosts:
                self._hosts = minute.hosts
                known.write_text(str(minute.hosts))  # for a life that begins when nobody can be asked
            self._teller.beat()

        await self._bank.open(self._folder / "bank")
        shipper = Shipper(self._folder / "spool", self._ship, self._ask, clock_us)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow())
                tasks.create_task(minute.run(beat))
                if money is not minute:
                    tasks.create_task(money.run(lambda: None))
                tasks.create_task(self._tell())
                tasks.create_task(shipper.run())
                tasks.create_task(self._watch.run(shipper))
        finally:
            with contextlib.suppress(HomeError):
                await self._home.tell(msgspec.structs.replace(self._loads.read(self._version), gone=True))
            await self._bank.close()
            self._teller.close()
            await asyncio.gather(minute.say(), *([money.say()] if money is not minute else []))
            if lender is not self._home:
                await lender.close()
            await self._upstream.close()
            await self._home.close()

    def _lender(self) -> Lender:
        """Who says what is left of limits: the control plane, or a database that it need not be there for.

        Budgets are always the control plane's to give: it alone knows what was spent.
        """
        if not self._limits:
            return self._home
        from stargate.gateway.lending.postgres import PostgresBook  # noqa: PLC0415  # psycopg is an extra

        return PostgresBook(self._limits)

    async def _follow(self) -> None:
        """Keep the routes on disk as the control plane says they are; their file's time says when it last did."""
        path = self._folder / "routes"
        known = False
        while True:
            try:
                if not known:
                    # First: the control plane waits for no host that it does not know of.
                    await self._home.tell(self._loads.read(self._version))
                    known = True
                routes = await self._home.routes(self._version)
            except HomeError as error:
                _log.warning("%s", error.message)
                known = False
                await asyncio.sleep(RETRY_S)
                continue
            if routes is None:
                os.utime(path)
                continue
            self._know(routes)
            fresh = path.with_name(".routes")
            fresh.write_bytes(wire.pack(routes))
            fresh.replace(path)

    def _know(self, routes: Routes) -> None:
        self._version = routes.version
        self._endpoints = {endpoint.id: endpoint for endpoint in routes.endpoints}
        self._teller.update(routes.applications)

    async def _tell(self) -> None:
        """Say what this host does: replicas are started, and stopped, by it."""
        while True:
            await asyncio.sleep(TELL_S)
            load = self._loads.read(self._version)
            self._loads.forget(set(self._endpoints))
            with contextlib.suppress(HomeError):
                await self._home.tell(load)

    async def _ask(self, endpoint: str, request: str) -> Tokens | None:
        if self._version < 0:
            raise ProviderError("no routes are known yet", "Wait until the control plane has told them")
        known = self._endpoints.get(endpoint)
        return None if known is None else await lookup(self._upstream, known, self._secrets, request)

    async def _ship(self, usages: Sequence[Usage]) -> None:
        digests = {usage.admitted.why for usage in usages} - self._told
        whys = tuple(why for digest in sorted(digests) if (why := self._why(digest)) is not None)
        attempts = tuple((usage.epoch, usage.admitted, usage.settled) for usage in usages)
        try:
            receipt = await self._home.ship(Shipment(self._node, attempts, whys))
        except HomeError:
            self._watch.failed()
            raise
        self._watch.arrived(receipt, len(attempts))
        self._told |= digests
        for unfit in receipt.unfit:
            _log.error("attempt %s of %s is not counted: %s", unfit.seq, unfit.epoch, unfit.says)

    def _why(self, digest: str) -> Why | None:
        try:
            why: Why = _WHY.decode((self._folder / "why" / digest).read_bytes())
        except (OSError, msgspec.MsgspecError, ValueError):
            return None
        return why


def clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1_000


async def _main(charge: Charge, token: str) -> None:
    running = asyncio.ensure_future(Steward(charge, Home(charge.server, token)).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def main() -> None:
    """`python -m stargate.gateway.steward FILE`: what it is told stands in the file."""
    logging.basicConfig(
        stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", level="INFO"
    )
    charge = wire.from_json(Path(sys.argv[1]).read_bytes(), Charge)
    asyncio.run(_main(charge, Path(charge.token_file).read_text().strip()))
