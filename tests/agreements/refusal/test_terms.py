from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stargate.agreements.refusal.terms import (
    Incomparable,
    Outside,
    Within,
    compare,
    compare_as_a_whole,
    matches,
    value_micro_usd_per_chip,
)
from stargate.agreements.right import Requirement, Terms
from stargate.base.time import DAY, Duration, Instant

REFUSED = Terms(
    chips=1024,
    price_micro_usd_per_chip_hour=2_000_000,
    start=Instant.parse("2026-01-01"),
    duration=Duration(365 * DAY),
    chip_type="h100",
    jurisdiction="US",
    prepayment=Decimal("0.15"),
    sla=Decimal("0.99"),
    liability_cap_micro_usd=1_000_000,
)

BETTER_FOR_THE_THIRD_PARTY: dict[str, Any] = {
    "price_micro_usd_per_chip_hour": 2_000_001,
    "chips": 1032,
    "duration": Duration(366 * DAY),
    "start": Instant.parse("2026-01-02"),
    "prepayment": Decimal("0.2"),
    "sla": Decimal("0.98"),
    "liability_cap_micro_usd": 999_999,
    "jurisdiction": "",
}
WORSE_FOR_THE_THIRD_PARTY: dict[str, Any] = {
    "price_micro_usd_per_chip_hour": 1_999_999,
    "duration": Duration(364 * DAY),
    "start": Instant.parse("2025-12-31"),
    "prepayment": Decimal(0),
    "sla": Decimal("0.999"),
    "liability_cap_micro_usd": None,
    "jurisdiction": "US-TX",
}


def but(**changes: Any) -> Terms:
    return msgspec.structs.replace(REFUSED, **changes)


def test_the_same_terms_are_within() -> None:
    assert compare(REFUSED, REFUSED) == Within()


@pytest.mark.parametrize("name", BETTER_FOR_THE_THIRD_PARTY)
def test_any_one_term_that_is_better_for_the_third_party_is_outside(name: str) -> None:
    found = compare(REFUSED, but(**{name: BETTER_FOR_THE_THIRD_PARTY[name]}))
    assert isinstance(found, Outside)
    assert found.terms == (name,)
    assert "became" in found.says


@pytest.mark.parametrize("name", WORSE_FOR_THE_THIRD_PARTY)
def test_any_one_term_that_is_worse_for_the_third_party_is_within(name: str) -> None:
    assert compare(REFUSED, but(**{name: WORSE_FOR_THE_THIRD_PARTY[name]})) == Within()


def test_a_mix_is_incomparable() -> None:
    found = compare(REFUSED, but(price_micro_usd_per_chip_hour=1_900_000, start=Instant.parse("2026-02-01")))
    assert isinstance(found, Incomparable)
    assert (found.better, found.worse, found.unlike) == (("start",), ("price_micro_usd_per_chip_hour",), ())


def test_another_chip_or_place_is_of_another_kind() -> None:
    found = compare(REFUSED, but(chip_type="mi300x", price_micro_usd_per_chip_hour=1))
    assert isinstance(found, Incomparable)
    assert found.unlike == ("chip_type",)
    assert isinstance(compare(but(jurisdiction="US-TX"), but(jurisdiction="US-WA")), Incomparable)


def test_what_the_requirement_leaves_open_is_not_compared() -> None:
    requirement = Requirement(
        chips=1024,
        chip_types=("h100", "h200"),
        start_by=REFUSED.start,
        duration=REFUSED.duration,
        jurisdictions=("US",),
    )
    offered = but(chip_type="h200", jurisdiction="US-TX")
    assert compare(but(jurisdiction="US-WA"), offered, requirement) == Within()
    assert isinstance(compare(REFUSED, but(chip_type="b200"), requirement), Incomparable)


def test_a_part_is_no_other_deal_unless_all_or_nothing_was_offered() -> None:
    assert compare(REFUSED, but(chips=512)) == Within()
    found = compare(REFUSED, but(chips=512), divisible=False)
    assert isinstance(found, Outside)
    assert found.terms == ("chips",)


def test_where_no_price_was_known_none_is_compared() -> None:
    assert (
        compare(but(price_micro_usd_per_chip_hour=None), but(price_micro_usd_per_chip_hour=9_000_000))
        == Within()
    )


# -- as a whole --------------------------------------------------------------------------------------------


def whole(refused: Terms, offered: Terms, tolerance: str = "0") -> object:
    return compare_as_a_whole(
        refused, offered, tolerance=Decimal(tolerance), annual_discount_fraction=Decimal("0.1")
    )


