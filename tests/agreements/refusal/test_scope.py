from __future__ import annotations

from typing import Any

import msgspec
import pytest

from stargate.agreements.refusal.scope import Circumstances, Portion, outside, together
from stargate.agreements.right import Calendar, Right, Window
from stargate.base.time import DAY, HOUR, Duration, Instant

NOON = Instant.parse("2025-06-01T12:00:00Z")
SOON = Circumstances(start_by=NOON.plus(30 * DAY))


def right(**changes: Any) -> Right:
    plain = Right("a/rofr", "microsoft", "openai", "capability", 1, Window(30), Calendar("utc"))
    return msgspec.structs.replace(plain, **changes)


def need(id: str, chips: int, days: int = 30, root: str = "", hours: int = 0) -> Portion:
    return Portion(id, root or id, chips, Duration(days * DAY), NOON.plus(hours * HOUR))


def test_a_plain_right_applies_to_everything_within_its_scope() -> None:
    assert outside(right(), need("n", 1, 1), (), Circumstances(NOON, emergency=True, renewal=True)) == ""


@pytest.mark.parametrize(
    ("changes", "around", "says"),
    [
        ({"emergency": "no_trigger"}, Circumstances(SOON.start_by, emergency=True), "emergencies"),
        ({"renewal": "no_trigger"}, Circumstances(SOON.start_by, renewal=True), "renewals"),
        ({"short_lead": Duration(2 * DAY)}, Circumstances(NOON.plus(2 * DAY - 1)), "a start within 2d"),
        ({"threshold_chips": 101}, SOON, "100 chips are below the threshold of 101"),
        ({"threshold_duration": Duration(31 * DAY)}, SOON, "below the threshold of 4w3d"),
    ],
)
def test_carve_outs_say_why(changes: dict[str, Any], around: Circumstances, says: str) -> None:
    assert says in outside(right(**changes), need("n", 100), (), around)


@pytest.mark.parametrize(
    "changes",
    [
        {"emergency": "no_trigger", "renewal": "no_trigger"},
        {"short_lead": Duration(30 * DAY)},
        {"threshold_chips": 100, "threshold_duration": Duration(30 * DAY)},
    ],
)
def test_at_the_edge_the_right_applies(changes: dict[str, Any]) -> None:
    assert outside(right(**changes), need("n", 100), (), SOON) == ""


def test_small_needs_inside_the_window_count_together() -> None:
    clause = right(threshold_chips=100, aggregation_window=Duration(DAY))
    small = need("b", 60, hours=20)
    earlier = need("a", 60)
    assert outside(clause, small, (earlier,), SOON) == ""
    assert outside(clause, earlier, (small,), SOON) == "", "the first one does not escape while it is open"
    far = need("c", 60, hours=24)
    assert "60 chips are below" in outside(clause, far, (earlier,), SOON)


def test_parts_of_one_need_count_together_however_late_they_come() -> None:
    clause = right(threshold_chips=100)
    first, late = need("a1", 60, root="a"), need("a2", 60, root="a", hours=24 * 300)
    assert outside(clause, late, (first,), SOON) == ""
    assert "below" in outside(clause, need("b", 60, hours=1), (first,), SOON)


def test_short_needs_in_a_row_count_together() -> None:
    clause = right(threshold_duration=Duration(60 * DAY), aggregation_window=Duration(90 * DAY))
    days = [need(f"n{number}", 8, days=20, hours=24 * 20 * number) for number in range(3)]
    assert "(over 2 needs that count together)" in outside(clause, days[1], (days[0],), SOON)
    assert outside(clause, days[2], (days[0], days[1]), SOON) == ""


def test_a_need_is_not_counted_twice() -> None:
    one = need("a", 60)
    assert together(right(aggregation_window=Duration(DAY)), one, (one,)) == (one,)
