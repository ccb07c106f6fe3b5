"""Quotes and awards: what counts, what is left out with which reason, who may say what."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from stargate.agreements.right import Terms
from stargate.base.errors import ForbiddenError, InputError, NotFoundError, StateConflictError, UserError
from stargate.base.time import DAY, Duration
from stargate.broker.policy import SourcingPolicy
from stargate.broker.sourcing.command import (
    AcknowledgeOffer,
    AnswerOffer,
    AwardNeed,
    GrantWaiver,
    OpenNeed,
    Part,
    ReopenOffer,
    ReviseNeed,
    SourcingCommand,
    SubmitQuote,
    WithdrawNeed,
    WithdrawQuote,
)
from stargate.broker.sourcing.fact import LeaseSigned, NeedWaits, QuoteEnded
from stargate.broker.sourcing.score import score_micro_usd
from tests.broker.sourcing.world import LAB, T0, World, pool, requirement, right, terms, usd

NOW = {"start": T0}


def quote(
    id: str, price: str, provider: str = "coreweave", place: str = "cw-nj", **changes: Any
) -> SubmitQuote:
    deal = terms(price_micro_usd_per_chip_hour=usd(price), **{**NOW, **changes})
    return SubmitQuote(id, "n", provider, place, deal)


def waiting(**policy: Any) -> World:
    """Quotes are collected for a day; the catalog asks USD 2.00 and more."""
    world = World(market_window=Duration(DAY), **policy)
    world.open(wanted=requirement(topology="pool"))
    assert world.need().status == "market"
    return world


def test_quotes_are_collected_for_the_window_and_the_best_is_awarded() -> None:
    world = waiting()
    world.do(quote("q1", "1.95"))
    world.do(quote("q2", "1.90"))
    assert not world.leases()
    world.run_until(world.days(1))
    assert world.lease().quote == "q2"
    assert {id: one.status for id, one in world.sourcing.quotes.items()} == {"q1": "released", "q2": "signed"}


def test_every_candidate_is_on_record_with_its_score_or_its_reason() -> None:
    world = waiting()
    world.forbidden["oci"] = "aws/exclusive"
    world.do(quote("q1", "1.95"))
    world.run_until(world.days(1))
    grounds = world.facts(LeaseSigned)[0].grounds
    assert grounds[0].says == "q1 is the best deal that may be signed"
    assert any("q1 (coreweave): 64 chips at $1.95" in one.says and "score $" in one.says for one in grounds)
    assert any("list:az-tx (azure): 64 chips at $2.50" in one.says for one in grounds)
    assert any(one.clause == "aws/exclusive" and "list:oci-tx" in one.says for one in grounds)
    assert any(one.says == "1 left out: too few chips are free" for one in grounds)


def test_many_that_are_left_out_for_one_reason_are_counted() -> None:
    pools = tuple(pool(f"b{number}", "aws", chip="b200") for number in range(300))
    world = World(pools=(*pools, pool("oci-tx", "oci")))
    world.open()
    grounds = world.facts(LeaseSigned)[0].grounds
    assert any(one.says == "300 left out: does not meet chip_types" for one in grounds)
    assert len(grounds) < 10


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nodes": 7}, "too few chips are free"),
        ({"chip": "b200"}, "does not meet chip_types"),
        ({"site": "oslo"}, "does not meet jurisdictions"),
        ({"price": None}, "no price is known, or no term is left"),
        ({"min_chips": 65}, "less is needed than is sold"),
        ({"max_duration": Duration(29 * DAY)}, "it is not sold for so long"),
        ({"start_delay": Duration(61 * DAY)}, "does not meet start_by"),
        ({"chips_per_node": 4}, "does not meet chips_per_node"),
    ],
)
def test_a_standing_offer_that_does_not_fit_says_why(change: dict[str, Any], says: str) -> None:
    world = World(pools=(pool("x", "oci", **change),))
    world.open(wanted=requirement(topology="pool"))
    assert [one.says for one in world.facts(NeedWaits)[-1].grounds] == [f"1 left out: {says}"]


def test_a_block_must_hold_all_of_it() -> None:
    world = World(pools=(pool("x", "oci", block_nodes=7),))
    world.open(wanted=requirement(topology="block"))
    assert "topology" in world.facts(NeedWaits)[-1].grounds[0].says
    world = World(pools=(pool("x", "oci", block_nodes=8),))
    assert world.open(wanted=requirement(topology="block")).status == "covered"


def test_work_needs_a_pool_with_an_engine() -> None:
    plain = pool("x", "oci")
    bare = msgspec.structs.replace(plain, engine=type(plain.engine)())
    world = World(pools=(bare,))
    world.open("a")
    assert world.need("a").status == "covered"
    world = World(pools=(bare,))
    world.open("a", workload="lm")
    assert "has no engine" in world.facts(NeedWaits)[-1].grounds[0].says


def test_pools_that_are_lost_or_draining_are_left_out() -> None:
    for mark in ("lost", "draining"):
        world = World(pools=(pool("x", "oci"),))
        world.marks["oci"] = mark
        world.open()
        assert world.facts(NeedWaits)[-1].grounds[0].says == f"1 left out: the pool is {mark}"


def test_several_deals_are_combined_only_where_any_topology_will_do() -> None:
    pools = (pool("a", "oci", nodes=4), pool("b", "coreweave", nodes=4), pool("c", "azure", price="9.00"))
    world = World(pools=pools)
    world.open(wanted=requirement(topology="any"))
    assert world.leases() == [("a", 32, "active"), ("b", 32, "active")]
    world = World(pools=pools)
    world.open(wanted=requirement(topology="pool"))
    assert world.leases() == [("c", 64, "active")]
    world = World(pools=pools, max_parts=1)
    world.open(wanted=requirement(topology="any"))
    assert world.leases() == [("c", 64, "active")]


def test_a_preference_decides_between_equals() -> None:
    pools = (pool("a", "oci"), pool("b", "coreweave"))
    for provider, place in (("oci", "a"), ("coreweave", "b")):
        world = World(pools=pools, preferred_providers=(provider,))
        world.open()
        assert world.leases() == [(place, 64, "active")]
    world = World(pools=pools)
    world.liked.add("b")
    world.open()
    assert world.leases() == [("b", 64, "active")], "a clause that prefers it is worth one percent"


def test_an_expired_or_withdrawn_quote_is_no_candidate() -> None:
    world = waiting()
    world.do(quote("q1", "1.00"))
    world.do(msgspec.structs.replace(quote("q2", "1.10"), valid_until=world.days(0.5)))
    world.do(WithdrawQuote("q1", "coreweave"))
    world.run_until(world.days(1))
    assert [one.outcome for one in world.facts(QuoteEnded)] == ["withdrawn", "expired"]
    assert world.lease().quote == "list:oci-tx"
    assert not world.do(WithdrawQuote("q1"))


def test_a_quote_that_comes_later_ends_the_waiting() -> None:
    world = World(pools=(pool("cw-nj", "coreweave", price=None, site="jersey"),))
    world.open()
    assert world.need().waits_for == "quotes"
    world.do(quote("q1", "2.00"))
    assert world.need().status == "covered"


# -- awarding by hand --------------------------------------------------------------------------------------


def test_where_policy_says_so_a_person_awards() -> None:
    world = World(manual_award=True)
    world.open(wanted=requirement(topology="pool"))
    assert world.need().waits_for == "award"
    assert not world.leases()
    world.do(AwardNeed("n", "list:cw-nj"))
    assert world.leases() == [("cw-nj", 64, "active")]


def test_a_person_may_award_part_by_part() -> None:
    world = World(manual_award=True)
    world.open()
    world.do(AwardNeed("n", "list:sb-tx"))
    world.do(AwardNeed("n", "list:oci-tx"))
    assert world.leases() == [("sb-tx", 32, "active"), ("oci-tx", 32, "active")]
    assert world.need().status == "covered"


def test_an_award_by_hand_is_bound_by_rights_too() -> None:
    world = World(right(mode="match"), manual_award=True)
    world.open()
    world.do(AwardNeed("n", "list:oci-tx"))
    assert world.offers() == [("microsoft", "offered")]
    world.answer("decline")
    assert world.need().waits_for == "award"
    world.do(AwardNeed("n", "list:cw-nj"))
    assert world.offers()[-1] == ("microsoft", "offered"), "a dearer deal than the one refused"
    world.answer("decline")
    world.do(AwardNeed("n", "list:cw-nj"))
    assert world.leases() == [("cw-nj", 64, "active")]


def test_what_is_closed_cannot_be_awarded() -> None:
    world = World(manual_award=True)
    world.forbidden["oci-tx"] = "law/residency"
    world.open(wanted=requirement(topology="pool"))
    with pytest.raises(ForbiddenError, match="law/residency") as refused:
        world.do(AwardNeed("n", "list:oci-tx"))
    assert refused.value.reasons == ("law/residency",)
    with pytest.raises(ForbiddenError, match="too few chips"):
        world.do(AwardNeed("n", "list:sb-tx"))
    with pytest.raises(NotFoundError):
        world.do(AwardNeed("n", "q99"))


# -- what is refused ---------------------------------------------------------------------------------------


def microsoft(answer: Any, **more: Any) -> AnswerOffer:
    return AnswerOffer("n.o1", answer, "microsoft", **more)


@pytest.mark.parametrize(
    ("command", "error", "says"),
    [
        (OpenNeed("n", requirement(chips=8), LAB), StateConflictError, "exists already"),
        (OpenNeed("no/slash", requirement(), LAB), InputError, "no usable id"),
        (OpenNeed("m", requirement(), ""), InputError, "nobody is named"),
        (OpenNeed("m", requirement(), LAB, parts=(Part(8),)), InputError, "add up to 64"),
        (OpenNeed("m", requirement(), LAB, parent="x"), NotFoundError, "no need 'x'"),
        (OpenNeed("m", requirement(), LAB, renews="x"), NotFoundError, "no lease 'x'"),
        (OpenNeed("m", requirement(chip_types=("h1000",)), LAB), NotFoundError, "no chip 'h1000'"),
        (ReviseNeed("n", requirement(chip_types=("h1000",))), NotFoundError, "no chip 'h1000'"),
        (SubmitQuote("q", "n", "oci", "oci-tx", terms(chip_type="h1000")), NotFoundError, "no chip 'h1000'"),
        (ReviseNeed("x", requirement()), NotFoundError, "no need"),
        (WithdrawNeed("x"), NotFoundError, "no need"),
        (AnswerOffer("x", "accept", "microsoft"), NotFoundError, "no offer"),
        (AnswerOffer("n.o1", "accept", "oracle"), ForbiddenError, "only the holder"),
        (microsoft("cannot_meet"), InputError, "no unmet part"),
        (microsoft("cannot_meet", unmet=("mood",)), InputError, "'mood' is no part"),
        (microsoft("partial"), InputError, "0 chips cannot be taken"),
        (microsoft("partial", chips=12), InputError, "multiple of 8"),
        (microsoft("partial", chips=72), InputError, "from 8 to 64"),
        (microsoft("accept", pool="oci-tx"), NotFoundError, "has no pool"),
        (microsoft("accept", pool="az-b"), StateConflictError, "does not meet chip_types"),
        (microsoft("waive", waiver="until"), InputError, "no end"),
        (microsoft("waive", waiver="class"), InputError, "class is empty"),
        (AcknowledgeOffer("n.o1", "oracle"), ForbiddenError, "only the holder"),
        (AcknowledgeOffer("x", "oracle"), NotFoundError, "no offer"),
        (ReopenOffer("x"), NotFoundError, "no offer"),
        (GrantWaiver("w", "msft/rofr", "microsoft", LAB, "need", need="n"), ForbiddenError, "cannot waive"),
        (GrantWaiver("w", "msft/rofr", "microsoft", "microsoft", "need", need="x"), NotFoundError, "no need"),
        (GrantWaiver("w", "msft/rofr", "microsoft", "microsoft", "class"), InputError, "class is empty"),
        (GrantWaiver("w", "msft/rofr", "microsoft", "microsoft", "until"), InputError, "no end"),
        (GrantWaiver("w", "orcl/x", "oracle", "oracle", "need", need="n"), NotFoundError, "does not cover"),
        (SubmitQuote("q", "x", "oci", "oci-tx", terms()), NotFoundError, "no need"),
        (SubmitQuote("q", "n", "oci", "az-tx", terms()), NotFoundError, "has no pool"),
        (SubmitQuote("q", "n", "oci", "oci-tx", terms(), quoted_by="amazon"), ForbiddenError, "cannot quote"),
        (SubmitQuote("q q", "n", "oci", "oci-tx", terms()), InputError, "no usable id"),
        (SubmitQuote("q", "n", "oci", "oci-tx", terms(), valid_until=T0), InputError, "has expired"),
        (
            SubmitQuote("q", "n", "oci", "oci-tx", terms(price_micro_usd_per_chip_hour=None)),
            InputError,
            "names no price",
        ),
        (WithdrawQuote("x"), NotFoundError, "no quote"),
        (AwardNeed("n", "list:oci-tx"), StateConflictError, "not before the market"),
        (AwardNeed("x", "list:oci-tx"), NotFoundError, "no need"),
    ],
)
def test_nonsense_is_refused_with_words_and_changes_nothing(
    command: SourcingCommand, error: type[UserError], says: str
) -> None:
    world = World(
        right(), pools=(pool("az-tx", "azure"), pool("az-b", "azure", chip="b200"), pool("oci-tx", "oci"))
    )
    world.open()
    before = len(world.log)
    with pytest.raises(error, match=says):
        world.do(command)
    assert len(world.log) == before


def test_chips_go_by_any_of_their_names() -> None:
    world = World()
    world.open(wanted=requirement(chip_types=("H100", "h100")))
    assert world.need().requirement.chip_types == ("h100",)
    assert world.need().status == "covered"


def test_a_closed_need_takes_nothing_more() -> None:
    world = World(pools=())
    world.open()
    world.do(WithdrawNeed("n"))
    with pytest.raises(StateConflictError, match="closed"):
        world.do(ReviseNeed("n", requirement(chips=8)))
    world.catalog_pools["oci-tx"] = pool("oci-tx", "oci")
    with pytest.raises(StateConflictError, match="closed"):
        world.do(SubmitQuote("q", "n", "oci", "oci-tx", terms()))


def test_a_need_cannot_shrink_below_what_is_held() -> None:
    world = World(right(), right("o/r", "oracle", rank=2))
    world.open()
    world.answer("partial", chips=24)
    with pytest.raises(StateConflictError, match="24 chips are under lease"):
        world.do(ReviseNeed("n", requirement(chips=16)))


def test_a_holder_without_any_fitting_pool_is_told_so() -> None:
    world = World(right(), pools=(pool("oci-tx", "oci"),))
    world.open()
    with pytest.raises(StateConflictError, match="no pool of microsoft"):
        world.do(AnswerOffer("n.o1", "accept", "microsoft"))
    world = World(right(), pools=(pool("az-tx", "azure", price=None),))
    world.open()
    with pytest.raises(StateConflictError, match="no price is known for"):
        world.do(AnswerOffer("n.o1", "accept", "microsoft"))


# -- scores ------------------------------------------------------------------------------------------------


def score(deal: Terms, *, preferred: bool = False, **policy: Any) -> int:
    return score_micro_usd(SourcingPolicy(**policy), requirement(), deal, T0, preferred=preferred)


def test_the_score_is_the_cost_and_what_the_terms_cost_beside_it() -> None:
    plain = terms(start=T0)
    total = usd("2") * 64 * 24 * 30
    assert score(plain) == total
    assert score(plain, preferred=True) == total * 99 // 100
    prepaid = msgspec.structs.replace(plain, prepayment=Decimal("0.5"))
    # Half the price, for half of 30 days earlier on average, at 10% a year.
    assert score(prepaid) == total + -(-total * 10 * 30 // (2 * 100 * 365 * 2))
    late = msgspec.structs.replace(plain, start=T0.plus(3 * DAY))
    assert score(late, delay_cost_fraction_per_day=Decimal(0)) == total
    assert score(late) > score(msgspec.structs.replace(plain, start=T0.plus(2 * DAY))) > total
