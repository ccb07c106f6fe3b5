"""Who is asked, in which order, with which window, and when nobody has to be."""

from __future__ import annotations

from typing import Any

import pytest

from stargate.agreements.right import Window
from stargate.base.time import DAY, HOUR, Duration, Instant
from stargate.broker.sourcing import timers
from stargate.broker.sourcing.command import (
    AcknowledgeOffer,
    AnswerOffer,
    GrantWaiver,
    OpenNeed,
    Part,
    ReopenOffer,
    WithdrawNeed,
)
from stargate.broker.sourcing.fact import MarketOpened, NeedWaits, OfferAnswered, OfferMade
from tests.broker.sourcing.world import LAB, T0, World, requirement, right

ORACLE = right("orcl/rofr", "oracle", rank=2)


def test_without_a_right_the_market_is_asked_at_once_and_the_best_deal_wins() -> None:
    world = World()
    need = world.open()
    assert need.status == "covered"
    assert not world.sourcing.offers
    # SoftBank is cheapest and has only 32 chips; the next cheapest gives the rest.
    assert world.leases() == [("sb-tx", 32, "active"), ("oci-tx", 32, "active")]
    assert world.facts(MarketOpened)[0].grounds[0].says == "no right of first refusal covers the need"


def test_a_holder_is_asked_before_the_market() -> None:
    world = World(right())
    need = world.open()
    assert world.offers() == [("microsoft", "offered")]
    assert need.status == "asking"
    assert need.waits_for == "answers"
    assert not world.leases()
    made = world.facts(OfferMade)[0]
    assert made.deadline == Instant.parse("2025-02-14")
    assert made.grounds[0].clause == "msft/rofr"


def test_declined_opens_the_market() -> None:
    world = World(right())
    world.open()
    assert world.answer("decline", world.days(1)).status == "declined"
    assert world.need().status == "covered"
    assert world.facts(MarketOpened)[0].grounds[0].clause == "msft/rofr"


def test_cannot_meet_names_the_requirement_and_opens_the_market() -> None:
    world = World(right())
    world.open()
    offer = world.answer("cannot_meet", unmet=("chips", "start_by"))
    assert (offer.status, offer.unmet) == ("cannot_meet", ("chips", "start_by"))
    assert world.need().status == "covered"


def test_silence_until_the_deadline_is_a_refusal() -> None:
    world = World(right())
    world.open()
    closes = world.offer().deadline
    assert closes is not None
    world.run_until(Instant(closes - 1))
    assert world.offers() == [("microsoft", "offered")]
    world.run_until(closes)
    assert world.offers() == [("microsoft", "lapsed")]
    assert world.need().status == "covered"


@pytest.mark.parametrize(("early", "status", "effect"), [(1, "accepted", True), (0, "lapsed", False)])
def test_the_deadline_wins_a_tie(early: int, status: str, effect: bool) -> None:
    world = World(right())
    world.open()
    closes = world.offer().deadline
    assert closes is not None
    world.answer("accept", Instant(closes - early))
    assert world.offer(0).status == status
    assert world.facts(OfferAnswered)[0].effect is effect


def test_an_accepting_holder_gets_the_lease_and_the_market_is_not_asked() -> None:
    world = World(right())
    world.open()
    offer = world.answer("accept")
    assert offer.status == "accepted"
    assert world.leases() == [("az-tx", 64, "active")]
    lease = world.lease()
    assert (lease.clause, lease.offer, lease.agreement) == ("msft/rofr", "n.o1", "msft")
    assert lease.price_micro_usd_per_chip_hour == 2_500_000
    assert not world.facts(MarketOpened)


def test_several_holders_are_asked_in_rank_order() -> None:
    world = World(ORACLE, right())
    world.open()
    assert world.offers() == [("microsoft", "offered")]
    world.answer("decline")
    assert world.offers() == [("microsoft", "declined"), ("oracle", "offered")]
    world.answer("accept")
    assert world.leases() == [("oci-tx", 64, "active")]


def test_a_part_leaves_the_rest_to_the_next_and_then_to_the_market() -> None:
    world = World(right(), ORACLE)
    world.open()
    world.answer("partial", chips=24)
    assert world.offer(0).status == "partial"
    assert world.offer(1).chips == 40
    world.answer("partial", chips=8)
    assert world.need().status == "covered"
    assert world.leases() == [
        ("az-tx", 24, "active"), ("oci-tx", 8, "active"), ("sb-tx", 32, "active"),
    ]  # fmt: skip
    assert sum(chips for _, chips, _ in world.leases()) == 64


