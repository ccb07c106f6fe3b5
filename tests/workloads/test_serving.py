"""`service:` of a workload file."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.base.errors import InputError
from stargate.base.time import MINUTE, SECOND, Duration
from stargate.workloads import Probe, Service, parse

SKYSERVE = """
envs: {MODEL_NAME: meta-llama/Llama-2-7b-chat-hf}
service:
  readiness_probe:
    path: /v1/chat/completions
    post_data:
      model: $MODEL_NAME
      max_tokens: 1
    initial_delay_seconds: 1800
    timeout_seconds: 4.5
  replica_policy:
    min_replicas: 2
    max_replicas: 10
    target_qps_per_replica: 2.5
    upscale_delay_seconds: 60
    downscale_delay_seconds: 90
  load_balancing_policy: least_load
resources:
  ports: 8081
  accelerators: {L4:1, A10G:1}
run: python -m server --port 8081
"""


def test_a_skypilot_service_loads_as_it_is() -> None:
    workload = parse(SKYSERVE)
    assert workload.kind == "serve"
    assert workload.replicas == 2
    assert workload.service == Service(
        min_replicas=2,
        max_replicas=10,
        target_qps_per_replica=Decimal("2.5"),
        cool_down=Duration(90 * SECOND),
        port=8081,
        probe=Probe(
            path="/v1/chat/completions",
            initial_delay=30 * MINUTE,  # type: ignore[arg-type]
            timeout=4_500_000,  # type: ignore[arg-type]
            post_data='{"model":"meta-llama/Llama-2-7b-chat-hf","max_tokens":1}',
        ),
        options={"load_balancing_policy": "least_load", "replica_policy": {"upscale_delay_seconds": 60}},
    )


def test_where_a_replica_cuts_texts() -> None:
    asked = "{kind: serve, service: {replicas: 1, ports: 9000, tokenize_path: %s}}"
    made = parse(asked % "/tokenize").service
    assert made is not None
    assert made.tokenize_path == "/tokenize"
    for wrong in ("tokenize", "'/a b'", "'/a?b'"):
        with pytest.raises(InputError, match=r"as /tokenize"):
            parse(asked % wrong)


def test_a_number_of_replicas() -> None:
    workload = parse("{kind: serve, service: {replicas: 3, ports: 9000, readiness_probe: /health}}")
    assert workload.replicas == 3
    assert workload.service == Service(min_replicas=3, max_replicas=3, port=9000, probe=Probe(path="/health"))
    assert Probe().timeout == 15 * SECOND


def test_a_service_may_be_scaled_to_zero() -> None:
    workload = parse("{kind: serve, service: {replica_policy: {min_replicas: 0}}}")
    assert workload.replicas == 0
    assert workload.service == Service(min_replicas=0, max_replicas=1), (
        "one that could never run serves nobody"
    )


def test_kind_serve_alone_is_one_replica() -> None:
    workload = parse("{kind: serve, model: gpt-oss-20b}")
    assert (workload.replicas, workload.service) == (1, Service())


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("{replicas: 1, replica_policy: {min_replicas: 1}}", "service.replicas"),
        ("{replicas: -1}", "service.replicas"),
        ("{replica_policy: {min_replicas: 3, max_replicas: 2}}", "service.replica_policy.max_replicas"),
        ("{replica_policy: {max_replicas: 2}}", "service.replica_policy"),
        ("{ports: 8000-9000}", "service.ports"),
        ("{readiness_probe: {path: /, timeout_seconds: soon}}", "service.readiness_probe.timeout_seconds"),
        ("{readyness_probe: /}", "service.readyness_probe"),
    ],
)
def test_refusals_name_the_field(written: str, path: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(f"service: {written}")
    assert path in {problem.path for problem in caught.value.problems}
