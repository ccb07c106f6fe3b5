"""Every fact can be applied and packed, and whoever must hear of one does."""

from __future__ import annotations

from typing import get_args

from stargate.base.time import DAY, Duration
from stargate.broker.effect import Notify
from stargate.broker.sourcing import evolve_lease, evolve_need, evolve_offer, react
from stargate.broker.sourcing.command import ReportDelivery, ReviseNeed, SourcingCommand
from stargate.broker.sourcing.decide import _COMMANDS, _DUE
from stargate.broker.sourcing.fact import (
    CoverGranted,
    DeliveryFailed,
    LeaseSigned,
    NeedClosed,
    OfferEnded,
    OfferMade,
    SourcingFact,
)
from stargate.broker.sourcing.records import TimerKind
from tests.broker.sourcing.world import T0, Entry, World, pool, requirement, right


def test_no_fact_command_or_timer_is_without_its_handler() -> None:
    handled = {*evolve_need.HANDLERS, *evolve_offer.HANDLERS, *evolve_lease.HANDLERS}
    assert handled == set(get_args(SourcingFact))
    assert set(_COMMANDS) == set(get_args(SourcingCommand))
    assert set(_DUE) == set(get_args(TimerKind))


def told(world: World, kind: type) -> list[Notify]:
    """What was said on the last fact of a kind."""
    number, fact = [(n, fact) for n, (_, fact) in enumerate(world.log, 1) if isinstance(fact, kind)][-1]
    return list(react(world, Entry(number, world.now, fact)))  # type: ignore[arg-type]


def test_a_holder_hears_of_its_offer_and_until_when_it_may_answer() -> None:
    world = World(right())
    world.open()
    (notice,) = told(world, OfferMade)
    assert (notice.party, notice.subject) == ("microsoft", "n.o1")
    assert notice.due == world.offer().deadline
    assert notice.id == "2.0"


def test_both_sides_hear_of_the_end_and_of_the_deal() -> None:
    world = World(right())
    world.open()
    world.answer("accept")
    assert [one.party for one in told(world, OfferEnded)] == ["microsoft", "openai"]
    assert [one.party for one in told(world, LeaseSigned)] == ["microsoft", "openai"]


def test_a_provider_hears_of_its_failure_and_what_follows() -> None:
    world = World(right(cure=Duration(DAY)), pools=(pool("az", "azure", from_=T0.plus(90 * DAY)),))
    world.open()
    world.answer("accept")
    world.do(ReportDelivery("n.l1", 0, failed=True))
    assert [(one.party, one.due) for one in told(world, DeliveryFailed)] == [
        ("microsoft", world.days(1)), ("openai", world.days(1)),
    ]  # fmt: skip
    world.run_until(world.days(1))
    assert [one.party for one in told(world, CoverGranted)] == ["microsoft"]


def test_the_buyer_hears_of_a_need_that_cannot_be_met() -> None:
    world = World(pools=())
    world.open(wanted=requirement(start_by=T0.plus(DAY)))
    world.do(ReviseNeed("n", requirement(start_by=T0.plus(2 * DAY))))
    world.run_until(world.days(2))
    assert not world.facts(NeedClosed)
    world.run_until(world.days(3))
    (notice,) = told(world, NeedClosed)
    assert (notice.party, notice.subject) == ("openai", "n")
