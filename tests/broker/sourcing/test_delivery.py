"""From signature to delivery, failure, cure, cover; loss of supply; the end of leases and needs."""

from __future__ import annotations

from typing import Any

import pytest

from stargate.base.errors import ForbiddenError, StateConflictError, UserError
from stargate.base.time import DAY, HOUR, Duration, Instant
from stargate.broker.sourcing.command import ReportDelivery, SubmitQuote
from stargate.broker.sourcing.fact import CoverGranted, DeliveryDue, DeliveryFailed, NeedReopened
from tests.broker.sourcing.world import T0, World, pool, requirement, right, terms, usd

BUILD = T0.plus(20 * DAY)
"""When Azure's new hall is ready."""


def built_later(**changes: Any) -> World:
    """Azure accepts 64 chips in a hall that is ready after 20 days; the latest start is after 10."""
    world = World(
        right(delivery_grace=Duration(2 * DAY), cure=Duration(3 * DAY), **changes),
        pools=(
            pool("az-new", "azure", price="2.00", from_=BUILD),
            pool("oci-tx", "oci", price="2.50"),
            pool("cw-tx", "coreweave", price="3.00"),
        ),
    )
    world.open(wanted=requirement(start_by=T0.plus(10 * DAY), topology="pool"))
    world.answer("accept")
    assert world.leases() == [("az-new", 64, "signed")]
    assert world.lease().start == world.days(10)
    return world


def test_a_pool_that_is_there_delivers_at_the_start_by_itself() -> None:
    world = World(pools=(pool("oci-tx", "oci", start_delay=Duration(5 * DAY)),))
    world.open()
    assert world.leases() == [("oci-tx", 64, "signed")]
    assert not world.placeable
    world.run_until(world.days(5))
    assert world.leases() == [("oci-tx", 64, "active")]
    assert world.placeable == {"n.l1": 64}


def test_what_is_not_there_is_due_then_failed_then_covered() -> None:
    world = built_later()
    world.run_until(world.days(10))
    assert world.facts(DeliveryDue)[0].deliver_by == world.days(12)
    world.run_until(world.days(12))
    failed = world.facts(DeliveryFailed)[0]
    assert (failed.missing_chips, failed.cure_until) == (64, world.days(15))
    assert world.need().status == "covered"
    world.run_until(world.days(15))
    cover = world.facts(CoverGranted)[0]
    assert (cover.clause, cover.chips) == ("msft/rofr", 64)
    assert world.leases() == [("az-new", 64, "failed"), ("oci-tx", 64, "active")]
    assert len(world.sourcing.offers) == 1, "no new offer for what the holder did not deliver"
    lease = world.lease()
    assert lease.covers == ("msft/rofr",)
    hours = (lease.until - lease.start) // HOUR
    assert lease.cover_cost_micro_usd == usd("0.50") * 64 * hours


def test_cover_may_be_bought_at_any_terms() -> None:
    # In first-offer mode a dearer third party would otherwise have to be put before the holder.
    world = World(
        right(mode="first_offer"),
        pools=(pool("az-new", "azure", price="2.00", from_=BUILD), pool("oci-tx", "oci", price="9.00")),
    )
    world.open(wanted=requirement(start_by=T0.plus(10 * DAY), max_price_micro_usd_per_chip_hour=usd("9")))
    world.answer("accept", terms=terms(price_micro_usd_per_chip_hour=usd("2.00"), start=T0.plus(10 * DAY)))
    world.run_until(world.days(10))
    assert world.leases() == [("az-new", 64, "failed"), ("oci-tx", 64, "active")]
    assert len(world.sourcing.offers) == 1


def test_only_what_failed_may_be_covered() -> None:
    world = built_later()
    world.run_until(world.days(10))
    world.do(ReportDelivery("n.l1", 48, reported_by="microsoft"))
    assert world.placeable == {"n.l1": 48}
    world.run_until(world.days(15))
    assert world.leases() == [("az-new", 48, "active"), ("oci-tx", 16, "active")]
    assert world.facts(CoverGranted)[0].chips == 16
    assert world.placeable == {"n.l1": 48, "n.l2": 16}