def test_money_is_weighed_against_money() -> None:
    # More money up front for a lower price: worth less to the seller in the end.
    offered = but(prepayment=Decimal("0.3"), price_micro_usd_per_chip_hour=1_900_000)
    assert isinstance(compare(REFUSED, offered), Incomparable)
    assert whole(REFUSED, offered) == Within()
    assert isinstance(whole(REFUSED, but(prepayment=Decimal("0.3"))), Outside)


def test_the_tolerance_says_how_much_better_is_still_the_same() -> None:
    dearer = but(price_micro_usd_per_chip_hour=2_040_000)
    assert isinstance(whole(REFUSED, dearer, "0.0199"), Outside)
    assert whole(REFUSED, dearer, "0.02") == Within()


def test_terms_that_are_no_money_are_never_averaged_away() -> None:
    cheap_but_late = but(price_micro_usd_per_chip_hour=1, start=Instant.parse("2026-01-02"))
    assert isinstance(whole(REFUSED, cheap_but_late, "0.5"), Incomparable)
    assert isinstance(whole(REFUSED, but(sla=Decimal("0.5")), "0.5"), Outside)


def test_a_small_part_cannot_hide_a_high_price() -> None:
    assert isinstance(whole(REFUSED, but(chips=8, price_micro_usd_per_chip_hour=4_000_000), "0.02"), Outside)
    assert isinstance(whole(REFUSED, but(chips=2048), "0.02"), Outside)


def test_the_value_is_the_annuity_of_the_textbook() -> None:
    # A year at USD 2 an hour, nothing up front, 10% continuous: 17,520 x (1 - e^-0.1) / 0.1.
    value = value_micro_usd_per_chip(but(prepayment=Decimal(0)), Decimal("0.1"))
    assert round(value) == round(Decimal(17_520_000_000) * (1 - Decimal("-0.1").exp()) / Decimal("0.1"))
    assert value_micro_usd_per_chip(but(prepayment=Decimal(1)), Decimal("0.1")) == 17_520_000_000
    assert value_micro_usd_per_chip(REFUSED, Decimal(0)) == 17_520_000_000


# -- matching ----------------------------------------------------------------------------------------------


def test_matching_the_price_at_a_later_date_is_no_match() -> None:
    """Fienberg v. Hassan, 928 N.E.2d 356."""
    assert matches(REFUSED, but(start=Instant.parse("2026-01-02"))) == ("start",)
    assert matches(REFUSED, REFUSED) == ()
    assert matches(REFUSED, but(price_micro_usd_per_chip_hour=1_000_000)) == ()
    assert matches(REFUSED, but(chips=1016)) == ("chips",)


# -- properties --------------------------------------------------------------------------------------------

TERMS = st.builds(
    Terms,
    chips=st.integers(1, 64),
    price_micro_usd_per_chip_hour=st.integers(0, 8),
    start=st.integers(0, 3).map(Instant),
    duration=st.integers(1, 3).map(lambda days: Duration(days * DAY)),
    chip_type=st.sampled_from(["h100", "h200"]),
    jurisdiction=st.sampled_from(["", "US", "US-TX", "US-WA"]),
    prepayment=st.sampled_from([Decimal(0), Decimal("0.5")]),
    sla=st.sampled_from([None, Decimal("0.9"), Decimal("0.99")]),
    liability_cap_micro_usd=st.sampled_from([None, 1, 2]),
)


@given(TERMS, TERMS)
def test_two_deals_are_each_within_the_other_only_if_they_are_equal_but_for_size(
    one: Terms, other: Terms
) -> None:
    both = compare(one, other) == Within() and compare(other, one) == Within()
    assert both == (
        msgspec.structs.replace(one, chips=1) == msgspec.structs.replace(other, chips=1)
        and one.chips == other.chips
    )


@given(TERMS, TERMS, TERMS)
def test_within_is_transitive(one: Terms, other: Terms, third: Terms) -> None:
    assume(compare(one, other) == Within() and compare(other, third) == Within())
    assert compare(one, third) == Within()


@given(TERMS, TERMS, st.decimals(0, 1, places=2))
def test_a_wider_tolerance_never_excludes_more(one: Terms, other: Terms, tolerance: Decimal) -> None:
    if whole(one, other, str(tolerance)) == Within():
        assert whole(one, other, str(tolerance + Decimal("0.5"))) == Within()


@given(TERMS, TERMS)
def test_a_full_match_leaves_nothing_worse_for_the_buyer(put: Terms, answered: Terms) -> None:
    if not matches(put, answered):
        assert answered.chips >= put.chips
        assert answered.start <= put.start
        assert (answered.price_micro_usd_per_chip_hour or 0) <= (put.price_micro_usd_per_chip_hour or 0)
