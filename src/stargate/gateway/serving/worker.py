"""One worker process: opens its spool, follows the routes on disk, and answers requests until it is told to end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from stargate.base import wire
from stargate.base.time import Instant
from stargate.gateway.limits import Allotment, Bank, OwnBank, Purse
from stargate.gateway.metering import Spool
from stargate.gateway.observing import AccessLog, Observer, Shelf, Tracing, tracing_wanted
from stargate.gateway.record import Routes
from stargate.gateway.serving.app import App
from stargate.gateway.serving.connections import bound
from stargate.gateway.serving.desk import Desk
from stargate.gateway.serving.health import gauges
from stargate.gateway.serving.plane import Plane
from stargate.gateway.serving.settings import Settings
from stargate.gateway.serving.telling import tell
from stargate.gateway.steward.bank import RemoteBank
from stargate.gateway.upstream import HttptoolsUpstream

VARIABLE = "STARGATE_GATEWAY"
"""The environment variable that names the file a worker is told by."""
LOOK_S = 0.2
"""How often it looks whether the routes have changed: revoked keys are to be worth nothing within a second."""
_log = logging.getLogger("stargate.gateway")
_ROUTES = wire.unpacker(Routes)


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a worker is told by its parent."""

    data: str
    """Folder of the host: `routes`, `bank`, `spool/`."""
    settings: Settings = Settings()
    secrets: dict[str, str] = {}
    """Name of a secret to the environment variable that holds it."""
    followed: bool = False
    """Routes come from a control plane, and grow stale without it."""
    steward: bool = False
    """A steward hands out limits; else this is the only worker, and does it itself."""
    server: str = ""
    """Address of the control plane, for files and batches; empty: there are none."""
    region: str = ""
    """A site, or a place as ISO 3166 has it: endpoints there are asked before others that are alike."""
    access_log: str = ""
    """File to which a line is added for each request; `-`: standard output; empty: nowhere."""


def clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1_000


def _spare_the_collector() -> None:
    """What is here now stays. Requests make few cycles, and those that are open would be looked at again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


class Worker:
    """What granian loads: an RSGI application with a beginning and an end."""

    def __init__(self) -> None:
        self._app: App | None = None
        self._desk: Desk | None = None
        self._allotment: Allotment | None = None
        self._bank: RemoteBank | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._seen = (0, 0)
        self._observer: Observer | None = None
        self._plane: Plane | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        told = wire.from_json(Path(os.environ[VARIABLE]).read_bytes(), Told)
        loop.run_until_complete(self._open(told))

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        assert self._app is not None, "granian calls __rsgi_init__ first"
        await self._app(scope, proto)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._close())

    async def _open(self, told: Told) -> None:
        folder = Path(told.data)
        spool = Spool.open(folder / "spool", Instant(clock_us()))
        bank: Bank
        if told.steward:
            bank = self._bank = RemoteBank(folder / "bank", spool.epoch)
        else:
            self._allotment = Allotment()
            bank = OwnBank(self._allotment, spool.epoch, clock_us)
        secrets = {name: os.environ.get(variable, "") for name, variable in told.secrets.items()}
        self._observer = Observer(
            clock_us,
            Shelf(folder / "metrics", spool.epoch),
            AccessLog(told.access_log) if told.access_log else None,
            Tracing(os.environ, spool.epoch) if tracing_wanted(os.environ) else None,
        )
        spool.committed = self._observer.committed
        purse = Purse(bank, clock_us)
        self._desk = Desk(
            spool, HttptoolsUpstream(), purse, clock_us, told.settings, secrets, folder / "why",
            observer=self._observer, region=told.region,
        )  # fmt: skip
        self._observer.gauges = partial(gauges, self._desk)
        await self._look(folder / "routes", told)
        _spare_the_collector()
        self._plane = Plane(
            told.server, told.settings.idle_s, told.settings.send_s, self._desk.connections.unread_bytes
        )
        self._app = App(self._desk, self._plane)
        self._tasks = [
            asyncio.create_task(self._app.watch(), name="watch"),
            asyncio.create_task(self._follow(folder / "routes", told), name="follow"),
            asyncio.create_task(self._observer.run(), name="observe"),
            asyncio.create_task(bound(told.settings.send_s), name="bound"),
        ]
        if told.steward:
            self._tasks.append(asyncio.create_task(tell(self._desk, folder / "load"), name="tell"))

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._desk is not None:
            await self._desk.hedges.close()
        if self._bank is not None:
            await self._bank.close()
        if self._plane is not None:
            await self._plane.close()
        if self._desk is not None:
            await self._desk.upstream.close()
            await self._desk.spool.close()
        if self._observer is not None:
            await self._observer.close()

    async def _follow(self, path: Path, told: Told) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look(path, told)
            except (OSError, msgspec.MsgspecError, ValueError) as error:
                _log.warning("the routes at %s cannot be read, so those before hold: %s", path, error)

    async def _look(self, path: Path, told: Told) -> None:
        """Take the routes on disk, where they are others than before. The file is replaced, never written into."""
        assert self._desk is not None
        try:
            found = os.stat(path)  # noqa: PTH116  # a look costs a microsecond, a thread a hundred
        except FileNotFoundError:
            return
        if told.followed:
            self._desk.heard_us = found.st_mtime_ns // 1_000
        seen = (found.st_ino, found.st_size)
        if seen == self._seen:
            return
        routes: Routes = await asyncio.to_thread(lambda: _ROUTES.decode(path.read_bytes()))
        self._seen = seen
        self._desk.update(routes)
        if self._allotment is not None:
            money = {each.id: each.scope.budget_micro_usd for each in routes.applications}
            self._allotment.update(routes.applications, money)


worker = Worker()
