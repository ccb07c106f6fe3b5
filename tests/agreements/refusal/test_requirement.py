from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.agreements.refusal.requirement import (
    PARTS,
    allows_place,
    enlargements,
    later,
    moved,
    rearming,
    relaxations,
    unmet,
)
from stargate.agreements.right import Requirement, Terms
from stargate.base.time import DAY, FOREVER, Duration, Instant

OLD = Requirement(
    chips=1024,
    chip_types=("h100", "h200"),
    start_by=Instant.parse("2026-01-01"),
    duration=Duration(30 * DAY),
    jurisdictions=("US",),
    chips_per_node=8,
    topology="pool",
    max_price_micro_usd_per_chip_hour=2_000_000,
    sla=Decimal("0.99"),
)

EASIER: list[tuple[str, Any]] = [
    ("chips", 512),
    ("chip_types", ("h100", "h200", "b200")),
    ("chip_types", ()),
    ("start_by", Instant.parse("2026-01-02")),
    ("duration", Duration(29 * DAY)),
    ("jurisdictions", ("US", "NO")),
    ("jurisdictions", ()),
    ("chips_per_node", 4),
    ("topology", "any"),
    ("max_price_micro_usd_per_chip_hour", 2_000_001),
    ("max_price_micro_usd_per_chip_hour", None),
    ("sla", Decimal("0.98")),
    ("sla", None),
]
STRICTER: list[tuple[str, Any]] = [
    ("chip_types", ("h200",)),
    ("start_by", Instant.parse("2025-12-31")),
    ("jurisdictions", ("US-TX", "US-WA")),
    ("chips_per_node", 16),
    ("topology", "block"),
    ("max_price_micro_usd_per_chip_hour", 1_999_999),
    ("sla", Decimal("0.999")),
]


def but(**changes: Any) -> Requirement:
    return msgspec.structs.replace(OLD, **changes)


@pytest.mark.parametrize(("name", "value"), EASIER)
def test_what_became_easier_is_named(name: str, value: Any) -> None:
    assert relaxations(OLD, but(**{name: value})) == (name,)
    assert name in rearming(OLD, but(**{name: value}))


@pytest.mark.parametrize(("name", "value"), STRICTER)
def test_what_became_stricter_arms_nothing(name: str, value: Any) -> None:
    assert rearming(OLD, but(**{name: value})) == ()


@pytest.mark.parametrize(("name", "value"), [("chips", 2048), ("duration", Duration(31 * DAY))])
def test_a_larger_deal_was_never_refused(name: str, value: Any) -> None:
    larger = but(**{name: value})
    assert relaxations(OLD, larger) == ()
    assert enlargements(OLD, larger) == rearming(OLD, larger) == (name,)


def test_parts_are_the_fields_that_a_holder_may_name() -> None:
    assert set(PARTS) == {name for name, _ in EASIER}


def terms(**changes: Any) -> Terms:
    fitting = Terms(
        chips=1024,
        price_micro_usd_per_chip_hour=2_000_000,
        start=OLD.start_by,
        duration=OLD.duration,
        chip_type="h100",
        jurisdiction="US-TX",
        sla=Decimal("0.99"),
    )
    return msgspec.structs.replace(fitting, **changes)


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, ()),
        ({"chips": 1}, ()),
        ({"chip_type": "b200"}, ("chip_types",)),
        ({"start": OLD.start_by.plus(1)}, ("start_by",)),
        ({"duration": Duration(OLD.duration - 1)}, ("duration",)),
        ({"jurisdiction": "NO"}, ("jurisdictions",)),
        ({"jurisdiction": ""}, ("jurisdictions",)),
        ({"price_micro_usd_per_chip_hour": 2_000_001}, ("max_price_micro_usd_per_chip_hour",)),
        ({"price_micro_usd_per_chip_hour": None}, ()),
        ({"sla": None}, ("sla",)),
        ({"sla": Decimal("0.9"), "chip_type": "b200"}, ("chip_types", "sla")),
    ],
)
def test_what_a_deal_leaves_unmet_is_named(changes: dict[str, Any], missed: tuple[str, ...]) -> None:
    assert unmet(OLD, terms(**changes)) == missed


def test_a_country_covers_its_parts_and_not_the_other_way_round() -> None:
    assert allows_place(("US",), "US-TX")
    assert not allows_place(("US-TX",), "US")
    assert not allows_place(("US",), "USA")
    assert allows_place((), "anywhere")


def test_dates_move_and_never_past_the_end_of_time() -> None:
    assert moved(OLD, Duration(DAY)).start_by == Instant.parse("2026-01-02")
    assert moved(but(start_by=FOREVER), Duration(DAY)).start_by == FOREVER
    assert later(FOREVER, Duration(1)) == FOREVER


REQUIREMENTS = st.builds(
    Requirement,
    chips=st.sampled_from([8, 16]),
    chip_types=st.sampled_from([(), ("h100",), ("h100", "h200")]),
    start_by=st.integers(0, 2).map(Instant),
    duration=st.integers(1, 2).map(Duration),
    jurisdictions=st.sampled_from([(), ("US",), ("US-TX",), ("NO", "US-TX")]),
    chips_per_node=st.sampled_from([4, 8]),
    topology=st.sampled_from(["any", "pool", "block"]),
    max_price_micro_usd_per_chip_hour=st.sampled_from([None, 1, 2]),
    sla=st.sampled_from([None, Decimal("0.9")]),
)
DEALS = st.builds(
    Terms,
    chips=st.just(8),
    price_micro_usd_per_chip_hour=st.integers(0, 3),
    start=st.integers(0, 3).map(Instant),
    duration=st.integers(1, 3).map(Duration),
    chip_type=st.sampled_from(["h100", "h200", "b200"]),
    jurisdiction=st.sampled_from(["US", "US-TX", "US-WA", "NO"]),
    sla=st.sampled_from([None, Decimal("0.9"), Decimal("0.99")]),
)


@given(REQUIREMENTS, REQUIREMENTS, DEALS)
def test_what_meets_the_new_meets_the_old_unless_it_was_relaxed(
    old: Requirement, new: Requirement, deal: Terms
) -> None:
    """The point of re-arming: without it, nobody can sign what the holder was not asked about."""
    if not relaxations(old, new) and not unmet(new, deal):
        assert not unmet(old, deal)


@given(REQUIREMENTS, REQUIREMENTS, REQUIREMENTS)
def test_relaxing_in_steps_is_relaxing(one: Requirement, two: Requirement, three: Requirement) -> None:
    if not rearming(one, two) and not rearming(two, three):
        assert not rearming(one, three)


@given(REQUIREMENTS, REQUIREMENTS)
def test_either_something_arms_or_the_other_way_does_or_they_are_equal(
    one: Requirement, two: Requirement
) -> None:
    if not rearming(one, two) and not rearming(two, one):
        assert msgspec.structs.replace(one, chip_types=()) == msgspec.structs.replace(two, chip_types=())