def test_a_part_is_a_counter_offer_where_the_clause_allows_none() -> None:
    world = World(right(partial=False))
    world.open()
    assert world.answer("partial", chips=24).status == "offered"
    assert not world.facts(OfferAnswered)[0].effect
    assert world.answer("accept").status == "accepted"


def test_a_counter_offer_is_no_exercise_and_leaves_the_offer_open() -> None:
    world = World(right())
    world.open()
    offer = world.answer("counter", chips=32)
    assert offer.status == "offered"
    assert [(one.answer, one.effect) for one in offer.answers] == [("counter", False)]
    assert world.answer("decline").status == "declined"


@pytest.mark.parametrize("second", ["accept", "decline", "cannot_meet", "counter"])
def test_the_first_answer_counts_and_later_ones_are_on_record(second: str) -> None:
    world = World(right())
    world.open()
    first = world.offer().id
    world.answer("decline")
    leases = world.leases()
    offer = world.answer(second, offer=first, answered_by="microsoft")
    assert offer.status == "declined"
    assert [one.effect for one in offer.answers] == [True, False]
    assert world.leases() == leases


def test_the_buyer_may_ask_again_after_a_refusal() -> None:
    world = World(right(), pools=())
    world.open()
    world.answer("decline")
    assert world.need().waits_for == "quotes"
    world.do(ReopenOffer("n.o1"))
    assert world.offers() == [("microsoft", "declined"), ("microsoft", "offered")]
    world.answer("cannot_meet")
    assert world.need().waits_for == "quotes"


def test_notice_counts_from_its_receipt_where_policy_says_so() -> None:
    world = World(right(window=Window(48, "hours")), notice="on_acknowledgement")
    world.open()
    assert world.offer().deadline is None
    world.do(AcknowledgeOffer("n.o1", "microsoft"), world.days(5))
    assert world.offer().deadline == world.days(7)
    world.do(AcknowledgeOffer("n.o1", "microsoft"), world.days(6))
    assert world.offer().deadline == world.days(7), "a second receipt changes nothing"
    world.run_until(world.days(7))
    assert world.offer(0).status == "lapsed"


# -- carve-outs --------------------------------------------------------------------------------------------


def test_a_holder_whose_right_rests_is_passed_over_with_the_reason() -> None:
    world = World(right(suspended="an uncured default"), ORACLE)
    world.open()
    assert world.offers() == [("oracle", "offered")]
    grounds = world.facts(OfferMade)[0].grounds
    assert any("an uncured default" in ground.says and ground.clause == "msft/rofr" for ground in grounds)


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"threshold_chips": 65}, {}),
        ({"threshold_duration": Duration(31 * DAY)}, {}),
        ({"emergency": "no_trigger"}, {"emergency": True}),
        ({"short_lead": Duration(61 * DAY)}, {}),
    ],
)
def test_what_is_outside_the_right_goes_to_the_market(changes: dict[str, Any], more: dict[str, Any]) -> None:
    world = World(right(**changes))
    world.open(**more)
    assert not world.sourcing.offers
    assert world.need().status == "covered"
    assert world.facts(MarketOpened)[0].grounds[0].clause == "msft/rofr"


def test_an_emergency_is_no_way_around_a_right_that_knows_none() -> None:
    world = World(right())
    world.open(emergency=True)
    assert world.offers() == [("microsoft", "offered")]


def test_renewing_a_third_partys_lease_is_a_new_need_unless_the_clause_says_otherwise() -> None:
    for renewal, offered in (("trigger", 1), ("no_trigger", 0)):
        world = World(pools=())
        world.open("first")
        plain = World(right(renewal=renewal))
        plain.open("first", renews="")
        plain.answer("decline") if plain.sourcing.offers else None
        lease = plain.lease().id
        before = len(plain.sourcing.offers)
        plain.open("second", renews=lease)
        assert len(plain.sourcing.offers) - before == offered


def test_splitting_a_need_does_not_get_around_a_threshold() -> None:
    world = World(right(threshold_chips=64, aggregation_window=Duration(30 * DAY)))
    world.open("a", wanted=requirement(chips=40))
    assert not world.sourcing.offers, "on its own it is too small"
    world.open("b", wanted=requirement(chips=40), at=world.days(29))
    assert world.offers() == [("microsoft", "offered")]
    world.open("c", wanted=requirement(chips=40), at=world.days(58.5))
    assert len(world.sourcing.offers) == 2, "b and c are within one window"


