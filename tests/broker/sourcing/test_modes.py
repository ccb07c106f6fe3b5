"""First offer, match, capability; ceilings, changed terms, tails, revisions; amendments while an offer is open."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from stargate.agreements.right import Right
from stargate.base.time import DAY, HOUR, Duration, Instant
from stargate.broker.sourcing.command import AnswerOffer, ReviseNeed, SubmitQuote, WithdrawQuote
from stargate.broker.sourcing.fact import (
    LeaseSigned,
    NeedRevised,
    OfferAnswered,
    OfferKept,
    TailExpired,
    TermsChanged,
)
from tests.broker.sourcing.world import T0, World, pool, requirement, right, terms, usd

ORACLE = right("orcl/rofr", "oracle", rank=2)
POOLS = (pool("az-tx", "azure", price="2.50"), pool("oci-tx", "oci", price="2.00"))


def first_offer(**changes: Any) -> Right:
    return right(mode="first_offer", **changes)


def match(**changes: Any) -> Right:
    return right(mode="match", **changes)


def quote(id: str = "q1", **changes: Any) -> SubmitQuote:
    provider, place = changes.pop("provider", "coreweave"), changes.pop("pool", "cw")
    return SubmitQuote(id, "n", provider, place, terms(**changes))


# -- capability --------------------------------------------------------------------------------------------


def test_capability_knows_no_price_match() -> None:
    """The holder serves if it can meet the requirement, however cheap others are."""
    world = World(right(), pools=(pool("az-tx", "azure", price="9.00"), pool("oci-tx", "oci", price="0.10")))
    world.open()
    world.answer("accept")
    assert world.leases() == [("az-tx", 64, "active")]


def test_a_holder_cannot_take_what_its_pool_cannot_meet() -> None:
    world = World(right(), pools=(pool("az-tx", "azure", start_delay=Duration(61 * DAY)),))
    world.open()
    assert world.answer("accept").status == "offered", "a later start is no exercise"
    assert "start_by" in world.facts(OfferAnswered)[0].grounds[0].says


def test_a_holder_may_name_its_pool() -> None:
    world = World(right(), pools=(*POOLS, pool("az-nj", "azure", price="3.00", site="jersey")))
    world.open()
    world.answer("accept", pool="az-nj")
    assert world.leases() == [("az-nj", 64, "active")]


# -- first offer -------------------------------------------------------------------------------------------


def test_terms_within_the_buyers_price_close_the_deal() -> None:
    world = World(first_offer(), pools=POOLS)
    world.open(wanted=requirement(max_price_micro_usd_per_chip_hour=usd("2.60")))
    world.answer("accept", terms=terms(price_micro_usd_per_chip_hour=usd("2.55")))
    assert world.leases() == [("az-tx", 64, "signed")]
    assert world.lease().price_micro_usd_per_chip_hour == usd("2.55")


def test_terms_beyond_the_buyers_price_are_a_counter_offer() -> None:
    world = World(first_offer(), pools=POOLS)
    world.open(wanted=requirement(max_price_micro_usd_per_chip_hour=usd("2.40")))
    assert world.answer("accept", terms=terms(price_micro_usd_per_chip_hour=usd("2.55"))).status == "offered"


def test_without_a_buyers_price_the_holders_terms_bid_and_the_cheaper_deal_wins() -> None:
    world = World(first_offer(), pools=POOLS)
    world.open()
    assert (
        world.answer("accept", terms=terms(price_micro_usd_per_chip_hour=usd("2.30"))).status == "not_taken"
    )
    assert world.leases() == [("oci-tx", 64, "active")], "USD 2.00 is below the ceiling of USD 2.30"


def test_the_holders_terms_win_where_nobody_is_better() -> None:
    world = World(first_offer(), pools=POOLS)
    world.open()
    world.answer("accept", terms=terms(price_micro_usd_per_chip_hour=usd("1.50"), start=T0))
    assert world.leases() == [("az-tx", 64, "active")]
    assert world.lease().clause == "msft/rofr"
    assert [one.status for one in world.sourcing.quotes.values()] == ["signed"]


def after_first_offer(**changes: Any) -> World:
    """Azure named USD 2.00; CoreWeave has no list price, and quotes are collected for a day."""
    pools = (pool("az-tx", "azure", price=None), pool("cw", "coreweave", price=None))
    world = World(first_offer(**changes), pools=pools, market_window=Duration(DAY))
    world.open()
    world.answer("accept", terms=terms(price_micro_usd_per_chip_hour=usd("2.00")))
    assert world.need().status == "market"
    return world


def without_azure(world: World) -> None:
    """Azure's own terms are off the table; its refusal stands."""
    world.do(WithdrawQuote(next(iter(world.sourcing.quotes)), "microsoft"))
    world.marks["az-tx"] = "draining"


