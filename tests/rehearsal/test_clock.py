"""Events come in order of time, of turn, and of being set."""

from __future__ import annotations

import pytest

from stargate.base.time import FOREVER, Instant
from stargate.broker.command import Cancel
from stargate.rehearsal.clock import Clock


def said(clock: Clock, at: int) -> list[str]:
    """Who is spoken of at a moment."""
    return [command.workload for command in clock.pop(Instant(at)) if isinstance(command, Cancel)]


def test_ends_come_before_arrivals_of_the_same_instant() -> None:
    clock = Clock(Instant(0))
    clock.set(Instant(5), Cancel("arrival"), turn=2)
    clock.set(Instant(5), Cancel("second"))
    clock.set(Instant(5), Cancel("third"))
    clock.set(Instant(3), Cancel("first"))
    assert clock.next() == 3
    assert said(clock, 3) == ["first"]
    assert said(clock, 5) == ["second", "third", "arrival"]
    assert clock.next() == FOREVER


def test_what_is_set_for_the_past_comes_now() -> None:
    clock = Clock(Instant(10))
    clock.set(Instant(4), Cancel("late"))
    assert clock.next() == 10
    assert said(clock, 10) == ["late"]


def test_time_does_not_run_backwards() -> None:
    clock = Clock(Instant(10))
    with pytest.raises(AssertionError, match="backwards"):
        clock.pop(Instant(9))


def test_what_is_withdrawn_does_not_come() -> None:
    clock = Clock(Instant(0))
    numbers = [clock.set(Instant(at), Cancel(str(at))) for at in (1, 2, 2, 3)]
    clock.withdraw(numbers[0])
    clock.withdraw(numbers[2])
    assert clock.next() == 2
    assert said(clock, 2) == ["2"]
    clock.withdraw(numbers[3])
    assert clock.next() == FOREVER
    assert said(clock, 5) == []