def test_children_count_with_their_parent_for_ever() -> None:
    world = World(right(threshold_chips=64))
    world.open("a", wanted=requirement(chips=40))
    world.open("b", wanted=requirement(chips=40))
    assert not world.sourcing.offers
    world.open("a2", wanted=requirement(chips=24), parent="a", at=world.days(40))
    assert world.need("a2").root == "a"
    assert world.offers() == [("microsoft", "offered")]


def test_a_withdrawn_need_counts_only_with_what_was_signed() -> None:
    world = World(right(threshold_chips=64, aggregation_window=Duration(30 * DAY)), pools=())
    world.open("a", wanted=requirement(chips=40))
    world.do(WithdrawNeed("a"))
    world.open("b", wanted=requirement(chips=40))
    assert not world.sourcing.offers


@pytest.mark.parametrize(("package", "asked"), [("burdened_part", 40), ("whole", 64), ("no_trigger", 0)])
def test_a_package_is_put_before_the_holder_as_the_clause_says(package: str, asked: int) -> None:
    world = World()
    world.clauses.append(({"product": "api"}, right(package=package)))
    parts = (Part(40, {"product": "api"}), Part(24, {"product": "research"}))
    world.open(parts=parts)
    assert [offer.chips for offer in world.sourcing.offers.values()] == ([asked] if asked else [])
    if package == "burdened_part":
        world.answer("accept")
        assert world.leases()[0] == ("az-tx", 40, "active")
        assert len(world.sourcing.offers) == 1, "the rest is not burdened"
        assert world.need().status == "covered"


# -- waivers -----------------------------------------------------------------------------------------------


def test_a_waiver_for_one_need_opens_the_market_for_it_alone() -> None:
    world = World(right())
    world.open("a")
    assert world.answer("waive").status == "waived"
    assert world.need("a").status == "covered"
    world.open("b")
    assert world.offers()[-1] == ("microsoft", "offered")


def test_a_waiver_for_a_class_covers_the_class() -> None:
    world = World(right())
    world.open("a", scope={"kind": "train"})
    world.answer("waive", waiver="class", waived_scope={"kind": "train"})
    world.open("b", scope={"kind": "train"})
    assert len(world.sourcing.offers) == 1
    world.open("c", scope={"kind": "serve"})
    assert len(world.sourcing.offers) == 2


def test_a_waiver_until_a_date_ends_with_it() -> None:
    world = World(right())
    waiver = GrantWaiver("w1", "msft/rofr", "microsoft", "microsoft", "until", waived_until=world.days(5))
    world.do(waiver)
    world.do(waiver)  # the same writing twice is one waiver
    assert len(world.sourcing.waivers) == 1
    world.open("a", at=world.days(4.9))
    assert not world.sourcing.offers
    world.open("b", at=world.days(5))
    assert world.offers() == [("microsoft", "offered")]


def test_a_waiver_ends_the_offers_that_it_concerns() -> None:
    world = World(right())
    world.open("a")
    world.do(GrantWaiver("w", "msft/rofr", "microsoft", "microsoft", "need", need="a"))
    assert world.offers() == [("microsoft", "waived")]
    assert world.need("a").status == "covered"


def test_a_waiver_written_before_the_offer_stands_for_the_need_as_it_is() -> None:
    world = World(right(), ORACLE)
    world.open("a")
    world.do(GrantWaiver("w", "orcl/rofr", "oracle", "oracle", "need", need="a"))
    world.answer("decline")
    assert world.offers() == [("microsoft", "declined")], "Oracle has waived and is not asked"
    assert world.need("a").status == "covered"


# -- several at once ---------------------------------------------------------------------------------------


def pro_rata(clause: str, holder: str, weight: int) -> Any:
    return right(clause, holder, sharing="pro_rata", weight=weight)


def test_holders_of_one_rank_are_asked_together_and_share_by_weight() -> None:
    world = World(pro_rata("msft/rofr", "microsoft", 3), pro_rata("orcl/rofr", "oracle", 1))
    world.open()
    assert world.offers() == [("microsoft", "offered"), ("oracle", "offered")]
    assert [(one.chips, one.share_chips) for one in world.sourcing.offers.values()] == [(64, 48), (64, 16)]
    world.do(AnswerOffer("n.o1", "accept", "microsoft"))
    assert world.offer(0).status == "subscribed"
    assert not world.leases(), "the parts are known when all have answered"
    world.do(AnswerOffer("n.o2", "accept", "oracle"))
    assert world.leases() == [("az-tx", 48, "active"), ("oci-tx", 16, "active")]
    assert world.need().status == "covered"


