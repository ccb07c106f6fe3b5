"""The shipped models: found by the names people use, and the same as in the tables that measured them."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest

from stargate.base.errors import NotFoundError
from stargate.performance.models.architecture import GroupedQuery, Latent
from stargate.performance.models.library import model_like, model_named, models, simplified


def test_every_model_has_a_name_of_its_own_and_a_source() -> None:
    assert len(models()) > 170
    owner: dict[str, str] = {}
    for model in models():
        assert model.source, model.name
        for name in (model.name, *model.aliases):
            assert owner.setdefault(simplified(name), model.name) == model.name, name
            assert model_named(name) is model, name


def test_the_set_is_read_once() -> None:
    assert models() is models()


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("llama3.3-70b", "Llama-3.3-70B"),
        ("LLAMA 2 70B", "Llama-2-70B"),
        ("llama2-70b-chat-hf", "Llama-2-70B"),
        ("llama2-70b-99.9", "Llama-2-70B"),
        ("llama31-405b", "Llama-3.1-405B"),
        ("meta-llama/Llama-3.1-8B-Instruct", "Llama-3.1-8B"),
        ("neuralmagic/Meta-Llama-3.1-405B-Instruct-FP8-dynamic", "Llama-3.1-405B"),
        ("nvidia/Llama-3_3-Nemotron-Super-49B-v1", "Llama-3.3-Nemotron-Super-49B"),
        ("deepseek-ai/DeepSeek-R1-0528", "DeepSeek-V3"),
        ("nvidia/DeepSeek-R1-NVFP4", "DeepSeek-V3"),
        ("deepseek-r1", "DeepSeek-V3"),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", "Qwen3-235B-A22B"),
        ("Qwen/Qwen3-32B-FP8-Static-PerTensor", "Qwen3-32B"),
        ("zhipuai/GLM-5", "GLM-5"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("unsloth/gpt-oss-20b-BF16", "gpt-oss-20b"),
        ("llama4-maverick", "Llama-4-Maverick"),
        ("megatron-gpt-1008.0B", "megatron-gpt-1008B"),
        ("gpt3-175b-mlperf", "GPT-3-175B-MLPerf"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "Mixtral-8x7B"),
        ("OPT-1.3B", "OPT-1.3B"),
        ("OPT-13B", "OPT-13B"),
    ],
)
def test_names_are_found_as_people_write_them(name: str, model: str) -> None:
    assert model_named(name).name == model


@pytest.mark.parametrize(
    "name", ["Llama-3.1-80B", "", "/", "-fp8" * 100_000, "Qwen3-527B", "llama-270b", "instruct"]
)
def test_a_name_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(NotFoundError):
        model_named(name)


def test_a_refusal_names_a_near_one() -> None:
    with pytest.raises(NotFoundError, match=r"'Llama-3.1-8B'"):
        model_named("meta-llama/Llama-3.1-80B")


@pytest.mark.parametrize(
    ("table", "column"),
    [("training_given.csv", "model"), ("inference_given.csv", "model"), ("latency_given.csv", "model_path")],
)
def test_every_measured_model_is_here(shared: Path, table: str, column: str) -> None:
    with (shared / "data" / "perf" / table).open() as stream:
        names = {row[column] for row in csv.DictReader(stream)}
    assert names
    for name in names:
        assert model_named(name) in models(), name


@pytest.mark.parametrize(
    ("name", "parameters", "active", "like"),
    [
        ("grok-1", 314e9, 86e9, "ERNIE-4.5-300B-A47B"),
        ("someone/Unheard-16B-A3B", 0, 0, "DeepSeek-V2-Lite"),
        ("unheard-13b-chat", 0, 0, "Llama-13B"),
        ("unheard-350m", 0, 0, "GPT-2-medium"),
        ("Llama-3.1-8B with another name", 70.6e9, 70.6e9, "Llama-3-70B"),
    ],
)
def test_what_is_not_known_is_like_what_is_near_in_size(
    name: str, parameters: float, active: float, like: str
) -> None:
    found = model_like(name, parameters, active)
    assert found is not None
    assert found.name == like


@pytest.mark.parametrize("name", ["", "whisper", "gpt-x", "b13", "9" * 1000 + "b"])
def test_nothing_is_like_what_states_no_size(name: str) -> None:
    assert model_like(name) is None


def number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def test_dimensions_are_those_of_the_measured_training_runs(shared: Path) -> None:
    with (shared / "data" / "perf" / "training_given.csv").open() as stream:
        measured = {row["model"]: row for row in csv.DictReader(stream)}
    padded = {"mt-nlg-530b"}  # the table has the words, the library what is stored
    for name, row in measured.items():
        model, attention = model_named(name), model_named(name).attention
        assert (model.layers, model.hidden) == (int(row["layers"]), int(row["hidden"])), name
        assert attention.heads == int(row["heads"]), name
        assert name in padded or model.vocabulary == int(row["vocab"]), name
        assert model.gated == (row["gated_mlp"] == "1"), name
        assert model.ffn == int(row["ffn"]), name
        if isinstance(attention, Latent):
            assert (
                row["kv_heads"] == f"MLA(q{attention.q_rank},kv{attention.kv_rank},rope{attention.rope_dim})"
            )
        else:
            assert isinstance(attention, GroupedQuery)
            assert attention.kv_heads == int(row["kv_heads"]), name
            assert number(row["head_dim"]) in {attention.head_dim, None}, name
        experts = model.experts
        if experts is None:
            assert not row["experts"], name
        else:
            found = (experts.count, experts.active, experts.ffn, experts.shared, experts.dense_layers)
            columns = ("experts", "topk", "moe_ffn", "shared_experts", "dense_layers")
            assert found == tuple(int(row[column]) for column in columns), name


def test_models_travel_as_plain_data() -> None:
    for model in models():
        assert msgspec.convert(msgspec.to_builtins(model), type(model)) == model
