"""What was known at a time: claims, verification, rejection, and records that come late."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stargate.agreements import WorldFact
from stargate.agreements.condition import Comparison
from stargate.agreements.horizon import Horizon
from stargate.agreements.world import World, canonical, number
from stargate.base import wire
from stargate.base.time import Instant

MakeFact = Callable[..., WorldFact]


def at(text: str) -> Instant:
    return Instant.parse(text)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Decimal("5.00"), 5),
        (Decimal("99.990"), "99.99"),
        (Decimal("1E+3"), 1000),
        (True, True),
        ("1.10", "1.10"),
    ],
)
def test_equal_values_have_one_form(given: Any, expected: Any) -> None:
    assert canonical(given) == expected
    assert type(canonical(given)) is type(expected)


@pytest.mark.parametrize("wrong", [Decimal("NaN"), None, [1], 1.5])
def test_what_is_no_value_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="no number, text or truth value"):
        canonical(wrong)


def test_text_that_reads_as_a_number_is_one_and_truth_is_not() -> None:
    assert number("99.99") == Decimal("99.99")
    assert number(True) is None
    assert number("much") is None


def test_a_fact_survives_the_wire(fact: MakeFact) -> None:
    for value in (Decimal("99.99e9"), Decimal("0.5"), True, "text", 7):
        given = fact("x", value, at="2025-05-05", source="s")
        assert wire.unpacker(WorldFact).decode(wire.pack(given)) == given


def test_recorded_defaults_to_valid(fact: MakeFact) -> None:
    assert fact("x", at="2025-05-05").recorded_at == at("2025-05-05")


def test_a_verified_fact_names_who_verified_it(fact: MakeFact) -> None:
    with pytest.raises(ValueError, match="verified_by"):
        fact("x", status="verified")


def test_a_fact_counts_once_it_is_so_and_on_record(fact: MakeFact) -> None:
    world = World(
        (fact("x", at="2025-01-01", recorded_at=at("2025-03-01")), fact("x", False, at="2025-06-01"))
    )

    def value(when: str, known: str | None = None) -> Any:
        found = world.latest("x", Horizon(at(when), None if known is None else at(known)))
        return None if found is None else found.value

    assert value("2025-02-01") is None  # so, but nobody had recorded it
    assert value("2025-02-01", known="2025-04-01") is True  # looking back with what is known later
    assert value("2025-03-01") is True
    assert value("2025-06-01") is False


def test_a_claim_counts_until_it_is_rejected(fact: MakeFact) -> None:
    claim = fact("x", at="2025-01-01")
    rejection = fact("x", at="2025-02-01", status="rejected", verified_by="panel")
    again = fact("x", at="2025-04-01")
    world = World((claim, rejection, again))
    comparison = Comparison("x")
    assert comparison.holds(world, Horizon(at("2025-01-15"))) is True
    assert comparison.holds(world, Horizon(at("2025-02-01"))) is None
    assert comparison.holds(world, Horizon(at("2025-04-01"))) is True


def test_only_the_verifiers_word_counts_where_one_is_named(fact: MakeFact) -> None:
    claim = fact("x", at="2025-01-01")
    other = fact("x", at="2025-01-02", status="verified", verified_by="someone")
    right = fact("x", at="2025-01-03", status="verified", verified_by="panel")
    world = World((claim, other, right))
    comparison = Comparison("x", verifier="panel")
    assert comparison.first(world, Horizon(at("2025-01-02"))) is None
    assert comparison.first(world, Horizon(at("2025-01-03"))) == right


@pytest.mark.parametrize(
    ("operator", "threshold", "value", "expected"),
    [
        ("AtLeast", 100, 100, True),
        (">=", Decimal("100e9"), Decimal("99.99e9"), False),
        ("MoreThan", 100, 100, False),
        ("<=", 5, "4.5", True),
        ("LessThan", 5, "many", False),
        ("Equals", True, 1, False),
        ("==", "1.5", Decimal("1.50"), True),
        ("NotEquals", "a", "b", True),
        ("In", ["a", "b"], "b", True),
        ("NotIn", ["a", "b"], "b", False),
    ],
)
def test_comparisons(operator: Any, threshold: Any, value: Any, expected: bool) -> None:
    assert Comparison("x", operator, threshold).test(canonical(value)) is expected


@pytest.mark.parametrize(
    ("operator", "value"), [("AtLeast", "much"), ("In", "a"), ("In", []), ("Equals", ["a"]), ("Equals", None)]
)
def test_comparisons_that_make_no_sense_are_refused(operator: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="compares with"):
        Comparison("x", operator, value)


def test_a_horizon_knows_how_long_its_view_holds(fact: MakeFact) -> None:
    world = World(
        (fact("x", at="2025-03-01"), fact("x", False, at="2025-06-01", recorded_at=at("2025-07-01")))
    )
    horizon = Horizon(at("2025-04-01"))
    assert Comparison("x").holds(world, horizon) is True
    assert (horizon.since, horizon.before) == (at("2025-03-01"), at("2025-07-01"))
    assert horizon.covers(at("2025-03-01"))
    assert not horizon.covers(at("2025-07-01"))
