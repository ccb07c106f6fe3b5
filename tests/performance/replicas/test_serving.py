"""Replicas for a traffic: against a simulation of requests, the fewest that do, and answers where none do."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.base.errors import InputError
from stargate.performance.replicas.serving import (
    Curve,
    Objective,
    Outages,
    Replicas,
    Traffic,
    Unattainable,
    of_tokens,
    replicas,
    sampled,
    variation,
)
from tests.performance.desk import simulate


def engine(concurrency: float) -> tuple[float, float]:
    """An invented replica: prompts of 0.2 s, tokens of 20 ms alone and 70 ms at 64 requests."""
    return 0.2 + 0.01 * concurrency, 0.02 + 0.05 * concurrency / 64


CURVE = sampled(engine, 64)
TRAFFIC = Traffic(requests_per_second=8.0, output_tokens=200.0)
BOUND = 1.5
OBJECTIVE = Objective(ttft_seconds=BOUND, tpot_seconds=0.05)


def answer(**more: Any) -> Replicas:
    """The replicas for the traffic above, with what differs."""
    given_ = {"traffic": TRAFFIC, "objective": OBJECTIVE, "curve": CURVE} | more
    found = replicas(**given_)
    assert isinstance(found, Replicas)
    return found


def seen_ttft(count: int, concurrency: int, traffic: Traffic = TRAFFIC) -> float:
    """The share that OBJECTIVE promises does not exceed this, in a simulation."""
    held = np.arange(1, concurrency + 1)
    ttft, tpot = CURVE.at(held)
    rates = held / (ttft + (traffic.output_tokens - 1) * tpot)
    seen = simulate(traffic.requests_per_second, rates, traffic.output_variation, count, 40_000)
    return float(np.quantile(seen.waits + CURVE.at(seen.found)[0], OBJECTIVE.share))


def test_the_batch_is_the_largest_that_keeps_both_bounds() -> None:
    found = answer()
    ttft, tpot = engine(found.concurrency)
    assert tpot <= 0.05
    assert ttft <= 1.5
    assert engine(found.concurrency + 1)[1] > 0.05
    assert found.tpot_seconds <= 0.05


def test_a_batch_beyond_the_most_throughput_is_not_used() -> None:
    thrashing = Curve((1.0, 8.0, 16.0), (0.1, 0.2, 0.4), (0.01, 0.02, 0.08))
    found = answer(curve=thrashing, objective=Objective())
    assert found.concurrency == 8


def test_so_many_replicas_do_and_fewer_do_not() -> None:
    found = answer()
    assert seen_ttft(found.serving, found.concurrency) <= BOUND
    assert seen_ttft(found.serving - 1, found.concurrency) > BOUND


def test_the_promise_is_kept_with_swinging_lengths() -> None:
    traffic = msgspec.structs.replace(TRAFFIC, output_variation=2.5)
    found = answer(traffic=traffic)
    assert found.serving >= answer().serving
    assert seen_ttft(found.serving, found.concurrency, traffic) <= BOUND


def test_what_requests_meet_is_what_the_simulation_meets() -> None:
    found = answer()
    held = np.arange(1, found.concurrency + 1)
    ttft, tpot = CURVE.at(held)
    rates = held / (ttft + 199 * tpot)
    seen = simulate(8.0, rates, 1.0, found.serving, 40_000)
    assert found.waiting == pytest.approx(seen.waiting, abs=0.03)
    assert found.mean_concurrency == pytest.approx(seen.in_service / found.serving, rel=0.03)
    quantile = float(np.quantile(seen.waits + CURVE.at(seen.found)[0], OBJECTIVE.share))
    assert found.ttft_seconds == pytest.approx(quantile, rel=0.25)


def test_queues_of_their_own_take_more_replicas() -> None:
    busy = msgspec.structs.replace(TRAFFIC, requests_per_second=36.0)
    found = answer(traffic=busy, routing="random")
    assert found.serving > answer(traffic=busy).serving
    share = {count: msgspec.structs.replace(busy, requests_per_second=36.0 / count) for count in (11, 12)}
    assert found.serving == 12
    assert seen_ttft(1, found.concurrency, share[12]) <= BOUND
    assert seen_ttft(1, found.concurrency, share[11]) > BOUND


def test_no_replica_is_fast_enough() -> None:
    found = replicas(TRAFFIC, Objective(ttft_seconds=0.1, tpot_seconds=0.05), CURVE)
    assert isinstance(found, Unattainable)
    assert found.best_ttft_seconds == pytest.approx(0.21)
    assert "the first token takes 210 ms at best, 100 ms are asked for" in str(found)
    assert "further" not in str(found)


def test_bounds_that_exclude_each_other() -> None:
    odd = Curve((1.0, 2.0), (2.0, 1.0), (0.01, 0.02))
    found = replicas(TRAFFIC, Objective(ttft_seconds=1.0, tpot_seconds=0.01), odd)
    assert isinstance(found, Unattainable)
    assert "both" in str(found)


def test_without_a_promise_the_queue_only_does_not_grow() -> None:
    found = answer(objective=Objective())
    assert 0.5 < found.load < 1
    assert found.concurrency == 64


def test_traffic_by_tokens_and_at_its_peak() -> None:
    assert of_tokens(1_600.0, 200.0) == TRAFFIC
    doubled = answer(traffic=msgspec.structs.replace(TRAFFIC, peak_factor=2.0))
    assert (
        doubled.serving == answer(traffic=msgspec.structs.replace(TRAFFIC, requests_per_second=16.0)).serving
    )


def test_failures_of_replicas_and_providers_take_standby() -> None:
    outages = Outages(
        chips_per_replica=8, interruptions_per_chip_hour=1 / 50_000, restart_hours=2.0, availability=0.9999
    )
    few = answer(outages=outages)
    assert few.standby >= 1
    assert few.total == few.serving + few.standby
    worse = msgspec.structs.replace(outages, restart_hours=200.0)
    assert answer(outages=worse).standby > few.standby
    spread = msgspec.structs.replace(outages, providers=3, lost_providers=1)
    assert answer(outages=spread).total >= 1.5 * few.total


def test_many_replicas_stand_behind_several_queues() -> None:
    """Beyond the bound on states the shared queue is cut in parts: nearly as good, and quick."""
    found = answer(traffic=msgspec.structs.replace(TRAFFIC, requests_per_second=100_000.0))
    assert 0.98 < found.load < 1


def test_traffic_beyond_any_fleet_is_refused() -> None:
    with pytest.raises(InputError, match="rate of requests"):
        answer(traffic=msgspec.structs.replace(TRAFFIC, requests_per_second=1e12))


def test_a_curve_has_the_models_points() -> None:
    assert CURVE.most == 64
    assert CURVE.concurrency[:4] == (1.0, 2.0, 3.0, 4.0)
    for concurrency in (1, 10, 33, 64):
        assert CURVE.at(concurrency) == pytest.approx(engine(concurrency), rel=1e-9)


def test_the_variation_of_a_length_from_its_percentile() -> None:
    lengths = np.exp(np.random.default_rng(3).normal(5.0, 0.8, 400_000))
    found = variation(lengths.mean(), float(np.quantile(lengths, 0.95)))
    assert found == pytest.approx(lengths.var() / lengths.mean() ** 2, rel=0.03)


@pytest.mark.parametrize("value", [90.0, 1_000.0])
def test_a_percentile_that_no_length_has_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="log-normal"):
        variation(100.0, value)


@given(
    st.floats(0.01, 2_000.0),
    st.floats(1.0, 3.0),
    st.floats(0.4, 5.0),
    st.floats(0.025, 0.1),
    st.sampled_from(["shared", "random"]),
)
def test_more_traffic_never_takes_fewer(
    rate: float, times: float, ttft: float, tpot: float, routing: str
) -> None:
    objective = Objective(ttft_seconds=ttft, tpot_seconds=tpot)
    found, more = (
        answer(
            traffic=msgspec.structs.replace(TRAFFIC, requests_per_second=rate * factor),
            objective=objective,
            routing=routing,
        )
        for factor in (1.0, times)
    )
    assert more.serving >= found.serving
    for one in (found, more):
        assert one.load < 1
        assert one.ttft_seconds <= ttft * (1 + 1e-9)
        assert one.tpot_seconds <= tpot * (1 + 1e-9)
    looser = msgspec.structs.replace(objective, ttft_seconds=ttft * times)
    same = msgspec.structs.replace(TRAFFIC, requests_per_second=rate)
    assert answer(traffic=same, objective=looser, routing=routing).serving <= found.serving
