"""Traffic: how many replicas when; and services whose replicas become ready, fail and are scaled."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base.time import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from stargate.broker.command import Scale
from stargate.broker.fact import Ended, Scaled, Started
from stargate.rehearsal.traces import Request
from stargate.rehearsal.world.traffic import Step, Traffic, scalings
from tests.rehearsal.world.stages import play

BEGIN = Instant.parse("2026-01-05T06:30:00Z")


def numbers(traffic: Traffic, days: int = 1, requests: tuple[Request, ...] = ()) -> list[tuple[int, int]]:
    found = scalings(traffic, "api", BEGIN, BEGIN.plus(days * DAY), requests)
    return [((at - BEGIN) // MINUTE, said.replicas) for at, said in found if isinstance(said, Scale)]


def test_steps() -> None:
    steps = (Step(Duration(2 * HOUR), 3), Step(Duration(0), 1), Step(Duration(3 * DAY), 9))
    assert numbers(Traffic(steps=steps)) == [(0, 1), (120, 3)]


def test_hours_of_the_day() -> None:
    hours = tuple(10.0 if 8 <= hour < 18 else 1.0 for hour in range(24))
    traffic = Traffic(hours=hours, requests_per_s_and_replica=2.0)
    assert numbers(traffic) == [(0, 1), (90, 5), (690, 1)]
    assert numbers(Traffic(hours=hours, requests_per_s_and_replica=2.0, least=2, most=4)) == [
        (0, 2),
        (90, 4),
        (690, 2),
    ]


def test_a_log_of_requests() -> None:
    requests = tuple(Request(at, 10, 10) for at in [0.5] * 60 + [130.0] * 240)
    traffic = Traffic(requests="log", window=Duration(MINUTE), requests_per_s_and_replica=1.0)
    assert numbers(traffic, requests=requests) == [(0, 1), (2, 4)]


def test_traffic_is_said_one_way() -> None:
    with pytest.raises(ValueError, match="give one of them"):
        Traffic()
    with pytest.raises(ValueError, match="24 hours"):
        Traffic(hours=(1.0,))


SERVICE = """
name: api
kind: serve
model: m
resources: {accelerators: {H100-SXM: 8}, ports: 8000}
service: {replica_policy: {min_replicas: 1, max_replicas: 6, target_qps_per_replica: 1}, readiness_probe: /health}
run: serve
"""


def test_replicas_become_ready_fail_and_follow_the_traffic(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(SERVICE)
    text = """
start: 2026-01-05
horizon: 10d
engines: [{start: {fixed: 5m}, failures: {chip_hours_between: 500}}]
workloads:
- workload: api.yaml
  cancelled_after: 8d
  traffic: {steps: [{after: 1d, replicas: 4}, {after: 3d, replicas: 2}]}
"""
    found = play(tmp_path, text)
    assert [
        (fact.replicas, at) for fact, at in zip(found.facts(Scaled), found.seconds(Scaled), strict=True)
    ] == [
        (4, 86_400),
        (2, 3 * 86_400),
    ]
    assert found.seconds(Started)[:4] == [300, 86_700, 86_700, 86_700]
    ends = [fact.failure for fact in found.facts(Ended)]
    assert ends.count("infrastructure") > 0
    engines = found.stage.world.engines
    assert engines.totals.lost == 0
    served = 8 * sum(one.kept_us for one in engines.spent)
    assert served == engines.totals.kept
    wanted = (1 * 1 + 2 * 4 + 5 * 2) * 8 * DAY
    assert 0.9 * wanted < served < wanted
    assert found.seconds(Ended)[-1] == 8 * DAY // SECOND