def test_a_cheaper_third_party_may_sign_and_a_dearer_one_loses_to_the_holder() -> None:
    for price, winner in (("1.90", "cw"), ("2.10", "az-tx")):
        world = after_first_offer()
        world.do(quote(price_micro_usd_per_chip_hour=usd(price)))
        world.run_until(world.days(1))
        assert world.leases() == [(winner, 64, "signed")]
        assert len(world.sourcing.offers) == 1


def test_a_deal_beyond_the_ceiling_arms_the_right_again() -> None:
    """Foster v. Hanni, 841 P.2d 164: materially better terms must be offered again."""
    world = after_first_offer()
    without_azure(world)
    world.do(quote(price_micro_usd_per_chip_hour=usd("2.10")))
    world.run_until(world.days(1))
    changed = world.facts(TermsChanged)
    assert [(one.clause, one.outside, one.version) for one in changed] == [
        ("msft/rofr", ("price_micro_usd_per_chip_hour",), 2)
    ]
    offer = world.offer()
    assert (offer.status, offer.version) == ("offered", 2)
    assert offer.terms is not None
    assert offer.terms.price_micro_usd_per_chip_hour == usd("2.10")
    world.answer("decline")
    assert world.leases() == [("cw", 64, "signed")], "refused at these terms, they are free"


def test_the_holder_may_take_the_changed_terms() -> None:
    world = after_first_offer()
    without_azure(world)
    world.do(quote(price_micro_usd_per_chip_hour=usd("2.10")))
    world.run_until(world.days(1))
    world.marks.clear()
    world.answer("accept")
    assert world.leases() == [("az-tx", 64, "signed")]
    assert world.lease().price_micro_usd_per_chip_hour == usd("2.10")


def test_an_incomparable_deal_is_offered_again_and_as_a_whole_may_save_it() -> None:
    for comparison, again in (("per_term", True), ("as_a_whole", False)):
        world = after_first_offer(comparison=comparison)
        without_azure(world)
        world.do(quote(price_micro_usd_per_chip_hour=usd("1.50"), prepayment=Decimal("0.5")))
        world.run_until(world.days(1))
        assert (len(world.facts(TermsChanged)) == 1) is again
        assert (len(world.facts(LeaseSigned)) == 0) is again


# -- match -------------------------------------------------------------------------------------------------


def test_in_match_mode_the_best_quote_is_put_before_the_holder() -> None:
    world = World(match(), pools=POOLS)
    world.open()
    offer = world.offer()
    assert (offer.right.holder, offer.status, offer.quote) == ("microsoft", "offered", "list:oci-tx")
    assert offer.terms is not None
    assert offer.terms.price_micro_usd_per_chip_hour == usd("2.00")
    world.answer("accept")
    assert world.leases() == [("az-tx", 64, "active")]
    assert world.lease().price_micro_usd_per_chip_hour == usd("2.00"), "at the price it matched"


