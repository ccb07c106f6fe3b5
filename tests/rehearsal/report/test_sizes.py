"""Gangs are sorted by their chips, and what each class did is told in hours."""

from __future__ import annotations

from stargate.base.time import HOUR, SECOND
from stargate.rehearsal.report.sizes import BOUNDS, Sizes


def test_a_bound_belongs_to_the_class_below_it() -> None:
    sizes = Sizes()
    assert [sizes.of(most).most_chips for most in BOUNDS] == list(BOUNDS)
    assert [sizes.of(most + 1).most_chips for most in BOUNDS] == [*BOUNDS[1:], None]
    assert sizes.of(1).most_chips == BOUNDS[0]


def test_only_classes_that_occurred_are_told() -> None:
    sizes = Sizes()
    large = sizes.of(100_000)
    large.workloads, large.used_chip_us, large.worked_chip_us, large.redone_chip_us = (
        2,
        8 * HOUR,
        6 * HOUR,
        2 * HOUR,
    )
    large.waits.extend((10 * SECOND, 30 * SECOND))
    (found,) = sizes.figures()
    assert (found.most_chips, found.workloads, found.used_chip_hours, found.effective) == (None, 2, 8.0, 0.75)
    assert found.wait_seconds.average == 20.0
    assert found.redone_chip_hours == 2.0


def test_a_class_in_which_all_still_wait_has_no_share() -> None:
    sizes = Sizes()
    sizes.of(5).workloads = 1
    assert [each.effective for each in sizes.figures()] == [0.0]
