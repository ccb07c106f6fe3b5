"""Power: the shipped shares against measured servers, and how a step's terms are weighed."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from stargate.performance.combine import exactly
from stargate.performance.energy import (
    Power,
    builtin_draws,
    busy_w,
    decoding,
    draw_of,
    facility_w,
    idle_w,
    utilisation,
)
from stargate.performance.estimate import Range, Term


def quantiles(folder: Path, name: str) -> list[float]:
    """A CDF of the Acme traces: a thousand equally likely values, ascending."""
    with gzip.open(folder / "data" / "traces" / "acme" / f"{name}.csv.gz", "rt") as stream:
        return [float(row[0]) for row in csv.reader(stream)]


def test_every_share_has_a_source() -> None:
    parts = [draw.part for draw in builtin_draws()]
    assert len(set(parts)) == len(parts) == 10
    assert all(draw.source for draw in builtin_draws())
    assert {draw.part for draw in builtin_draws() if draw.evidence == "assumed"} == {
        "communication",
        "bubble",
        "overhead",
    }


def test_servers_of_eight_a100_draw_what_was_measured(shared: Path) -> None:
    """Chips and whole servers of one cluster were measured apart, so their distributions are compared."""
    chips, servers = quantiles(shared, "gpu_power_seren"), quantiles(shared, "server_power")
    host = draw_of("host").point
    mean = facility_w(400.0, sum(chips) / len(chips) / 400.0, host, 1.0) * 8
    assert mean == pytest.approx(sum(servers) / len(servers), rel=0.01)
    high = facility_w(400.0, chips[950] / 400.0, host, 1.0) * 8
    assert high == pytest.approx(servers[950], rel=0.05)


def test_idle_and_computing_chips_draw_what_was_measured(shared: Path) -> None:
    chips = quantiles(shared, "gpu_power_kalos")
    idle, compute = draw_of("idle"), draw_of("compute")
    assert chips[100] / 400 == pytest.approx(idle.point, abs=0.01)
    assert compute.low < chips[750] / 400 < compute.high + 0.01
    working = [power / 400 for power in chips if power > 120]
    assert sum(working) / len(working) == pytest.approx(0.83, abs=0.01)


def test_servers_of_eight_h100_in_training() -> None:
    """76 % of their rated 10.2 kW (arXiv 2506.14551), at most 8.4 kW (arXiv 2412.08602)."""
    host = draw_of("host").point
    training = 8 * facility_w(700.0, 0.85, host, 1.0)
    assert training == pytest.approx(0.76 * 10_200, rel=0.03)
    assert 8 * facility_w(700.0, 1.0, host, 1.0) == pytest.approx(8_400.0, rel=0.01)


def test_immersed_servers_of_eight_h100_draw_less() -> None:
    """MLPerf Training 4.0, verified: 11,769,962 J in 29.10069 min on one node, without fans."""
    measured = 11_769_962 / (29.10069 * 60)
    host, compute = draw_of("host"), draw_of("compute")
    assert 8 * facility_w(700.0, 0.85, host.low, 1.0) == pytest.approx(measured, rel=0.01)
    assert 8 * facility_w(700.0, compute.low, host.low, 1.0) < measured
    assert measured < 8 * facility_w(700.0, compute.point, host.point, 1.0)


@pytest.mark.parametrize(("megawatt_hours", "hours"), [(146, 234_000), (681, 1_050_000)])
def test_chips_of_whole_runs(megawatt_hours: float, hours: float) -> None:
    """Olmo 3 7B and 32B on H100: a step of 85 % compute and 15 % communication is within a tenth."""
    share = megawatt_hours * 1e6 / hours / 700
    step = utilisation([Term("matmul", 0.85, "compute"), Term("data_parallel", 0.15, "communication")])
    assert step.point == pytest.approx(share, rel=0.1)
    assert step.low < share < step.high


def test_a_step_draws_what_its_terms_do() -> None:
    step = [Term("matmul", 8.0, "compute"), Term("data_parallel", 2.0, "communication")]
    found = utilisation(step)
    assert found.point == pytest.approx(0.8 * 0.92 + 0.2 * 0.6)
    assert found.low < found.point < found.high
    decode = utilisation([Term("weights", 1.0, "memory_bandwidth")])
    assert decode.point < found.point
    assert utilisation([Term("other", 1.0, "something new")]) == draw_of("overhead")


def test_hosts_draw_while_chips_wait() -> None:
    power = Power(rated_w=700.0, busy_share=exactly(0.85))
    busy, idle = busy_w(power), idle_w(power)
    assert busy.point == pytest.approx(700 * 1.35 * 1.2)
    assert 0.4 < idle.point / busy.point < 0.6
    assert busy.low < busy.point < busy.high
    assert power.host_factor == pytest.approx(1 + 0.5 / 0.85)


def test_chips_alone_have_no_host() -> None:
    nothing = Range(0.0, 0.0, 0.0)
    power = Power(rated_w=700.0, busy_share=exactly(1.0), host_share=nothing, pue=exactly(1.0))
    assert busy_w(power) == exactly(700.0)


@pytest.mark.parametrize(
    ("requests", "watts"), [(1, 300), (64, 480), (128, 520), (128, 600), (511, 688)], ids=str
)
def test_decoding_h100_draw_what_was_seen(requests: int, watts: int) -> None:
    """See `decoding` and its sources; each was another model."""
    found = decoding(requests)
    assert found.point == pytest.approx(watts / 700, abs=0.12)
    assert found.low <= watts / 700 <= found.high


def test_fuller_batches_draw_more() -> None:
    points = [decoding(requests).point for requests in (0.0, 0.5, 1.0, 2.0, 30.0, 1_000.0)]
    assert points == sorted(points)
    assert points[0] == draw_of("idle").point