def test_refused_the_third_party_signs_what_was_put() -> None:
    world = World(match(), pools=POOLS)
    world.open()
    world.answer("decline", world.days(3))
    assert world.leases() == [("oci-tx", 64, "active")]


@pytest.mark.parametrize(
    ("worse", "named"),
    [
        ({"start": T0.plus(HOUR)}, "start"),
        ({"price_micro_usd_per_chip_hour": usd("2.01")}, "price"),
        ({"prepayment": Decimal("0.1")}, "prepayment"),
    ],
)
def test_a_match_in_all_but_one_term_is_no_exercise(worse: dict[str, Any], named: str) -> None:
    """Fienberg v. Hassan, 928 N.E.2d 356."""
    world = World(match(), pools=POOLS)
    world.open()
    put = world.offer().terms
    assert put is not None
    assert world.answer("accept", terms=msgspec.structs.replace(put, **worse)).status == "offered"
    assert named in world.facts(OfferAnswered)[0].grounds[0].says
    assert world.answer("accept", terms=put).status == "accepted"


def test_the_holder_may_match_a_part_and_the_rest_is_signed() -> None:
    world = World(match(), pools=POOLS)
    world.open()
    world.answer("partial", chips=16)
    assert world.leases() == [("az-tx", 16, "active"), ("oci-tx", 48, "active")]


def test_every_holder_with_a_match_right_is_asked_before_the_third_party_signs() -> None:
    world = World(
        match(),
        match(clause="orcl/rofr", holder="oracle", rank=2),
        pools=(*POOLS, pool("cw", "coreweave", price="1.00")),
    )
    world.open()
    world.answer("decline", world.days(5))
    assert world.offers() == [("microsoft", "declined"), ("oracle", "offered")]
    world.answer("decline", world.days(14))
    assert world.leases() == [("cw", 64, "active")]
    assert len(world.sourcing.offers) == 2, "the time that holders take does not change the deal"


def test_a_better_quote_needs_no_new_offer_and_a_dearer_one_does() -> None:
    pools = (pool("az-tx", "azure", price=None), pool("cw", "coreweave", price=None))
    world = World(match(), pools=pools)
    world.open()
    world.do(quote("q1", price_micro_usd_per_chip_hour=usd("2.00")))
    assert world.offer().quote == "q1"
    world.do(WithdrawQuote("q1", "coreweave"))
    world.answer("decline")
    assert world.need().waits_for == "quotes"
    world.do(quote("q2", price_micro_usd_per_chip_hour=usd("2.01")))
    assert world.offers() == [("microsoft", "declined"), ("microsoft", "offered")]
    world.do(WithdrawQuote("q2"))
    world.answer("decline")
    world.do(quote("q3", price_micro_usd_per_chip_hour=usd("1.99")))
    assert world.lease().quote == "q3"
    assert len(world.sourcing.offers) == 2


def test_the_holders_own_list_price_is_no_third_party_deal() -> None:
    world = World(match(), pools=(pool("az-tx", "azure", price="1.00"), POOLS[1]))
    world.open()
    assert not world.sourcing.offers
    assert world.leases() == [("az-tx", 64, "active")]


def test_rights_that_come_before_the_market_are_asked_before_a_match() -> None:
    world = World(match(rank=1), right("orcl/rofr", "oracle", rank=2), pools=POOLS)
    world.open()
    assert world.offers() == [("oracle", "offered")]
    world.answer("decline")
    assert world.offers()[-1] == ("microsoft", "offered")


