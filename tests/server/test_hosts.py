"""What hosts tell is their load while they tell it; a replica is in use as long as any may have a request there."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.base.errors import LimitError
from stargate.base.time import SECOND, Instant
from stargate.gateway.record import Busy, Load, Wanted
from stargate.server import hosts as module
from stargate.server.hosts import FORGET_S, HEAR_S, RATE_S, SILENT_S, Hosts

NOW = Instant.parse("2026-03-02T10:00:00Z")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> Instant:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now = Instant(self.now + round(seconds * SECOND))


def load(begun: int = 0, opened: int = 0, *, node: str = "a", began: int = 0, **more: int) -> Load:
    """Of a host, about the replica `r` and the model `m`."""
    return Load(
        node=node,
        began=Instant(began),
        routes=more.get("routes", 1),
        endpoints={"r": Busy(begun, opened)},
        models={"m": Wanted(more.get("unserved", 0), more.get("waiting", 0))},
    )


def test_what_is_new_since_the_last_time_counts() -> None:
    clock = Clock()
    hosts = Hosts(clock)
    hosts.hear("gateway:x", load(1_000, unserved=500))  # before this server heard of it
    for count in (15, 15, 30):
        clock.pass_s(1)
        hosts.hear("gateway:x", load(1_000 + count, unserved=500 + count))
    clock.pass_s(1)
    assert hosts.begun.per_second("r", clock.now) == Decimal(30) / RATE_S
    assert hosts.unserved.per_second("m", clock.now) == Decimal(30) / RATE_S
    clock.pass_s(RATE_S + 1)
    assert hosts.begun.per_second("r", clock.now) == 0
    hosts.begun.trim(clock.now)
    assert not hosts.begun._counts


def test_a_count_that_begins_anew_is_none_that_fell() -> None:
    clock = Clock()
    hosts = Hosts(clock)
    hosts.hear("gateway:x", load(1_000))
    hosts.hear("gateway:x", load(30, began=1))
    clock.pass_s(1)
    assert hosts.begun.per_second("r", clock.now) == Decimal(30) / RATE_S


def test_what_is_open_is_the_sum_of_hosts_that_are_heard() -> None:
    clock = Clock()
    hosts = Hosts(clock)
    hosts.hear("gateway:x", load(opened=2, waiting=1))
    clock.pass_s(SILENT_S - 1)
    hosts.hear("gateway:x", load(opened=3, node="b"))
    hosts.hear("gateway:y", load(opened=4))
    assert (hosts.open("r"), hosts.waiting("m"), len(hosts)) == (9, 1, 3)
    clock.pass_s(1)
    assert (hosts.open("r"), hosts.waiting("m")) == (7, 0), "one has fallen silent"
    hosts.hear("gateway:y", Load(node="a", gone=True))
    assert hosts.open("r") == 3


def test_that_somebody_waits_is_told_at_once() -> None:
    hosts = Hosts(Clock())
    hosts.hear("gateway:x", load(5, 5, unserved=3))
    assert not hosts.wanted.is_set()
    hosts.hear("gateway:x", load(5, 5, waiting=1))
    assert hosts.wanted.is_set()


def test_a_replica_is_drained_when_no_host_has_anything_open_there_or_could_send_more() -> None:
    clock = Clock()
    hosts = Hosts(clock)
    assert not hosts.drained("r", 7), "nobody has had the time to say anything"
    clock.pass_s(HEAR_S)
    assert hosts.drained("r", 7), "nobody is there"
    hosts.hear("gateway:x", load(routes=7))
    hosts.hear("gateway:x", load(routes=6, node="b"))
    assert not hosts.drained("r", 7), "one sends by older routes still"
    hosts.hear("gateway:x", load(routes=8, opened=1, node="b"))
    assert not hosts.drained("r", 7)
    assert hosts.drained("other", 7)
    hosts.hear("gateway:x", load(routes=8, node="b"))
    assert hosts.drained("r", 7)
    clock.pass_s(SILENT_S)
    hosts.hear("gateway:x", load(routes=8))
    assert not hosts.drained("r", 7), "a host that is cut off may go on"
    clock.pass_s(FORGET_S - SILENT_S)
    hosts.hear("gateway:x", load(routes=8))
    assert hosts.drained("r", 7)


def test_hosts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOSTS_LIMIT", 1)
    hosts = Hosts(Clock())
    hosts.hear("gateway:x", load())
    hosts.hear("gateway:x", load())
    with pytest.raises(LimitError):
        hosts.hear("gateway:x", load(node="b"))
