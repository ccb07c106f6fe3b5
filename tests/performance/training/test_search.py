"""The search for layouts: what it finds fits and is the best there is; a refusal is true."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import InputError
from stargate.performance.models.library import model_named
from stargate.performance.models.shape import Shape, shape_of
from stargate.performance.number import SCALAR
from stargate.performance.training.candidates import Choices, candidates, one_of
from stargate.performance.training.constants import Constants
from stargate.performance.training.memory import memory
from stargate.performance.training.search import Found, NoLayout, best_layouts
from stargate.performance.training.step import step
from tests.performance.training.training_desk import H100 as DEVICE

CONSTANTS = Constants()
SMALL = shape_of(model_named("Llama-3.1-8B"))
LARGE = shape_of(model_named("Llama-3.1-405B"))
ROUTED = shape_of(model_named("Mixtral-8x7B"))


def searched(shape: Shape, chips: int, batch: int, limit: int = 5) -> tuple[Found, ...]:
    answer = best_layouts(shape, DEVICE, chips, batch, 4096, CONSTANTS, limit=limit)
    assert not isinstance(answer, NoLayout)
    return answer


@settings(max_examples=12, deadline=None)
@given(
    shape=st.sampled_from([SMALL, ROUTED]),
    chips=st.sampled_from([8, 16, 24, 32]),
    batch=st.sampled_from([8, 24, 64]),
)
def test_nothing_that_fits_is_better(shape: Shape, chips: int, batch: int) -> None:
    answer = best_layouts(shape, DEVICE, chips, batch, 4096, CONSTANTS, limit=3)
    layouts, count = candidates(shape, DEVICE, chips, batch, 4096)
    seconds = []
    for index in range(count):
        one = one_of(layouts, index)
        if memory(SCALAR, shape, DEVICE, one).total_bytes <= DEVICE.memory_bytes:
            seconds.append(step(SCALAR, shape, DEVICE, one, CONSTANTS).seconds)
    if isinstance(answer, NoLayout):
        assert not seconds
        return
    assert answer[0].step.seconds == pytest.approx(min(seconds), rel=1e-9)


def test_what_is_found_fits_and_comes_in_order() -> None:
    best = searched(LARGE, 512, 512)
    assert len(best) == 5
    assert all(found.memory.total_bytes <= DEVICE.memory_bytes for found in best)
    times = [found.step.seconds for found in best]
    assert times == sorted(times)
    cuts = {
        (way.layout.tensor, way.layout.pipeline, way.layout.context, way.layout.shard_parameters)
        for way in best
    }
    assert len(cuts) == 5, "each cuts the model in another way"
    assert searched(LARGE, 512, 512) == best, "the same question has the same answer"


def test_more_is_found_when_more_is_asked_for() -> None:
    assert searched(SMALL, 64, 256, limit=9)[:4] == searched(SMALL, 64, 256, limit=4)


def test_a_refusal_is_true() -> None:
    answer = best_layouts(LARGE, DEVICE, 64, 512, 4096, CONSTANTS)
    assert isinstance(answer, NoLayout)
    layouts, count = candidates(LARGE, DEVICE, 64, 512, 4096)
    least = min(memory(SCALAR, LARGE, DEVICE, one_of(layouts, index)).total_bytes for index in range(count))
    assert least > DEVICE.memory_bytes
    assert answer.refusal.needed_bytes == pytest.approx(least)
    assert answer.refusal.missing_bytes == pytest.approx(least - DEVICE.memory_bytes)
    assert answer.fewest_chips == 128
    assert not isinstance(best_layouts(LARGE, DEVICE, 128, 512, 4096, CONSTANTS), NoLayout)
    assert "128 chips would do" in str(answer)
    assert "mostly optimizer" in str(answer)


def test_a_chip_too_small_for_one_layer_is_no_matter_of_numbers() -> None:
    tiny = msgspec.structs.replace(DEVICE, memory_bytes=2.1e9, domain_chips=1)
    answer = best_layouts(LARGE, tiny, 8, 64, 4096, CONSTANTS)
    assert isinstance(answer, NoLayout)
    assert answer.fewest_chips == 0
    assert "would do" not in str(answer)


def test_chips_that_divide_nothing_are_an_error_that_says_so() -> None:
    with pytest.raises(InputError, match="97 chips and 64 sequences"):
        best_layouts(LARGE, DEVICE, 97, 64, 4096, CONSTANTS, choices=Choices(pipeline=(1,)))


def test_a_choice_is_kept() -> None:
    answer = best_layouts(
        LARGE, DEVICE, 512, 512, 4096, CONSTANTS, choices=Choices(tensor=(8,), pipeline=(8,))
    )
    assert not isinstance(answer, NoLayout)
    assert {(found.layout.tensor, found.layout.pipeline) for found in answer} == {(8.0, 8.0)}