# -- revisions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"start_by": T0.plus(61 * DAY)},
        {"chip_types": ("h100", "h200")},
        {"jurisdictions": ()},
        {"max_price_micro_usd_per_chip_hour": usd("0.20")},
        {"chips": 56},
        {"chips": 72},
        {"duration": Duration(31 * DAY)},
    ],
)
def test_relaxing_or_enlarging_arms_a_refused_right_again(changes: dict[str, Any]) -> None:
    world = World(right(), pools=())
    world.open(wanted=requirement(max_price_micro_usd_per_chip_hour=usd("0.10")))
    world.answer("cannot_meet")
    assert world.need().waits_for == "quotes"
    plain = {"max_price_micro_usd_per_chip_hour": usd("0.10"), **changes}
    world.do(ReviseNeed("n", requirement(**plain)))
    assert world.offers() == [("microsoft", "cannot_meet"), ("microsoft", "offered")]
    assert world.offer().version == 2
    assert world.facts(NeedRevised)[0].rearmed == ("msft/rofr",)


@pytest.mark.parametrize(
    "changes",
    [
        {"start_by": T0.plus(59 * DAY)},
        {"jurisdictions": ("US-TX",)},
        {"max_price_micro_usd_per_chip_hour": usd("0.05")},
        {"topology": "pool"},
    ],
)
def test_tightening_does_not(changes: dict[str, Any]) -> None:
    world = World(right(), pools=())
    world.open(wanted=requirement(max_price_micro_usd_per_chip_hour=usd("0.10")))
    world.answer("cannot_meet")
    plain = {"max_price_micro_usd_per_chip_hour": usd("0.10"), **changes}
    world.do(ReviseNeed("n", requirement(**plain)))
    assert world.offers() == [("microsoft", "cannot_meet")]
    assert world.need().version == 2


def test_relaxing_back_to_what_was_refused_arms_nothing() -> None:
    world = World(right(), pools=())
    world.open()
    world.answer("cannot_meet")
    world.do(ReviseNeed("n", requirement(topology="block", jurisdictions=("US-TX",))))
    world.do(ReviseNeed("n", requirement()))
    assert len(world.sourcing.offers) == 1


def test_an_open_offer_is_replaced_when_the_need_is_revised() -> None:
    world = World(right())
    world.open()
    world.do(ReviseNeed("n", requirement(topology="pool")), world.days(4))
    assert world.offers() == [("microsoft", "withdrawn"), ("microsoft", "offered")]
    assert world.offer().deadline == Instant.parse("2025-02-18"), "with a window of its own"
    assert world.answer("accept", offer="n.o1", answered_by="microsoft").status == "withdrawn"


def test_a_covered_need_may_grow() -> None:
    world = World(right())
    world.open()
    world.answer("accept")
    world.do(ReviseNeed("n", requirement(chips=72)))
    assert world.offers() == [("microsoft", "accepted"), ("microsoft", "offered")]
    assert world.offer().chips == 8


# -- tails -------------------------------------------------------------------------------------------------


def test_a_refusal_stands_until_the_tail_ends() -> None:
    world = World(right(tail=Duration(20 * DAY)), pools=())
    world.open()
    world.answer("decline")
    world.run_until(Instant(world.days(20) - 1))
    assert len(world.sourcing.offers) == 1
    world.run_until(world.days(20))
    assert world.facts(TailExpired)[0].clause == "msft/rofr"
    assert world.offers() == [("microsoft", "declined"), ("microsoft", "offered")]


def test_a_loss_within_the_tail_is_made_good_without_asking_again() -> None:
    world = World(right(tail=Duration(20 * DAY)))
    world.open(wanted=requirement(topology="pool", start_by=T0.plus(HOUR)))
    world.answer("cannot_meet")
    assert world.leases() == [("oci-tx", 64, "active")]
    world.run_until(world.days(10))
    world.marks["oci"] = "lost"
    world.lose("n.l1")
    assert world.leases() == [("oci-tx", 64, "failed"), ("cw-nj", 64, "active")]
    assert len(world.sourcing.offers) == 1
    replacement = world.lease()
    assert replacement.start == world.days(10)
    assert replacement.until == world.days(30), "what is left of the term"


