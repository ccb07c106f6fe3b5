"""dstack's ranges and GPU requests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stargate.workloads.importing.ranges import GpuRequest, count_range, gpu_request, memory_range


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("H100", GpuRequest(("H100",), 1)),
        ("H100:8", GpuRequest(("H100",), 8)),
        ("A100:80GB:4", GpuRequest(("A100",), 4, Decimal(80))),
        ("A100,L40S:2..4", GpuRequest(("A100", "L40S"), 2)),
        ("24GB..80GB:2", GpuRequest((), 2, Decimal(24))),
        ("amd:8", GpuRequest((), 8, None, "amd")),
        (4, GpuRequest((), 4)),
        ({"name": ["H100", "H200"], "count": 8}, GpuRequest(("H100", "H200"), 8)),
        (
            {"vendor": "nvidia", "memory": "40GB..", "count": {"min": 2, "max": 4}},
            GpuRequest((), 2, Decimal(40), "nvidia"),
        ),
    ],
)
def test_requests_for_gpus(written: Any, expected: GpuRequest) -> None:
    assert gpu_request(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"), [(8, 8), ("8..16", 8), ("x86:4..", 4), ("..8", 1), ({"count": "2.."}, 2)]
)
def test_the_least_of_a_count(written: Any, expected: int) -> None:
    assert count_range(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"), [("24GB..80GB", 24), ("1TB", 1024), (16, 16), ({"min": "8GB"}, 8)]
)
def test_the_least_of_memory(written: Any, expected: int) -> None:
    assert memory_range(written) == expected


@pytest.mark.parametrize("written", [None, [], 1.5, {"count": "many"}, "H100:8:-"])
def test_what_is_no_request(written: Any) -> None:
    with pytest.raises(ValueError, match="; "):
        gpu_request(written)
