"""How many chips a run needs: the fewest that end in time, and an honest answer where none do."""

from __future__ import annotations

import pytest

from stargate.base.errors import InputError
from stargate.performance.library import model_named
from stargate.performance.shape import shape_of
from stargate.performance.training.candidates import Choices
from stargate.performance.training.constants import Constants
from stargate.performance.training.deadline import Sized, chips_for
from stargate.performance.training.search import NoLayout, best_layouts
from tests.performance.training.test_search import DEVICE

DAY = 86_400.0
SHAPE = shape_of(model_named("Llama-3.1-8B"))
TOKENS = 1e12


def sized(days: float, goodput: float = 1.0, most_chips: int = 4096) -> Sized:
    answer = chips_for(
        SHAPE,
        DEVICE,
        TOKENS,
        days * DAY,
        1024,
        4096,
        Constants(),
        node_chips=8,
        goodput=goodput,
        most_chips=most_chips,
    )
    assert isinstance(answer, Sized)
    return answer


def run_days(chips: int) -> float:
    best = best_layouts(SHAPE, DEVICE, chips, 1024, 4096, Constants(), limit=1)
    assert not isinstance(best, NoLayout)
    return float(TOKENS / (1024 * 4096) * best[0].step.seconds / DAY)


def test_it_is_the_fewest_that_end_in_time() -> None:
    answer = sized(20)
    assert answer.in_time
    assert answer.seconds <= 20 * DAY
    assert answer.seconds == pytest.approx(run_days(answer.chips) * DAY, rel=1e-4)
    assert run_days(answer.chips // 2) > 20


def test_lost_time_takes_more_chips() -> None:
    assert sized(20, goodput=0.5).chips == sized(10).chips
    assert sized(20, goodput=0.5).seconds == pytest.approx(2 * sized(10).seconds)


def test_a_deadline_out_of_reach_gets_the_fastest() -> None:
    answer = sized(0.01, most_chips=256)
    assert not answer.in_time
    assert answer.chips == 256
    assert answer.seconds > 0.01 * DAY


def test_nodes_too_few_for_memory_are_passed_over() -> None:
    large = shape_of(model_named("Llama-3.1-405B"))
    answer = chips_for(large, DEVICE, 1e9, 1e9, 512, 4096, Constants(), node_chips=8)
    assert isinstance(answer, Sized)
    assert answer.in_time
    assert answer.chips == 128


def test_too_little_memory_is_said_and_not_an_error() -> None:
    large = shape_of(model_named("Llama-3.1-405B"))
    answer = chips_for(large, DEVICE, 1e9, 1e9, 512, 4096, Constants(), node_chips=8, most_chips=64)
    assert isinstance(answer, NoLayout)
    assert answer.refusal.missing_bytes > 0


def test_nodes_that_divide_nothing_are_an_error() -> None:
    with pytest.raises(InputError, match="7 chips"):
        chips_for(
            SHAPE, DEVICE, 1e9, 1e9, 64, 4096, Constants(), node_chips=7, choices=Choices(pipeline=(1,))
        )
