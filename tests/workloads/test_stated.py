"""Work that is stated instead of a number of chips."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from stargate.base.errors import InputError
from stargate.base.time import SECOND, Duration
from stargate.workloads import Latency, Layout, Traffic, Training, load, parse, parse_json
from stargate.workloads.render import to_yaml
from tests.workloads.test_normalise import faults

TRAIN = """
name: lm
kind: train
model: llama-3.1-70b
tokens: 1.5T
sequence_length: 8192
global_batch_size: 4M tokens
precision: fp8
layout: {tensor_parallel: 8, recompute: full}
resources: {accelerators: {H100: null, GB200: null}}
deadline: 2027-01-01
"""
SERVE = """
name: chat
model: llama-3.1-70b
traffic: {requests_per_s: 12.5, input_tokens: 2K, output_tokens: 300, ttft: {p95: 800ms}, tpot: 40ms}
"""
LEAST = "{requests_per_s: 1, input_tokens: 1, output_tokens: 1}"
CONFIG = {"hidden_size": 4096, "num_hidden_layers": 32, "rope_theta": 500000.0}


def test_a_run_by_its_tokens() -> None:
    workload = parse(TRAIN)
    assert workload.training == Training(
        tokens=1_500_000_000_000, sequence_length=8192, batch_tokens=4_000_000
    )
    assert workload.precision == "fp8"
    assert workload.layout == Layout(tensor_parallel=8, recompute="full")
    assert [(each.chip, each.chips_per_node) for each in workload.alternatives] == [("H100", 0), ("GB200", 0)]
    assert workload.stated


def test_a_service_by_its_traffic() -> None:
    workload = parse(SERVE)
    assert workload.kind == "serve"
    assert workload.traffic == Traffic(
        requests_per_s=Decimal("12.5"),
        input_tokens=2_000,
        output_tokens=300,
        ttft=Latency(95, Duration(SECOND * 8 // 10)),
        tpot=Latency(99, Duration(SECOND // 25)),
    )
    assert workload.service is not None
    assert workload.alternatives[0].chip is None


@pytest.mark.parametrize("text", [TRAIN, SERVE])
def test_it_comes_back_from_yaml_and_json(text: str) -> None:
    from stargate.base import wire

    workload = parse(text)
    assert parse(to_yaml(workload)) == workload
    assert parse_json(wire.to_json(workload)) == workload


def test_tokens_alone_make_it_training() -> None:
    assert parse("{model: a, tokens: 1B}").kind == "train"
    assert parse("{model: a}").kind == "batch"


def test_a_chip_without_a_count_means_one_where_no_work_is_stated() -> None:
    assert parse("resources: {accelerators: H100}").alternatives[0].chips_per_node == 1
    assert parse("{model: a, resources: {accelerators: H100}}").alternatives[0].chips_per_node == 1


def test_a_count_beside_stated_work_stays() -> None:
    workload = parse("{model: a, tokens: 1B, num_nodes: 4, resources: {accelerators: 'H100:8'}}")
    assert (workload.nodes, workload.alternatives[0].chips_per_node) == (4, 8)


@pytest.mark.parametrize(
    ("written", "tokens"),
    [("15T", 15 * 10**12), ("1.5b", 1_500_000_000), ("2e12", 2 * 10**12), ("300M", 3 * 10**8), ("7", 7)],
)
def test_forms_of_large_numbers(written: str, tokens: int) -> None:
    training = parse(f"{{model: a, tokens: {written}}}").training
    assert training is not None
    assert training.tokens == tokens


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    file = tmp_path / "train.yaml"
    file.write_text("{model: {name: own, config: config.json}, tokens: 1B}", encoding="utf-8")
    workload = load(file)
    assert (workload.model, workload.model_config) == ("own", CONFIG)
    inline = parse(f"{{model: {{name: own, config: {json.dumps(CONFIG)}}}, tokens: 1B}}")
    assert inline.model_config == CONFIG


def test_a_path_is_read_beside_a_file_only() -> None:
    found = faults("{model: {name: own, config: /etc/passwd}, tokens: 1B}")
    assert "beside a file" in found["model.config"]


@pytest.mark.parametrize("content", ["", "[]", "{", "{}", '"' * 10])
def test_a_description_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    file = tmp_path / "train.yaml"
    file.write_text("{model: {name: own, config: config.json}, tokens: 1B}", encoding="utf-8")
    with pytest.raises(InputError, match=r"no JSON object"):
        load(file)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{tokens: 1B}", "model"),
        ("{model: a, tokens: 0}", "tokens"),
        ("{model: a, tokens: 1.5}", "tokens"),
        ("{model: a, tokens: many}", "tokens"),
        ("{model: a, tokens: 1e30}", "tokens"),
        ("{model: a, tokens: 1B, kind: serve}", "tokens"),
        ("{model: a, tokens: 1B, kind: batch}", "kind"),
        ("{model: a, tokens: 100, sequence_length: 4096}", "tokens"),
        ("{model: a, tokens: 1B, sequence_length: 4096, global_batch_size: 100 tokens}", "tokens"),
        ("{model: a, tokens: 1B, global_batch_size: 4M words}", "global_batch_size"),
        ("{model: a, sequence_length: 4096}", "sequence_length"),
        ("{model: a, global_batch_size: 8}", "global_batch_size"),
        ("{model: a, precision: fp8}", "precision"),
        ("{model: a, tokens: 1B, precision: fp7}", "precision"),
        ("{model: a, layout: {tensor_parallel: 8}}", "layout"),
        ("{model: a, tokens: 1B, layout: {}}", "layout"),
        ("{model: a, tokens: 1B, layout: {tensor_parallel: 0}}", "layout.tensor_parallel"),
        ("{model: {name: a, config: {a: 1}}}", "model"),
        ("{model: {name: a, config: {}}, tokens: 1B}", "model.config"),
        (
            f"{{model: a, kind: train, traffic: {LEAST}}}",
            "traffic",
        ),
        (f"{{traffic: {LEAST}}}", "model"),
        (
            "{model: a, traffic: {requests_per_s: 0, input_tokens: 1, output_tokens: 1}}",
            "traffic.requests_per_s",
        ),
        (
            "{model: a, traffic: {requests_per_s: 1, input_tokens: 1, output_tokens: 1, ttft: {p95: 1}}}",
            "traffic.ttft",
        ),
        (
            "{model: a, traffic: {requests_per_s: 1, input_tokens: 1, output_tokens: 1, tpot: {95: 1s}}}",
            "traffic.tpot",
        ),
        (
            f"{{model: a, traffic: {LEAST}, service: {{replicas: 3}}}}",
            "service.replicas",
        ),
        (
            f"{{model: a, layout: {{recompute: full}}, traffic: {LEAST}}}",
            "layout.recompute",
        ),
        ("{model: a, tokens: 1B, num_nodes: 2, resources: {accelerators: H100}}", "num_nodes"),
        ("{model: a, tokens: 1B, num_nodes: 2}", "num_nodes"),
        (
            "{model: a, tokens: 1B, resources: {accelerators: H100, max_hourly_cost: 9}}",
            "resources.accelerators",
        ),
    ],
)
def test_what_does_not_go_together(text: str, path: str) -> None:
    assert path in faults(text)


def test_nobody_else_writes_sizes() -> None:
    body = (
        b'{"name": "a", "kind": "train", "model": "a", "training": {"tokens": 5},'
        b' "sizes": [{"resources": {"chip": "H100", "chips_per_node": 8}, "nodes": 1}]}'
    )
    with pytest.raises(InputError, match="decided when it is submitted"):
        parse_json(body)