def test_delivery_within_the_time_to_cure_saves_the_deal() -> None:
    world = built_later()
    world.run_until(world.days(13))
    world.do(ReportDelivery("n.l1", 64, reported_by="microsoft", evidence="acceptance test 7"))
    world.run_until(world.days(16))
    assert world.leases() == [("az-new", 64, "active")]
    assert not world.facts(CoverGranted)


def test_a_hall_that_is_ready_within_the_grace_delivers_by_itself() -> None:
    world = World(right(delivery_grace=Duration(12 * DAY)), pools=(pool("az-new", "azure", from_=BUILD),))
    world.open(wanted=requirement(start_by=T0.plus(10 * DAY)))
    world.answer("accept")
    world.run_until(world.days(21))
    assert world.leases() == [("az-new", 64, "signed")]
    world.review()
    assert world.leases() == [("az-new", 64, "active")], "as soon as the catalog says so"
    world.run_until(world.days(23))
    assert world.lease().delivery == "delivered"


def test_a_provider_may_give_up_early() -> None:
    world = built_later()
    world.do(ReportDelivery("n.l1", 0, failed=True, reported_by="microsoft", evidence="no transformers"))
    assert world.facts(DeliveryFailed)[0].cure_until == world.days(3)
    world.run_until(world.days(3))
    assert world.leases() == [("az-new", 64, "failed"), ("oci-tx", 64, "active")]


def test_a_third_party_that_fails_is_replaced_by_another() -> None:
    world = World(
        right(),
        pools=(
            pool("cw", "coreweave", price=None, from_=T0.plus(100 * DAY)),
            pool("oci-tx", "oci", price="2.50"),
        ),
        delivery_grace=Duration(DAY),
        market_window=Duration(DAY),
    )
    world.open()
    world.answer("decline")
    world.do(SubmitQuote("q", "n", "coreweave", "cw", terms(price_micro_usd_per_chip_hour=usd("1.00"))))
    world.run_until(world.days(31))
    assert world.leases()[0] == ("cw", 64, "failed")
    world.run_until(world.days(32))
    assert world.leases() == [("cw", 64, "failed"), ("oci-tx", 64, "active")]
    assert len(world.sourcing.offers) == 1, "the refusal stands"
    assert not world.facts(CoverGranted), "cover is for holders that fail"


