"""A host tells what its living workers tell, with counts that never fall."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base import wire
from stargate.base.time import Instant
from stargate.gateway.metering import Spool
from stargate.gateway.record import Busy, Load, Wanted
from stargate.gateway.steward.loads import Loads

pytestmark = pytest.mark.anyio

NOW = Instant.parse("2026-03-02T10:00:00Z")


class Host:
    """A folder with workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "load").mkdir()
        self.workers: list[Spool] = []

    def start(self) -> str:
        """A worker; its name."""
        self.workers.append(Spool.open(self.folder / "spool", NOW))
        return self.workers[-1].epoch

    def say(self, worker: str, begun: int, opened: int = 0, routes: int = 5, unserved: int = 0) -> None:
        models = {"m": Wanted(unserved, opened)} if unserved or opened else {}
        load = Load(routes=routes, endpoints={"r": Busy(begun, opened)}, models=models)
        (self.folder / "load" / worker).write_bytes(wire.pack(load))

    async def kill(self, worker: str) -> None:
        """Its lock is let go of."""
        (found,) = (each for each in self.workers if each.epoch == worker)
        self.workers.remove(found)
        await found.close()


async def test_workers_are_one_host(tmp_path: Path) -> None:
    host = Host(tmp_path)
    one, two = host.start(), host.start()
    loads = Loads(tmp_path, "a", NOW)
    assert loads.read(9) == Load(node="a", began=NOW, routes=9), "nobody serves anything older"
    host.say(one, 3, 1, unserved=2)
    host.say(two, 4, 2, routes=4)
    found = loads.read(9)
    assert (found.node, found.began, found.routes) == ("a", NOW, 4)
    assert (found.endpoints, found.models) == ({"r": Busy(7, 3)}, {"m": Wanted(2, 3)})
    await host.kill(one)
    host.say(two, 5)
    found = loads.read(9)
    assert (found.routes, found.endpoints, found.models) == (5, {"r": Busy(8, 0)}, {"m": Wanted(2, 0)})
    assert [path.name for path in (tmp_path / "load").iterdir()] == [two], "what the dead one left is gone"
    for each in list(host.workers):
        await host.kill(each.epoch)


async def test_what_was_counted_before_it_began_is_not_its_own(tmp_path: Path) -> None:
    host = Host(tmp_path)
    one = host.start()
    host.say(one, 100, 1, unserved=50)
    loads = Loads(tmp_path, "a", NOW)
    assert loads.read(9).endpoints == {"r": Busy(0, 1)}
    host.say(one, 101, 1, unserved=50)
    assert loads.read(9).endpoints == {"r": Busy(1, 1)}
    two = host.start()
    host.say(two, 10)
    assert loads.read(9).endpoints == {"r": Busy(11, 1)}, "one that began since counts from its beginning"
    for each in (one, two):
        await host.kill(each)


async def test_endpoints_that_are_over_are_forgotten(tmp_path: Path) -> None:
    host = Host(tmp_path)
    one = host.start()
    loads = Loads(tmp_path, "a", NOW)
    loads.read(9)
    host.say(one, 3, 1)
    loads.read(9)
    loads.forget(set())
    assert loads.read(9).endpoints == {"r": Busy(3, 1)}, "something is open there"
    (tmp_path / "load" / one).write_bytes(wire.pack(Load(routes=5)))
    loads.read(9)
    loads.forget({"r"})
    assert loads.read(9).endpoints == {"r": Busy(3)}
    loads.forget(set())
    assert loads.read(9).endpoints == {}
    await host.kill(one)


async def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    host = Host(tmp_path)
    one = host.start()
    (tmp_path / "load" / one).write_bytes(b"\xc1")
    assert Loads(tmp_path, "a", NOW).read(9).endpoints == {}
    await host.kill(one)
