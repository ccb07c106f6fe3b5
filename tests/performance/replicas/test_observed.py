"""Logs of real services: replicas sized from what a log shows keep their promise when the log is replayed."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from stargate.base.errors import InputError
from stargate.performance.replicas.observed import observed
from stargate.performance.replicas.serving import Objective, Replicas, replicas, sampled
from tests.performance.desk import replay

OBJECTIVE = Objective(ttft_seconds=1.5, share=0.95)
CURVE = sampled(lambda held: (0.2 + 0.02 * held, 0.02 + 0.003 * held), 6)
"""A small replica, so that traffic of a few requests a second takes several."""

Log = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def azure(shared: Path) -> Log:
    """Requests of a code assistant, an hour of 2023."""
    path = shared / "data" / "traces" / "azure-llm-2023" / "AzureLLMInferenceTrace_code.csv.gz"
    with gzip.open(path, "rt") as stream:
        rows = list(csv.DictReader(stream))
    times = [datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in rows]
    return np.array(times) - times[0], np.array([float(row["GeneratedTokens"]) for row in rows])


@pytest.fixture
def mooncake(shared: Path) -> Log:
    """Conversations, an hour; times are rounded to three seconds, so they are spread over them."""
    path = shared / "data" / "traces" / "mooncake" / "conversation_trace.jsonl.gz"
    with gzip.open(path, "rt") as stream:
        rows = [json.loads(line) for line in stream]
    spread = np.random.default_rng(0).uniform(0, 3, len(rows))
    times = np.array([row["timestamp"] for row in rows]) / 1_000 + spread
    order = np.argsort(times)
    return times[order], np.array([float(row["output_length"]) for row in rows])[order]


def kept(log: Log, found: Replicas) -> float:
    """Share of requests whose first token came in time, when the log meets these replicas."""
    times, tokens = log
    held = np.arange(1.0, found.concurrency + 1.0)
    ttft, tpot = CURVE.at(held)
    rates = held / (ttft + (tokens.mean() - 1) * tpot)
    seen = replay(times, tokens / tokens.mean(), rates, found.serving)
    return float((seen.waits + CURVE.at(seen.found)[0] <= OBJECTIVE.ttft_seconds).mean())


def sized(log: Log, window_seconds: float) -> Replicas:
    """Replicas for the traffic that a log shows."""
    found = replicas(observed(*log, window_seconds), OBJECTIVE, CURVE)
    assert isinstance(found, Replicas)
    return found


def test_conversations_keep_the_promise_of_their_busiest_minute(mooncake: Log) -> None:
    found = sized(mooncake, 60.0)
    assert kept(mooncake, found) >= OBJECTIVE.share
    assert kept(mooncake, sized(mooncake, 3_600.0)) < OBJECTIVE.share


def test_code_completion_keeps_the_promise_of_its_busiest_ten_seconds(azure: Log) -> None:
    assert kept(azure, sized(azure, 10.0)) >= OBJECTIVE.share
    assert kept(azure, sized(azure, 300.0)) < OBJECTIVE.share


def test_a_steady_log_has_no_peak() -> None:
    times = np.cumsum(np.random.default_rng(2).exponential(0.01, 200_000))
    found = observed(times, np.full(len(times), 50.0))
    assert found.requests_per_second == pytest.approx(100.0, rel=0.01)
    assert found.arrival_variation == pytest.approx(1.0, abs=0.03)
    assert 1.0 <= found.peak_factor < 1.06
    assert (found.output_tokens, found.output_variation) == (50.0, 0.0)


def test_the_order_of_a_log_does_not_matter() -> None:
    times = np.array([5.0, 1.0, 3.0, 9.0])
    tokens = np.array([1.0, 2.0, 3.0, 4.0])
    assert observed(times, tokens) == observed(np.sort(times), tokens)


@pytest.mark.parametrize("times", [[], [1.0], [2.0, 2.0]])
def test_a_log_without_a_rate_is_refused(times: list[float]) -> None:
    with pytest.raises(InputError, match="no rate"):
        observed(np.array(times), np.ones(len(times)))
