from __future__ import annotations

import time

from stargate.base.time import Instant
from stargate.server.clock import Stamps, system_clock


def test_the_system_clock_counts_microseconds_since_1970() -> None:
    before = int(time.time() * 1e6)
    assert before - 1_000_000 <= system_clock() <= before + 60_000_000


def test_stamps_never_repeat() -> None:
    stamps = Stamps(lambda: Instant(100), Instant(0))
    assert [stamps.next() for _ in range(3)] == [100, 101, 102]


def test_stamps_never_go_back() -> None:
    times = iter([500, 100, 100, 900])
    stamps = Stamps(lambda: Instant(next(times)), Instant(0))
    assert [stamps.next() for _ in range(4)] == [500, 501, 502, 900]


def test_stamps_follow_the_journal() -> None:
    """A clock that was set back while the server was down."""
    stamps = Stamps(lambda: Instant(10), Instant(1_000))
    assert stamps.present() == 1_000
    assert stamps.next() == 1_001
