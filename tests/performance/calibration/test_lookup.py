"""Constants of what was not measured come from the nearest that was, with a wider range."""

from __future__ import annotations

import pytest

from stargate.performance.calibration import Calibration, Cell, Lookup, Parameter, Release, Residual
from stargate.performance.calibration.lookup import release_parts
from tests.performance.calibration.toy import DEVICES, device

CALIBRATION = Calibration(
    rows=50,
    digest="",
    shared={"power": 0.7},
    cells=(
        Cell("A", "bf16", 10, {"efficiency": 0.5}),
        Cell("B", "bf16", 10, {"efficiency": 0.6, "overlap": 0.2}),
        Cell("C", "fp8", 10, {"efficiency": 0.45}),
    ),
    releases=(
        Release("mill 1.0", 5, 1.2),
        Release("mill 1.10", 5, 0.9),
        Release("mill 1.2", 5, 1.1),
        Release("Grist 2021", 5, 1.5),
    ),
    residuals=(
        Residual("tpot", "A", "bf16", 20, 0.9, 1.1),
        Residual("tpot", "", "bf16", 30, 0.8, 1.25),
        Residual("tpot", "", "", 50, 0.7, 1.5),
    ),
)


@pytest.fixture
def lookup() -> Lookup:
    return Lookup(CALIBRATION, DEVICES)


def test_a_measured_cell_gives_its_own(lookup: Lookup) -> None:
    assert lookup.value(("cell", "A", "bf16", "efficiency"), 9.0) == 0.5
    assert lookup.value(("shared", "power"), 9.0) == 0.7
    assert lookup.grade("A", "bf16") == "measured"


@pytest.mark.parametrize(
    ("chip", "precision", "lender"),
    [
        ("D", "fp8", ("C", "fp8")),
        ("D", "bf16", ("B", "bf16")),
        ("C", "bf16", ("B", "bf16")),
        ("A", "fp8", ("C", "fp8")),
    ],
)
def test_an_unknown_cell_borrows_from_the_nearest(
    lookup: Lookup, chip: str, precision: str, lender: tuple[str, str]
) -> None:
    assert lookup.lender(chip, precision, "efficiency") == lender
    assert lookup.grade(chip, precision) == "lent"


def test_only_a_cell_that_has_the_constant_lends_it(lookup: Lookup) -> None:
    assert lookup.lender("A", "bf16", "overlap") == ("B", "bf16")
    assert lookup.value(("cell", "A", "bf16", "nobody's"), 9.0) == 9.0


def test_a_chip_of_another_maker_is_further_away() -> None:
    devices = dict(DEVICES)
    devices["C", "fp8"] = device("C", "fp8", 2e15, vendor="other")
    devices["B", "fp8"] = device("B", "fp8", 1e15)
    known = Calibration(0, "", {}, (Cell("B", "fp8", 9, {"e": 0.4}), Cell("C", "fp8", 9, {"e": 0.5})), (), ())
    assert Lookup(known, devices).lender("D", "fp8", "e") == ("B", "fp8")


def test_a_chip_without_any_facts_still_gets_constants(lookup: Lookup) -> None:
    assert lookup.lender("unheard of", "fp8", "efficiency") == ("C", "fp8")


@pytest.mark.parametrize(
    ("software", "factor"),
    [
        ("mill 1.2", 1.1),
        ("mill 1.9", 1.1),
        ("mill 1.11", 0.9),
        ("mill 0.3", 1.2),
        ("Mill 1.2.3", 1.1),
        ("loom 1", 1.0),
    ],
)
def test_a_release_that_is_not_known_takes_the_one_before_it(
    lookup: Lookup, software: str, factor: float
) -> None:
    assert lookup.value(("release", software), 1.0) == factor


def test_releases_can_be_left_out() -> None:
    assert Lookup(CALIBRATION, DEVICES, releases=False).value(("release", "mill 1.2"), 1.0) == 1.0


def test_names_and_numbers_of_releases() -> None:
    assert release_parts("Megatron-Bridge 26.06.01") == ("Megatron-Bridge", (26, 6, 1))
    assert release_parts("vllm") == ("vllm", ())


def test_ranges_widen_where_less_is_known(lookup: Lookup) -> None:
    own = lookup.range("tpot", "A", "bf16", 100.0)
    assert (own.low, own.point, own.high) == pytest.approx((90.0, 100.0, 110.0))
    kin = lookup.range("tpot", "B", "bf16", 100.0)
    assert (kin.low, kin.high) == pytest.approx((80.0, 125.0))
    lent = lookup.range("tpot", "D", "bf16", 100.0)
    assert lent.low < kin.low
    assert lent.high > kin.high
    unknown = lookup.range("another", "A", "bf16", 100.0)
    assert (unknown.low, unknown.high) == (50.0, 200.0)


def test_values_come_in_the_order_of_the_parameters(lookup: Lookup) -> None:
    asked = (
        Parameter(("shared", "power"), 1.0, 0.1, 2.0),
        Parameter(("cell", "B", "bf16", "overlap"), 1.0, 0.1, 2.0),
    )
    assert list(lookup.values(asked)) == [0.7, 0.2]
