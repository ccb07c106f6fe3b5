"""dstack tasks and services to workloads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from stargate.base.document import parse as parse_yaml
from stargate.base.errors import InputError
from stargate.base.time import HOUR
from stargate.workloads import Probe, Secret, Service, parse
from stargate.workloads.importing import import_text
from stargate.workloads.importing.dstack import RESTARTS, import_dstack
from stargate.workloads.render import to_yaml
from tests.workloads.importing.test_sbatch import CHIPS
from tests.workloads.strategies import DSTACK, all_explained

TASK = """
type: task
name: train-distrib
nodes: 2
python: 3.12
env: [NCCL_DEBUG=INFO, HF_TOKEN]
files: [train.py, data:/mnt/data, {local_path: a, path: /b}]
commands:
  - pip install -r requirements.txt
  - |
    torchrun --nnodes=$DSTACK_NODES_NUM train.py
resources: {gpu: "H100,H200:80GB:8", cpu: 32.., memory: 256GB..512GB, disk: 1TB.., shm_size: 16GB}
backends: [aws, gcp]
regions: [us-east-1]
priority: 50
max_price: 40
max_duration: 12h
spot_policy: spot
retry: {on_events: [no-capacity, error], duration: 1h}
ports: [6006, "8080:80"]
tags: {project: lm}
"""

SERVICE = """
type: service
model: {name: llama, format: openai}
env: {A: 1}
commands: [python -m server]
port: 80:8000
replicas: 1..4
scaling: {metric: rps, target: 10}
probes: [{type: http, url: /health}]
resources: {gpu: 24GB..}
"""


def test_a_task() -> None:
    imported = import_text(TASK, "x/.dstack.yml")
    workload = imported.workload
    assert imported.format == "dstack"
    assert [(each.chip, each.chips_per_node, each.provider, each.site) for each in workload.alternatives] == [
        ("H100", 8, "aws", "us-east-1"),
        ("H100", 8, "gcp", "us-east-1"),
        ("H200", 8, "aws", "us-east-1"),
        ("H200", 8, "gcp", "us-east-1"),
    ]
    first = workload.alternatives[0]
    assert (first.cpus, first.memory_gib, first.disk_size_gib) == (Decimal(32), Decimal(256), 1024)
    assert (first.max_usd_per_chip_hour, first.use_spot, first.ports) == (Decimal(5), True, ("6006", "80"))
    assert (workload.nodes, workload.priority, workload.time_limit) == (2, 50, 12 * HOUR)
    assert workload.max_restarts == RESTARTS
    assert workload.envs == {"NCCL_DEBUG": "INFO"}
    assert workload.secrets == {"HF_TOKEN": Secret(from_="HF_TOKEN")}
    assert workload.file_mounts == {"train.py": "train.py", "/mnt/data": "data", "/b": "a"}
    assert workload.run.startswith("set -e\n")
    assert "export DSTACK_NODES_NUM" in workload.run
    assert sum("no counterpart" in note for note in imported.notes) == 2, "python and shm_size"
    assert parse(to_yaml(workload)) == workload


def test_a_service() -> None:
    workload = import_text(SERVICE, "serve.dstack.yml", CHIPS).workload
    assert (workload.name, workload.kind, workload.model) == ("serve", "serve", "llama")
    assert workload.service == Service(
        min_replicas=1,
        max_replicas=4,
        target_qps_per_replica=Decimal(10),
        port=8000,
        probe=Probe(path="/health"),
    )
    assert [each.chip for each in workload.alternatives] == ["A100-40GB-SXM", "H100-SXM"]
    assert parse(to_yaml(workload)) == workload


def test_an_unknown_accelerator_needs_a_table() -> None:
    with pytest.raises(InputError, match="no known accelerator fits"):
        import_dstack(parse_yaml("{type: task, resources: {gpu: 24GB}}")[0])


@pytest.mark.parametrize("kind", ["dev-environment", "fleet", "gateway", "volume", "tusk"])
def test_other_configurations_are_refused(kind: str) -> None:
    with pytest.raises(InputError) as caught:
        import_text(f"type: {kind}", "x.yml")
    assert caught.value.problems[0].path == "type"


def test_groups_are_refused() -> None:
    with pytest.raises(InputError, match="groups of unlike nodes"):
        import_text("{type: task, groups: [{nodes: 1}]}", "x.yml")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(DSTACK)
def test_any_configuration_is_a_workload_or_named_problems(written: dict[str, Any]) -> None:
    try:
        workload = import_text(yaml.safe_dump(written, allow_unicode=True), "x.yml", CHIPS).workload
    except InputError as error:
        all_explained(error)
    else:
        assert parse(to_yaml(workload)) == workload
