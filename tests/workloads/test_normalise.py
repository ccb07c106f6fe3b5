"""Workload files to records: what is used, what is carried, what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.base.errors import InputError
from stargate.base.time import DAY, HOUR, MINUTE, Duration, Instant
from stargate.workloads import Data, Topology, Workload, parse
from stargate.workloads.normalise import ENGINES

OURS = """
name: lm-7b
kind: train
team: research
model: lm-7b
product: assistant
customer: national_security
priority: 10
num_nodes: 16
resources:
  accelerators: {GB200: 4, H100: 8}
residency: [US, AE]
deadline: 2027-03-01T12:00:00-08:00
time_limit: 72h
max_cost: 125000.50
topology: {required: rack, preferred: fabric}
checkpoint: {path: s3://ckpt/lm, interval: 10m, size_gib: 84}
preemptible: false
max_restarts: 2
max_recoveries: 50
inputs:
  - {uri: s3://tokens, size_gib: 2000, site: abilene}
  - {uri: s3://vocab, size_gib: 1, site: phoenix}
  - s3://eval
labels: {experiment: 12}
engine_options:
  slurm: {partition: gpu, nice: 5}
run: python train.py
"""


def faults(text: str) -> dict[str, str]:
    """Field path to message of everything wrong."""
    with pytest.raises(InputError) as caught:
        parse(text, "task.yaml")
    assert all(problem.remedy and problem.line for problem in caught.value.problems)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_our_own_fields() -> None:
    workload = parse(OURS)
    assert workload.kind == "train"
    assert (workload.team, workload.product, workload.customer) == (
        "research",
        "assistant",
        "national_security",
    )
    assert [(each.chip, each.chips_per_node) for each in workload.alternatives] == [("GB200", 4), ("H100", 8)]
    assert workload.deadline == Instant.parse("2027-03-01T20:00:00Z")
    assert workload.time_limit == 3 * DAY
    assert workload.max_cost_usd == Decimal("125000.5")
    assert workload.topology == Topology(required="block", preferred="pool")
    assert workload.checkpoint is not None
    assert (workload.checkpoint.interval, workload.checkpoint.size_gib) == (
        Duration(10 * MINUTE),
        Decimal(84),
    )
    assert (workload.preemptible, workload.max_restarts, workload.max_recoveries) == (False, 2, 50)
    assert workload.inputs[2] == Data(uri="s3://eval")
    assert (workload.inputs_gib, workload.inputs_site) == (Decimal(2001), "abilene")
    assert workload.labels == {"experiment": "12"}
    assert workload.engine_options == {"slurm": {"partition": "gpu", "nice": 5}}


def test_the_least_that_can_be_asked() -> None:
    assert parse("run: echo hi", name="hello") == Workload(name="hello", run="echo hi")


def test_short_forms() -> None:
    workload = parse("{residency: US, topology: block, checkpoint: /ckpt, outputs: [s3://out]}")
    assert workload.residency == ("US",)
    assert workload.topology.required == "block"
    assert workload.checkpoint is not None
    assert workload.checkpoint.path == "/ckpt"
    assert workload.outputs == (Data(uri="s3://out"),)


def test_skypilot_sizes_of_inputs_are_gigabytes() -> None:
    (data,) = parse("inputs: {s3://bucket: 150}").inputs
    assert data.size_gib == Decimal("139.698386")


def test_skypilot_keys_without_a_meaning_here_are_carried() -> None:
    workload = parse("""
        volumes: {/mnt: my-volume-$N}
        config: {kubernetes: {provision_timeout: 1.5}}
        event_callback: echo done
        resources: {job_recovery: {strategy: FAILOVER, max_restarts_on_errors: 3}}
        envs: {N: 7}
    """)
    assert workload.max_restarts == 3
    assert workload.engine_options["skypilot"] == {
        "volumes": {"/mnt": "my-volume-7"},
        "config": {"kubernetes": {"provision_timeout": 1.5}},
        "event_callback": "echo done",
        "job_recovery": {"strategy": "FAILOVER", "max_restarts_on_errors": 3},
    }


def test_a_repository_as_workdir() -> None:
    assert parse("workdir: {url: 'https://git.example/lm', ref: v2}").workdir == "https://git.example/lm@v2"
    assert parse("{workdir: ./$D, envs: {D: src}}").workdir == "./src"


def test_variables_fill_mounts() -> None:
    workload = parse("""
        envs: {SIZE: 7, BUCKET: weights}
        file_mounts:
          /model-${SIZE}b: s3://$BUCKET/llama-${SIZE}b
          /unknown: s3://$OTHER
          /store: {name: $BUCKET, mode: MOUNT}
    """)
    assert workload.file_mounts == {
        "/model-7b": "s3://weights/llama-7b",
        "/unknown": "s3://$OTHER",
        "/store": {"name": "weights", "mode": "MOUNT"},
    }


def test_every_problem_is_reported_at_once() -> None:
    found = faults("""
        num_nodes: 0
        priority: 5000
        residency: [Texas]
        deadline: tomorrow
        time_limit: 3600
        max_cost: -1
        topology: galaxy
        checkpoint: {interval: soon}
        resources: {accelerators: H100:1.5, cpus: many}
        engine_options: {slurmm: {}}
        inputs: [{uri: a, size_gib: -2}]
    """)
    assert set(found) == {
        "num_nodes", "priority", "residency[0]", "deadline", "time_limit", "max_cost", "topology",
        "checkpoint.interval", "resources.accelerators", "resources.cpus", "engine_options.slurmm",
        "inputs[0].size_gib",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "path", "remedy"),
    [
        ("resources: {acelerators: H100:8}", "resources.acelerators", "accelerators"),
        ("residancy: [US]", "residancy", "residency"),
        ("kind: trian", "kind", "train"),
        ("topology: {required: blok}", "topology.required", "block"),
        (f"engine_options: {{{ENGINES[0][:-1]}: {{}}}}", f"engine_options.{ENGINES[0][:-1]}", ENGINES[0]),
    ],
)
def test_near_misses_are_named(text: str, path: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert remedy in problem.remedy


def test_internal_keys_of_skypilot_are_refused() -> None:
    found = faults("{_metadata: {}, resources: {_is_image_managed: true, any_of: [{_requires_fuse: true}]}}")
    assert set(found) == {"_metadata", "resources._is_image_managed", "resources.any_of[0]._requires_fuse"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{kind: train, service: {replicas: 1}}", "kind"),
        ("{priority: 1, resources: {priority: 2}}", "priority"),
        ("{max_cost: 1, max_cost_usd: 2}", "max_cost"),
        ("{max_restarts: 1, resources: {job_recovery: {max_restarts_on_errors: 2}}}", "max_restarts"),
        ("{envs: {A: 1}, secrets: {A: null}}", "secrets.A"),
    ],
)
def test_contradictions_are_refused(text: str, path: str) -> None:
    assert path in faults(text)


def test_a_time_limit_keeps_its_unit() -> None:
    assert parse("time_limit: 90m").time_limit == HOUR + 30 * MINUTE
