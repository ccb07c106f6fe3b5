"""`resources:` to alternatives."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.base.errors import InputError
from stargate.workloads import Resources, Workload, parse
from stargate.workloads.workload import ALTERNATIVES_LIMIT


def asked(resources: str) -> Workload:
    """The workload of one `resources:`."""
    return parse(f"resources: {resources}")


def chips(workload: Workload) -> list[tuple[str | None, int]]:
    """Name and count of each alternative."""
    return [(each.chip, each.chips_per_node) for each in workload.alternatives]


@pytest.mark.parametrize(
    ("written", "expected", "ordered"),
    [
        ("H100:8", [("H100", 8)], False),
        ("{H100: 8, H200: 4}", [("H100", 8), ("H200", 4)], False),
        ("{H100:8, H200:4}", [("H100", 8), ("H200", 4)], False),
        ("['H200:8', H100]", [("H200", 8), ("H100", 1)], True),
        ("null", [(None, 0)], False),
    ],
)
def test_forms_of_accelerators(written: str, expected: list[tuple[str, int]], ordered: bool) -> None:
    workload = asked(f"{{accelerators: {written}}}")
    assert chips(workload) == expected
    assert workload.ordered is ordered


def test_what_an_alternative_leaves_out_is_inherited() -> None:
    workload = asked("""
      accelerators: H100:8
      cpus: 96+
      infra: azure
      any_of:
        - use_spot: true
        - {infra: oracle/abilene, cpus: 48}
        - {accelerators: {GB200: 4, GB300: 4}, cloud: aws}
    """)
    assert chips(workload) == [("H100", 8), ("H100", 8), ("GB200", 4), ("GB300", 4)]
    spot, other, third, fourth = workload.alternatives
    assert (spot.provider, spot.use_spot, spot.cpus, spot.exact_cpus) == ("azure", True, Decimal(96), False)
    assert (other.provider, other.site, other.cpus, other.exact_cpus) == (
        "oracle",
        "abilene",
        Decimal(48),
        True,
    )
    assert third.provider == fourth.provider == "aws"
    assert not workload.ordered


def test_ordered_keeps_its_order() -> None:
    workload = asked("{ordered: [{accelerators: H200:8}, {accelerators: H100:8}]}")
    assert workload.ordered
    assert chips(workload) == [("H200", 8), ("H100", 8)]


def test_a_price_cap_is_for_a_node_and_becomes_one_for_a_chip() -> None:
    cap = asked("{accelerators: H100:8, max_hourly_cost: 100}").alternatives[0]
    assert cap.max_usd_per_chip_hour == Decimal("12.5")
    assert asked("{max_hourly_cost: 3}").alternatives[0].max_usd_per_chip_hour == 3


def test_the_rest_of_the_vocabulary() -> None:
    (found,) = asked("""
      cloud: gcp
      region: us-central1
      zone: us-central1-a
      cpus: 8
      memory: 4x
      disk_size: 1TB
      image_id: docker:ubuntu
      network_tier: best
      instance_type: a3-highgpu-8g
      ports: [8080, 9000-9010]
      labels: {a: 1}
      disk_tier: high
      autostop: {idle_minutes: 10}
      priority_class: critical
    """).alternatives
    assert found == Resources(
        provider="gcp",
        site="us-central1",
        pool="us-central1-a",
        cpus=Decimal(8),
        exact_cpus=True,
        memory_gib=Decimal(32),
        disk_size_gib=1024,
        image="docker:ubuntu",
        network_tier="best",
        instance_type="a3-highgpu-8g",
        ports=("8080", "9000-9010"),
        labels={"a": "1"},
        options={"disk_tier": "high", "autostop": {"idle_minutes": 10}, "priority_class": "critical"},
    )


def test_gpus_are_accelerators() -> None:
    assert chips(asked("{gpus: {H100: 8}}")) == [("H100", 8)]
    assert chips(asked("{gpus: L4, any_of: [{infra: a}, {accelerators: H100:8}]}")) == [
        ("L4", 1),
        ("H100", 8),
    ]


def test_priority_may_stand_among_resources() -> None:
    assert asked("{priority: 7}").priority == 7
    assert asked("{any_of: [{priority: 7}, {priority: 7}]}").priority == 7


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("{any_of: [{priority: 7}, {priority: 8}]}", "resources.any_of[1].priority"),
        ("{any_of: []}", "resources.any_of"),
        ("{any_of: [{cpus: 1}], ordered: [{cpus: 1}]}", "resources.ordered"),
        ("{any_of: [{any_of: [{cpus: 1}]}]}", "resources.any_of[0]"),
        ("{infra: azure, cloud: aws}", "resources.infra"),
        ("{gpus: H100:8, accelerators: H100:8}", "resources.gpus"),
        ("{memory: 4x}", "resources.memory"),
        ("{max_hourly_cost: 0}", "resources.max_hourly_cost"),
        ("{accelerators: 8}", "resources.accelerators"),
        ("{accelerators: {H100: 0}}", "resources.accelerators.H100"),
        ("{ports: [http]}", "resources.ports"),
        ("{labels: {a: [1]}}", "resources.labels.a"),
    ],
)
def test_refusals_name_the_field(written: str, path: str) -> None:
    with pytest.raises(InputError) as caught:
        asked(written)
    assert path in {problem.path for problem in caught.value.problems}


def test_alternatives_are_bounded() -> None:
    listed = ", ".join("{cpus: 1}" for _ in range(ALTERNATIVES_LIMIT + 1))
    with pytest.raises(InputError, match="alternatives"):
        asked(f"{{any_of: [{listed}]}}")


def test_a_fault_in_what_all_inherit_is_told_once() -> None:
    with pytest.raises(InputError) as caught:
        asked("\n  cpus: many\n  any_of: [{infra: a}, {infra: b}, {infra: c}]")
    assert len(caught.value.problems) == 1
