"""The most an engine gives, and the most within a bound on the time per token."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.inference.maximal import maximal, within
from stargate.performance.inference.steady import Load, steady
from stargate.performance.number import ARRAY, SCALAR
from tests.performance.inference.engines import CASES, columns, engine, engines

cases = st.sampled_from(CASES)
lengths = st.floats(64.0, 8_192.0)
bounds = st.floats(0.005, 0.2)


@given(case=cases, prompt=lengths, answer=lengths, bound=bounds)
def test_a_bound_is_kept_where_one_request_keeps_it(
    case: tuple[str, str, str, object], prompt: float, answer: float, bound: float
) -> None:
    each = engine(*case)  # type: ignore[arg-type]
    found = within(SCALAR, each, prompt, answer, 2_048.0, bound)
    alone = steady(SCALAR, each, Load(prompt=prompt, answer=answer, concurrency=1.0))
    most = maximal(SCALAR, each, prompt, answer, 2_048.0)
    assert found.token_seconds <= max(bound, alone.token_seconds) * 1.02
    assert found.running <= most.running * (1 + 1e-9)
    if most.token_seconds > bound > alone.token_seconds:
        assert found.token_seconds == pytest.approx(bound, rel=0.02)


@given(case=cases, prompt=lengths, answer=lengths, bound=bounds)
def test_a_looser_bound_lets_no_fewer_run(
    case: tuple[str, str, str, object], prompt: float, answer: float, bound: float
) -> None:
    each = engine(*case)  # type: ignore[arg-type]
    tight, loose = (within(SCALAR, each, prompt, answer, 2_048.0, limit) for limit in (bound, 2 * bound))
    assert loose.running >= tight.running * 0.98


def test_endless_requests_do_not_count_their_wait() -> None:
    for each in engines():
        found = maximal(SCALAR, each, 1_000.0, 1_000.0, 100_000.0)
        stay = found.first_seconds + 1_000.0 * found.token_seconds
        assert found.requests_per_second * stay == pytest.approx(found.running)


def test_one_bound_is_searched_as_many_are() -> None:
    many = within(ARRAY, columns(), np.full(len(CASES), 1_000.0), 500.0, 2_048.0, 0.03)
    for index, each in enumerate(engines()):
        one = within(SCALAR, each, 1_000.0, 500.0, 2_048.0, 0.03)
        assert one.running == pytest.approx(float(many.running[index]), rel=1e-9)
