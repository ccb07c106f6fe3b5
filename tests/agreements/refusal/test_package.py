from __future__ import annotations

import msgspec
import pytest

from stargate.agreements.refusal.package import burdened_chips
from stargate.agreements.right import Calendar, Right, Window

RIGHT = Right("a/rofr", "microsoft", "openai", "capability", 1, Window(30), Calendar("utc"))


@pytest.mark.parametrize(("package", "chips"), [("burdened_part", 600), ("whole", 1000), ("no_trigger", 0)])
def test_a_package_that_is_partly_within_scope_goes_as_the_clause_says(package: str, chips: int) -> None:
    right = msgspec.structs.replace(RIGHT, package=package)
    assert burdened_chips(right, ((600, True), (400, False))) == chips


@pytest.mark.parametrize("package", ["burdened_part", "whole", "no_trigger"])
def test_a_need_wholly_inside_or_outside_is_no_question(package: str) -> None:
    right = msgspec.structs.replace(RIGHT, package=package)
    assert burdened_chips(right, ((600, True), (400, True))) == 1000
    assert burdened_chips(right, ((600, False), (400, False))) == 0