def test_a_loss_after_the_tail_asks_the_holder_first() -> None:
    world = World(right(tail=Duration(20 * DAY)))
    world.open(wanted=requirement(topology="pool"))
    world.answer("cannot_meet")
    world.run_until(world.days(20))
    world.marks["oci"] = "lost"
    world.lose("n.l1")
    assert world.offers() == [("microsoft", "cannot_meet"), ("microsoft", "offered")]
    assert len(world.sourcing.leases) == 1


def test_without_a_tail_a_refusal_stands_until_the_need_is_closed() -> None:
    world = World(right())
    world.open(wanted=requirement(topology="pool"))
    world.answer("decline")
    world.run_until(world.days(29))
    world.lose("n.l1")
    assert len(world.sourcing.offers) == 1
    assert world.lease(-1).status == "active"


# -- agreements that change --------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "status"), [("complete", "offered"), ("void", "void")])
def test_an_amendment_while_an_offer_is_open_follows_the_clause(rule: str, status: str) -> None:
    world = World(right(on_amendment=rule))
    world.open()
    world.clauses.clear()
    world.review()
    assert world.offer(0).status == status
    assert (world.need().status == "covered") is (rule == "void")
    if rule == "complete":
        assert world.answer("accept").status == "accepted"
        assert world.leases() == [("az-tx", 64, "active")]


def test_a_changed_right_is_offered_again_under_its_new_terms() -> None:
    world = World(right(on_amendment="void"))
    world.open()
    world.clauses[:] = [({}, right(on_amendment="void", mode="first_offer"))]
    world.review()
    assert world.offers() == [("microsoft", "void"), ("microsoft", "offered")]
    assert world.offer().right.mode == "first_offer"


@pytest.mark.parametrize(("rule", "status"), [("complete", "offered"), ("void", "void")])
def test_the_end_of_the_right_while_an_offer_is_open_follows_the_clause(rule: str, status: str) -> None:
    world = World(right(at_end=rule, until=world_days(3)))
    world.open()
    world.run_until(world_days(3))
    assert world.offer(0).status == status


def test_an_offer_that_is_completed_under_the_old_terms_is_on_record_once() -> None:
    world = World(right())
    world.open()
    world.clauses.clear()
    world.review()
    world.review()
    assert [(one.offer, one.final) for one in world.facts(OfferKept)] == [("n.o1", True)]
    world.clauses.append(({}, right(suspended="an uncured default")))
    world.review()
    assert world.offer().status == "offered", "whatever becomes of the right afterwards"


def test_the_offer_of_a_right_that_is_prolonged_goes_on() -> None:
    world = World(right(at_end="void", until=world_days(3)))
    world.open()
    world.clauses[:] = [({}, right(at_end="void", until=world_days(6)))]
    world.run_until(world_days(3))
    assert world.offer().status == "offered"
    assert [(one.until, one.final) for one in world.facts(OfferKept)] == [(world_days(6), False)]
    world.run_until(world_days(6))
    assert world.offer().status == "void"


def world_days(count: int) -> Instant:
    return T0.plus(count * DAY)


def test_a_right_that_comes_into_force_is_honoured_before_anything_more_is_signed() -> None:
    world = World(pools=())
    world.open()
    assert world.need().status == "market"
    world.clauses.append(({}, right()))
    world.review()
    assert world.offers() == [("microsoft", "offered")]


def test_a_right_that_rests_while_its_offer_is_open_ends_it() -> None:
    world = World(right())
    world.open()
    world.clauses[:] = [({}, right(suspended="an uncured default"))]
    world.review()
    assert world.offers() == [("microsoft", "void")]
    assert world.need().status == "covered"


def test_a_fact_that_closes_a_place_to_the_holder_is_no_exercise_there() -> None:
    world = World(right())
    world.forbidden["az-tx"] = "law/residency"
    world.open()
    with pytest.raises(Exception, match="may not serve"):
        world.do(AnswerOffer("n.o1", "accept", "microsoft", pool="az-tx"))
