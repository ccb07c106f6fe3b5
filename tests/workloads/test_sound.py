"""Records built by hand are held to the same rules as those that were read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stargate.base.time import FOREVER, Duration, Instant
from stargate.workloads import Checkpoint, Resources, Secret, Service, Workload
from stargate.workloads.sound import unsound
from stargate.workloads.workload import ENV_VALUE_LIMIT, OPTIONS_LIMIT, SCRIPT_BYTES_LIMIT


def test_a_sound_record() -> None:
    assert unsound(Workload(name="a")) == []
    assert (
        unsound(Workload(name="a", kind="serve", service=Service(), secrets={"A": Secret(from_="b")})) == []
    )


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": "-a"}, "name"),
        ({"name": "a..b"}, "name"),
        ({"nodes": 0}, "nodes"),
        ({"priority": 1_001}, "priority"),
        ({"kind": "serve"}, "service"),
        ({"service": Service()}, "service"),
        ({"replicas": 3}, "replicas"),
        ({"kind": "serve", "service": Service(), "replicas": 2}, "replicas"),
        ({"deadline": Instant(-1)}, "deadline"),
        ({"deadline": FOREVER}, "deadline"),
        ({"time_limit": Duration(0)}, "time_limit"),
        ({"time_limit": Duration(2**70)}, "time_limit"),
        ({"checkpoint": Checkpoint(interval=Duration(-1))}, "checkpoint.interval"),
        ({"max_cost_usd": Decimal("Infinity")}, "max_cost_usd"),
        ({"run": "echo \0"}, "run"),
        ({"run": "echo \ud800"}, "run"),
        ({"run": "é" * (SCRIPT_BYTES_LIMIT // 2 + 1)}, "run"),
        ({"residency": ("us",)}, "residency[0]"),
        ({"envs": {"A": "x" * (ENV_VALUE_LIMIT + 1)}}, "envs.A"),
        ({"envs": {f"A{n}": "x" * ENV_VALUE_LIMIT for n in range(20)}}, "envs"),
        ({"envs": {"A": "1"}, "secrets": {"A": Secret(from_="a")}}, "secrets.A"),
        ({"secrets": {"A": Secret(from_="a b")}}, "secrets.A.from"),
        ({"engine_options": {"slurm": {"x": "y" * OPTIONS_LIMIT}}}, "engine_options"),
        ({"engine_options": {"slurm": {"x": 2**64}}}, "engine_options.slurm.x"),
        ({"alternatives": (Resources(chips_per_node=8),)}, "alternatives[0]"),
        ({"alternatives": (Resources(ports=("0",)),)}, "alternatives[0].ports"),
        ({"alternatives": (Resources(provider="*"),)}, "alternatives[0].provider"),
        ({"alternatives": (Resources(max_usd_per_chip_hour=Decimal(0)),)}, "alternatives[0]"),
    ],
)
def test_what_is_unsound_is_named(fields: dict[str, Any], path: str) -> None:
    found = unsound(Workload(**{"name": "a", **fields}))
    assert path in {fault.path for fault in found}
    assert all(fault.message and fault.remedy for fault in found)
