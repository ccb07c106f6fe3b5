"""Queues: against Erlang's formula, and against requests that come, share a server and leave one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.number import SCALAR
from stargate.performance.replicas.queueing import queue
from stargate.performance.runs.spares import blocking
from tests.performance.desk import simulate


def same_speed(places: int, seconds: float = 1.0) -> np.ndarray:
    """Servers that do not slow one another."""
    return np.arange(1, places + 1) / seconds


@given(st.integers(1, 90), st.floats(0.01, 0.99))
def test_equal_servers_are_erlangs_queue(places: int, load: float) -> None:
    """C = B / (1 - load (1 - B)), the textbook's link between his two formulas."""
    found = queue(places * load, same_speed(places))
    assert found is not None
    lost = blocking(SCALAR, places, places * load)
    assert found.waiting == pytest.approx(lost / (1 - load * (1 - lost)), rel=1e-6, abs=1e-300)
    assert found.in_service == pytest.approx(places * load)


def test_one_server_with_any_work_is_pollaczek_and_khinchines() -> None:
    """Mean wait = load / (1 - load) x time x (1 + variation) / 2."""
    for variation in (0.0, 1.0, 3.0):
        found = queue(0.7, same_speed(1), variation)
        assert found is not None
        assert found.mean_wait_seconds == pytest.approx(0.7 / 0.3 * (1 + variation) / 2)


def test_too_many_requests_have_no_steady_state() -> None:
    assert queue(2.0, same_speed(2)) is None


def test_nobody_waits_where_nobody_comes() -> None:
    found = queue(0.0, same_speed(2))
    assert found is not None
    assert (found.waiting, found.in_service, found.wait_seconds(0.99)) == (0.0, 0.0, 0.0)
    assert found.waits_longer(-1.0) == 1.0


@pytest.mark.parametrize("variation", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("load", [0.7, 0.9])
def test_waits_of_equal_servers_meet_the_simulation(load: float, variation: float) -> None:
    """Allen and Cunneen's approximation, at eight servers: within a tenth and four standard errors."""
    rates = same_speed(8)
    found = queue(8 * load, rates, variation)
    assert found is not None
    seen = simulate(8 * load, rates, variation)
    near = 4 * seen.error + 0.1 * seen.mean_wait_seconds
    assert found.mean_wait_seconds == pytest.approx(seen.mean_wait_seconds, abs=near)
    assert found.in_service == pytest.approx(seen.in_service, rel=0.02)


@pytest.mark.parametrize("variation", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("load", [0.75, 0.88])
def test_waits_of_a_batch_that_slows_down_meet_the_simulation(load: float, variation: float) -> None:
    """A server at 16 requests is four times as fast as at one, and each request half as fast as alone."""
    held = np.arange(1, 17)
    rates = held / (1.0 + 0.2 * held)
    found = queue(load * rates[-1], rates, variation)
    assert found is not None
    seen = simulate(load * rates[-1], rates, variation)
    assert found.waiting == pytest.approx(seen.waiting, abs=0.02 + 4 * seen.waiting_error)
    near = 4 * seen.error + 0.2 * seen.mean_wait_seconds
    assert found.mean_wait_seconds == pytest.approx(seen.mean_wait_seconds, abs=near)
    assert found.in_service == pytest.approx(seen.in_service, rel=0.03)


def test_the_tail_of_waits_meets_the_simulation() -> None:
    held = np.arange(1, 17)
    rates = held / (1.0 + 0.2 * held)
    found = queue(0.9 * rates[-1], rates)
    assert found is not None
    seen = simulate(0.9 * rates[-1], rates, 1.0)
    for share in (0.9, 0.95, 0.99):
        assert found.wait_seconds(share) == pytest.approx(seen.wait_seconds(share), rel=0.12)
        assert found.waits_longer(found.wait_seconds(share)) == pytest.approx(1 - share)


@given(st.floats(0.01, 0.9), st.floats(1.0, 1.1), st.floats(0.0, 4.0))
def test_more_requests_wait_longer(load: float, more: float, variation: float) -> None:
    rates = np.arange(1, 33) / (1.0 + 0.1 * np.arange(1, 33))
    found, fuller = (queue(load * times * rates[-1], rates, variation) for times in (1.0, more))
    assert found is not None
    assert fuller is not None
    assert fuller.waiting >= found.waiting * (1 - 1e-9)
    assert fuller.mean_wait_seconds >= found.mean_wait_seconds * (1 - 1e-9)
    assert found.held(0.5) <= found.held(0.99)
