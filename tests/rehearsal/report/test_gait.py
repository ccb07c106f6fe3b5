"""Running time as work and checkpoints: the same as the engines' models count."""

from __future__ import annotations

import pytest

from stargate.base.time import MINUTE, SECOND
from stargate.rehearsal.report.gait import Gait
from stargate.rehearsal.world.pace import Pattern

EVERY, STALL = 10 * MINUTE, 20 * SECOND
GAIT = Gait(SECOND, STALL)


@pytest.mark.parametrize("saved", [0, 1, 2, 7])
def test_what_was_saved_ran_for_whole_cycles(saved: int) -> None:
    span = GAIT.span_us(saved * 600, EVERY)
    assert span == saved * (EVERY + STALL)
    assert Pattern(EVERY, STALL).after(span, 100 * EVERY).saved_us == saved * EVERY
    assert GAIT.saving_us(span, EVERY) == saved * STALL


@pytest.mark.parametrize("work_seconds", [1, 599, 601, 1_700, 86_399])
def test_what_ran_to_its_end_saved_as_often_as_the_engine_did(work_seconds: int) -> None:
    work = work_seconds * SECOND
    ran = Pattern(EVERY, STALL).run_us(work)
    assert GAIT.saving_us(ran, EVERY) == ran - work


def test_an_engine_may_have_an_interval_of_its_own_and_some_work_saves_nothing() -> None:
    own = Gait(SECOND, STALL, 5 * MINUTE)
    assert own.saving_us(10 * (5 * MINUTE + STALL), EVERY) == 10 * STALL
    assert own.saving_us(EVERY, 0) == 0
    assert own.span_us(60, 0) == MINUTE
    assert Gait(2.5 * SECOND).span_us(2, EVERY) == 5 * SECOND
