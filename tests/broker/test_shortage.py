"""When what is held will not do: what is asked for, and when again."""

from __future__ import annotations

from decimal import Decimal

from stargate.base.time import DAY, HOUR, MINUTE, Duration, Instant
from stargate.broker import Policy
from stargate.broker.command import Wake
from stargate.broker.policy import SourcingPolicy
from stargate.broker.sourcing.command import WithdrawNeed
from stargate.broker.sourcing.fact import NeedOpened
from tests.broker.world import Bench, policy, pool, work

BUYING = Policy(lab="lab", sourcing=SourcingPolicy(start_within=Duration(2 * HOUR)))


def opened(bench: Bench) -> list[NeedOpened]:
    """Needs that the last command opened."""
    return bench.of(NeedOpened)


def test_a_need_says_what_would_do() -> None:
    """Chips, start, term with room to move, jurisdiction and price cap, each testable."""
    bench = Bench(pool("a", nodes=1), policy=BUYING)
    bench.submit(work("lm", nodes=3, residency=("US",), max_usd_per_chip_hour=Decimal(3)))
    wanted = opened(bench)[0].requirement
    assert (wanted.chips, wanted.chip_types, wanted.chips_per_node) == (24, ("H100-SXM",), 8)
    assert wanted.start_by == bench.now.plus(2 * HOUR)
    assert wanted.duration == HOUR + 25 * MINUTE
    assert wanted.jurisdictions == ("US",)
    assert wanted.max_price_micro_usd_per_chip_hour == 3_000_000


def test_busy_capacity_is_waited_for_unless_a_deadline_would_pass() -> None:
    """It will be free in an hour: soon enough for one, too late for the other."""
    bench = Bench(pool("a", nodes=1), policy=BUYING)
    bench.submit(work("running"))
    bench.submit(work("patient", deadline=bench.now.plus(3 * HOUR)))
    assert opened(bench) == []
    bench.submit(work("hasty", deadline=bench.now.plus(HOUR + MINUTE)))
    assert [need.workload for need in opened(bench)] == ["hasty"]
    assert "busy for too long" in " ".join(ground.says for ground in opened(bench)[0].grounds)


def test_the_last_moment_to_start_is_not_slept_through() -> None:
    """What runs overtime makes waiting too late; the machine wakes to see it."""
    bench = Bench(pool("a", nodes=1), policy=BUYING)
    bench.submit(work("overtime"))
    bench.submit(work("patient", deadline=bench.now.plus(3 * HOUR)))
    due = bench.machine.next_due()
    assert due == bench.now.plus(2 * HOUR + 1)
    bench.now = Instant(due)
    bench.do(Wake())
    assert [need.workload for need in opened(bench)] == ["patient"]


def test_an_unmet_need_is_asked_for_again_after_a_while_and_not_before() -> None:
    """The machine wakes for it, also after a restart."""
    bench = Bench(pool("a", nodes=1), policy=BUYING)
    bench.submit(work("lm", nodes=3))
    bench.do(WithdrawNeed("need-lm.0", "too dear"))
    assert opened(bench) == []
    again = bench.now.plus(2 * HOUR)
    assert bench.machine.next_due() == again
    assert type(bench.state).unpack(bench.state.pack()).next_due() == again
    bench.now = again.plus(-1)
    bench.do(Wake())
    assert opened(bench) == []
    bench.now = again
    bench.do(Wake())
    assert [need.need for need in opened(bench)] == ["need-lm.0-2"]


def test_policy_may_leave_buying_to_people() -> None:
    """`sourcing.automatic: false`."""
    bench = Bench(pool("a", nodes=1), policy=policy())
    bench.submit(work("lm", nodes=3, deadline=bench.now.plus(DAY)))
    assert opened(bench) == []