def test_what_one_leaves_goes_to_who_wants_more_and_the_rest_to_the_market() -> None:
    world = World(
        pro_rata("msft/rofr", "microsoft", 1),
        pro_rata("orcl/rofr", "oracle", 1),
        pro_rata("z/rofr", "coreweave", 1),
    )
    world.open()
    world.do(AnswerOffer("n.o1", "partial", "microsoft", chips=8))
    world.do(AnswerOffer("n.o2", "partial", "oracle", chips=40))
    closes = world.offer(2).deadline
    assert closes is not None
    world.run_until(closes)
    assert world.offers() == [("microsoft", "partial"), ("oracle", "partial"), ("coreweave", "lapsed")]
    assert world.leases() == [
        ("az-tx", 8, "active"), ("oci-tx", 40, "active"), ("sb-tx", 16, "active"),
    ]  # fmt: skip


def test_a_subscriber_for_whom_no_node_is_left_gets_nothing() -> None:
    world = World(*(pro_rata(f"{holder}/r", holder, 1) for holder in ("coreweave", "microsoft", "oracle")))
    world.open(wanted=requirement(chips=16))
    for number, holder in enumerate(("coreweave", "microsoft", "oracle"), 1):
        world.do(AnswerOffer(f"n.o{number}", "accept", holder))
    assert [status for _, status in world.offers()] == ["partial", "partial", "unallocated"]
    assert sum(chips for _, chips, _ in world.leases()) == 16


def test_equal_ranks_in_cascade_are_asked_one_after_another() -> None:
    world = World(right("b/r", "microsoft"), right("a/r", "oracle"))
    world.open()
    assert world.offers() == [("oracle", "offered")]


# -- waiting and withdrawing -------------------------------------------------------------------------------


def test_withdrawing_ends_offers_and_leaves_leases() -> None:
    world = World(right())
    world.open()
    world.answer("partial", chips=8)
    assert world.need().status == "covered"
    again = World(right(), ORACLE)
    again.open()
    again.answer("partial", chips=8)
    again.do(WithdrawNeed("n", "no longer wanted"))
    assert again.offers() == [("microsoft", "partial"), ("oracle", "withdrawn")]
    assert (again.need().status, again.need().outcome) == ("closed", "withdrawn")
    assert again.leases() == [("az-tx", 8, "active")]
    assert not again.do(WithdrawNeed("n"))


def test_a_fixed_start_that_passes_while_a_holder_thinks_closes_the_need() -> None:
    world = World(right())
    world.open(wanted=requirement(start_by=T0.plus(2 * DAY)))
    world.run_until(world.days(2))
    assert world.offers() == [("microsoft", "offered")]
    world.run_until(world.days(3))
    assert world.offers() == [("microsoft", "withdrawn")]
    assert world.need().outcome == "unmet"


def test_a_lead_time_moves_while_a_holder_thinks() -> None:
    world = World(right())
    world.open(wanted=requirement(start_by=T0.plus(2 * HOUR)), moving_start=True)
    closes = world.offer().deadline
    assert closes is not None
    world.run_until(closes)
    assert world.offers() == [("microsoft", "lapsed")]
    assert world.need().status == "covered"
    assert world.lease().start == closes


def test_a_need_without_anybody_says_whom_it_looked_at() -> None:
    world = World()
    world.forbidden["oci"] = "msft/exclusive"
    world.open(wanted=requirement(jurisdictions=("NO",)))
    waits = world.facts(NeedWaits)[-1]
    assert waits.waits_for == "quotes"
    assert any("4 left out: does not meet jurisdictions" in ground.says for ground in waits.grounds)
    assert world.need().status == "market"


def test_a_need_whose_work_no_longer_waits_is_withdrawn_when_it_is_looked_at() -> None:
    world = World(right())
    world.open(workload="lm")
    world.over.add("lm")
    timers.look_unless_covered(world.sourcing, world.need(), world.now)
    world.settle()
    assert world.offers() == [("microsoft", "withdrawn")]
    assert world.need().outcome == "withdrawn"


def test_opening_twice_is_opening_once() -> None:
    world = World(right())
    command = OpenNeed("n", requirement(), LAB)
    world.do(command)
    assert not world.do(command)
    assert len(world.sourcing.offers) == 1