@pytest.mark.parametrize(
    ("report", "error"),
    [
        (ReportDelivery("n.l1", 65), UserError),
        (ReportDelivery("n.l1", -1), UserError),
        (ReportDelivery("n.l1", 8, reported_by="coreweave"), ForbiddenError),
        (ReportDelivery("n.l9", 8), UserError),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(report: ReportDelivery, error: type[Exception]) -> None:
    world = built_later()
    world.run_until(world.days(10))
    before = len(world.log)
    with pytest.raises(error):
        world.do(report)
    assert len(world.log) == before


def test_delivery_cannot_be_reported_before_the_start_or_taken_back() -> None:
    world = built_later()
    with pytest.raises(StateConflictError, match="starts"):
        world.do(ReportDelivery("n.l1", 64))
    world.run_until(world.days(10))
    world.do(ReportDelivery("n.l1", 48))
    assert not world.do(ReportDelivery("n.l1", 48)), "the same again is no news"
    with pytest.raises(StateConflictError, match="were delivered already"):
        world.do(ReportDelivery("n.l1", 8))


# -- losing supply -----------------------------------------------------------------------------------------


def held_by_azure(**changes: Any) -> World:
    world = World(right(**changes), pools=(pool("az-tx", "azure"), pool("oci-tx", "oci", price="3.00")))
    world.open(wanted=requirement(topology="pool"))
    world.answer("accept")
    world.run_until(world.days(4))
    world.marks["azure"] = "lost"
    return world


def test_a_holder_that_loses_its_supply_is_covered_for_at_once_without_a_time_to_cure() -> None:
    world = held_by_azure()
    world.lose("n.l1")
    assert world.leases() == [("az-tx", 64, "failed"), ("oci-tx", 64, "active")]
    assert world.lease().covers == ("msft/rofr",)
    assert len(world.sourcing.offers) == 1


def test_a_holder_may_cure_a_loss() -> None:
    world = held_by_azure(cure=Duration(DAY))
    world.lose("n.l1")
    world.lose("n.l1")  # said twice, dealt with once
    assert len(world.facts(DeliveryFailed)) == 1
    world.marks.clear()
    world.review()
    world.run_until(world.days(6))
    assert world.leases() == [("az-tx", 64, "active")]
    assert world.lease().delivery == "delivered"


def test_a_loss_that_is_not_cured_is_covered() -> None:
    world = held_by_azure(cure=Duration(DAY))
    world.lose("n.l1")
    world.run_until(world.days(5))
    assert world.leases() == [("az-tx", 64, "failed"), ("oci-tx", 64, "active")]


def test_a_cover_that_is_lost_may_be_covered_again() -> None:
    world = held_by_azure()
    world.catalog_pools["cw"] = pool("cw", "coreweave", price="5.00")
    world.lose("n.l1")
    world.marks["oci"] = "lost"
    world.lose("n.l2")
    assert world.lease().pool == "cw"
    assert world.lease().covers == ("msft/rofr",)
    assert len(world.sourcing.offers) == 1


def test_lead_times_stay_what_they_were_when_a_running_supplier_is_lost() -> None:
    world = World(pools=(pool("oci-tx", "oci"), pool("cw", "coreweave", start_delay=Duration(2 * HOUR))))
    world.open(wanted=requirement(start_by=T0.plus(HOUR), topology="pool"))
    world.run_until(world.days(4))
    world.marks["oci"] = "lost"
    world.lose("n.l1")
    assert world.facts(NeedReopened)[0].shift == 4 * DAY
    assert world.need().status == "market", "two hours are more than the one that was asked for"
    world.catalog_pools["sb"] = pool("sb", "softbank", start_delay=Duration(HOUR))
    world.review()
    assert world.lease().pool == "sb"


def test_a_loss_after_the_term_is_no_need() -> None:
    world = World(pools=(pool("oci-tx", "oci"),))
    world.open()
    world.run_until(world.days(31))
    world.lose("n.l1")
    assert world.leases() == [("oci-tx", 64, "ended")]


# -- the end -----------------------------------------------------------------------------------------------


def test_a_need_whose_leases_have_run_their_time_is_met() -> None:
    world = World()
    world.open()
    world.run_until(world.days(30))
    assert [status for _, _, status in world.leases()] == ["ended", "ended"]
    assert (world.need().status, world.need().outcome) == ("closed", "met")
    assert not world.placeable
    assert not world.sourcing.leased_chips
    assert not world.sourcing.timers


def test_a_need_that_is_still_short_when_its_term_ends_is_not_met() -> None:
    world = World(right(), pools=(pool("az-tx", "azure", nodes=2),))
    world.open()
    world.answer("partial", chips=16)
    world.run_until(world.days(70))
    assert world.need().outcome == "unmet"
    assert not world.sourcing.timers


@pytest.mark.parametrize("moving", [False, True])
def test_a_need_that_lost_its_supplier_ends_with_its_term_by_itself(moving: bool) -> None:
    world = World(pools=(pool("oci-tx", "oci"),))
    world.open(wanted=requirement(start_by=T0.plus(60 * DAY)), moving_start=moving)
    world.marks["oci"] = "lost"
    world.lose("n.l1")
    world.run_until(Instant(world.days(30) - 1))
    assert world.need().status == "market"
    world.run_until(world.days(30))
    assert (world.need().status, world.need().outcome) == ("closed", "unmet")
    assert not world.sourcing.timers


def test_two_needs_do_not_get_the_same_chips() -> None:
    world = World(pools=(pool("oci-tx", "oci", nodes=8), pool("cw", "coreweave", nodes=8, price="9.00")))
    world.open("a", wanted=requirement(topology="pool"))
    world.open("b", wanted=requirement(topology="pool"))
    assert world.leases() == [("oci-tx", 64, "active"), ("cw", 64, "active")]
    world.open("c", wanted=requirement(topology="pool", start_by=T0.plus(90 * DAY)))
    assert world.need("c").status == "market"
    world.run_until(world.days(30))
    world.review()
    assert world.lease().need == "c", "what was freed is let again"
