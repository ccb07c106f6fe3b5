"""One engine under a closed loop: laws of queues, and what more requests do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.inference.layout import layout
from stargate.performance.inference.steady import Load, steady
from stargate.performance.number import ARRAY, SCALAR
from tests.performance.inference.engines import CASES, columns, engine, engines

cases = st.sampled_from(CASES)
lengths = st.floats(64.0, 16_384.0)
concurrencies = st.floats(1.0, 2_000.0)


@given(case=cases, prompt=lengths, answer=lengths, concurrency=concurrencies)
def test_as_many_requests_are_inside_as_the_rate_and_their_stay_say(
    case: tuple[str, str, str, object], prompt: float, answer: float, concurrency: float
) -> None:
    found = steady(
        SCALAR,
        engine(*case),  # type: ignore[arg-type]
        Load(prompt=prompt, answer=answer, concurrency=concurrency),
    )
    stay = found.first_seconds + answer * found.token_seconds
    assert found.requests_per_second * stay == pytest.approx(concurrency, rel=0.02)


@given(case=cases, prompt=lengths, answer=lengths, concurrency=concurrencies)
def test_more_requests_give_slower_tokens_and_no_less_throughput(
    case: tuple[str, str, str, object], prompt: float, answer: float, concurrency: float
) -> None:
    each = engine(*case)  # type: ignore[arg-type]
    few, many = (
        steady(SCALAR, each, Load(prompt=prompt, answer=answer, concurrency=count))
        for count in (concurrency, 1.5 * concurrency)
    )
    assert many.token_seconds >= few.token_seconds * 0.999
    assert many.running >= few.running
    # Prompts computed together may cost a little less each: the first token may come a little earlier.
    assert many.first_seconds >= few.first_seconds * 0.9
    assert many.requests_per_second >= few.requests_per_second * 0.999


@given(prompt=lengths, answer=lengths, concurrency=concurrencies)
def test_one_load_is_computed_as_many_are(prompt: float, answer: float, concurrency: float) -> None:
    load = Load(prompt=prompt, answer=answer, concurrency=concurrency)
    many = steady(ARRAY, columns(), load)
    for index, each in enumerate(engines()):
        one = steady(SCALAR, each, load)
        for name in ("token_seconds", "first_seconds", "running", "requests_per_second"):
            assert getattr(one, name) == pytest.approx(float(getattr(many, name)[index]), rel=1e-9)


def test_a_token_takes_no_less_than_an_iteration_without_prompts() -> None:
    for each in engines():
        found = steady(SCALAR, each, Load(prompt=2_048, answer=512, concurrency=32))
        assert found.token_seconds >= found.decode.seconds


def test_what_memory_does_not_hold_waits() -> None:
    each = engine("llama3.1-70b", "H200-SXM", "fp8", layout(1))
    inside = steady(SCALAR, each, Load(prompt=8_192, answer=1_024, concurrency=32))
    beyond = steady(SCALAR, each, Load(prompt=8_192, answer=1_024, concurrency=400))
    assert inside.running == 32
    assert beyond.running < 100
    assert beyond.first_seconds > 10 * inside.first_seconds
    assert beyond.token_seconds < 4 * inside.token_seconds


def test_llama_70b_on_four_h100_decodes_about_as_fast_as_people_measure() -> None:
    # InferenceX: 11.8 ms at four requests of 1,024 and 1,024 tokens, before any constant is fitted.
    each = engine("llama3.1-70b", "H100-SXM", "fp8", layout(4))
    found = steady(SCALAR, each, Load(prompt=920, answer=920, concurrency=4))
    assert 0.007 < found.token_seconds < 0.016


def test_columns_of_loads_need_columns_of_nothing_else() -> None:
    each = engine("llama3.1-70b", "H100-SXM", "fp8", layout(4))
    counts = np.array([1.0, 8.0, 64.0])
    found = steady(ARRAY, each, Load(prompt=1_000.0, answer=500.0, concurrency=counts))
    assert np.all(np.diff(found.requests_per_second) > 0)
