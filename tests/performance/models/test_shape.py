"""Parameter counts against published totals, and parts that sum to the whole."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.performance.models.architecture import (
    Architecture,
    Compressed,
    Experts,
    GroupedQuery,
    Latent,
    LinearAttention,
)
from stargate.performance.models.library import model_named, models
from stargate.performance.models.shape import Shape, shape_of
from stargate.performance.number import stack

EXACT = {
    "Llama-2-7B": 6_738_415_616,
    "Llama-2-13B": 13_015_864_320,
    "Llama-2-70B": 68_976_648_192,
    "Llama-3.1-8B": 8_030_261_248,
    "Llama-3.1-70B": 70_553_706_496,
    "Llama-3.1-405B": 405_853_388_800,
    "Llama-3.2-1B": 1_235_814_400,
    "Llama-3.2-3B": 3_212_749_824,
    "Mistral-7B": 7_241_732_096,
    "Mixtral-8x7B": 46_702_792_704,
    "Mixtral-8x22B": 140_620_634_112,
    "DBRX": 131_596_523_520,
}
"""As the weights on Hugging Face count them: models without biases or norms inside attention."""

PUBLISHED_BILLIONS = {
    "Llama-33B": 32.5, "Llama-65B": 65.3, "Llama-4-Maverick": 400.7, "Llama-4-Scout": 107.8,
    "Qwen2.5-0.5B": 0.494, "Qwen2.5-7B": 7.616, "Qwen2.5-32B": 32.76, "Qwen2.5-72B": 72.71,
    "Qwen3-0.6B": 0.596, "Qwen3-1.7B": 1.721, "Qwen3-4B": 4.022, "Qwen3-8B": 8.191, "Qwen3-14B": 14.768,
    "Qwen3-32B": 32.762, "Qwen3-30B-A3B": 30.532, "Qwen3-235B-A22B": 235.09, "Qwen3-Coder-480B-A35B": 480.15,
    "Qwen3-Next-80B-A3B": 79.67, "Qwen3.5-397B-A17B": 397, "Qwen3.5-27B": 26.9,
    "DeepSeek-V2-Lite": 15.7, "DeepSeek-V2": 236, "DeepSeek-V3": 671.03, "DeepSeek-V4-Flash": 284,
    "gpt-oss-20b": 20.91, "gpt-oss-120b": 116.83, "GPT-2-xl": 1.558, "GPT-3-175B": 174.6,
    "Mistral-Nemo-12B": 12.25, "Mistral-Small-24B": 23.57, "Mistral-Large-123B": 122.61,
    "GLM-4.5-Air": 106.85, "GLM-5": 744, "GLM-4-9B": 9.40, "MiniMax-Text-01": 456, "MiniMax-M2.5": 228.7,
    "Gemma-2B": 2.506, "Gemma-7B": 8.538, "Gemma-2-9B": 9.24, "Gemma-2-27B": 27.2, "Gemma-3-12B": 11.77,
    "Gemma-3-27B": 27.0, "Gemma-4-31B": 30.7, "Gemma-4-26B-A4B": 25.2,
    "Nemotron-4-15B": 15.6, "Nemotron-4-340B": 341, "Nemotron-H-56B": 56.3, "Nemotron-3-Nano-30B-A3B": 31.6,
    "Nemotron-3-Super-120B-A12B": 120.6, "Llama-3.3-Nemotron-Super-49B": 49.87,
    "MiMo-V2-Flash": 309, "Step-3.7-Flash": 196, "Command-R": 34.98, "Command-R-Plus": 103.8, "Yi-34B": 34.39,
    "Phi-3-mini": 3.82, "Phi-3-medium": 13.96, "Phi-3.5-MoE": 41.87, "Phi-4": 14.66,
    "OLMoE-1B-7B": 6.92, "OLMo-2-7B": 7.30, "OLMo-2-13B": 13.72, "OLMo-2-32B": 32.23,
    "GPT-J-6B": 6.05, "GPT-NeoX-20B": 20.55, "BLOOM-176B": 176.25, "BLOOM-7.1B": 7.07,
    "OPT-125M": 0.1252, "OPT-13B": 12.85, "OPT-66B": 65.7, "PaLM-8B": 8.63, "PaLM-62B": 62.5, "PaLM-540B": 540.35,
    "megatron-gpt-145.6B": 145.6, "megatron-gpt-310.1B": 310.1, "megatron-gpt-529.6B": 529.6,
    "megatron-gpt-1008B": 1008.0, "mcore-gpt-462B": 462, "mcore-gpt-314B": 314, "maxtext-128b": 125.1,
}  # fmt: skip
"""Papers, model cards and weights, in billions; text parts only, without layers that predict further tokens."""

ROUNDED_BILLIONS = {"Kimi-K2": 1_000, "Kimi-K3": 2_800, "DeepSeek-V4-Pro": 1_600, "GLM-4.5": 355,
                    "Nemotron-3-Ultra-550B-A55B": 550, "ERNIE-4.5-300B-A47B": 300}  # fmt: skip
"""Published to two or three digits."""

ACTIVE_BILLIONS = {
    "Qwen3-30B-A3B": 3.3, "Qwen3-235B-A22B": 22.2, "DeepSeek-V3": 37, "DeepSeek-V2": 21, "Kimi-K2": 32.6,
    "gpt-oss-120b": 5.1, "gpt-oss-20b": 3.6, "Mixtral-8x7B": 12.9, "Llama-4-Maverick": 17, "Mixtral-8x22B": 39.1,
    "GLM-5": 40, "DeepSeek-V4-Pro": 49, "DeepSeek-V4-Flash": 13, "Nemotron-3-Super-120B-A12B": 12.7,
    "Qwen3.5-397B-A17B": 17, "DBRX": 36, "MiniMax-Text-01": 45.9, "ERNIE-4.5-300B-A47B": 47,
}  # fmt: skip
"""With or without the input table: publishers differ."""


@pytest.mark.parametrize(("name", "count"), EXACT.items())
def test_counts_are_exact_where_every_dimension_is_known(name: str, count: int) -> None:
    assert shape_of(model_named(name)).parameters == count


@pytest.mark.parametrize(("name", "billions"), PUBLISHED_BILLIONS.items())
def test_counts_meet_published_totals(name: str, billions: float) -> None:
    assert shape_of(model_named(name)).parameters == pytest.approx(billions * 1e9, rel=0.005)


@pytest.mark.parametrize(("name", "billions"), ROUNDED_BILLIONS.items())
def test_counts_meet_rounded_totals(name: str, billions: float) -> None:
    assert shape_of(model_named(name)).parameters == pytest.approx(billions * 1e9, rel=0.03)


@pytest.mark.parametrize(("name", "billions"), ACTIVE_BILLIONS.items())
def test_active_counts_meet_published_ones(name: str, billions: float) -> None:
    shape = shape_of(model_named(name))
    least, most = shape.active_parameters, shape.active_parameters + shape.embedding_params
    assert least * 0.97 <= billions * 1e9 <= most * 1.03


def test_predicting_layers_of_deepseek_v3_are_counted_apart() -> None:
    shape = shape_of(model_named("DeepSeek-V3"))
    shared_tables = 2 * shape.embedding_params
    stored = shape.prediction_params + shared_tables
    assert stored == pytest.approx(14e9, rel=0.05), "the model card says 14 B, with both tables"
    assert shape.parameters + shape.prediction_params == pytest.approx(683e9, rel=0.005)
    assert shape.prediction_active_params == pytest.approx(37e9 / 61, rel=0.2), "about one layer more"


def rows(shared: Path, name: str) -> list[dict[str, str]]:
    with (shared / "data" / "perf" / name).open() as stream:
        return list(csv.DictReader(stream))


def half_a_digit(text: str) -> float:
    """What rounding may hide in a number written so."""
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def test_counts_are_those_of_the_measured_training_runs(shared: Path) -> None:
    measured = rows(shared, "training_given.csv")
    assert len({row["model"] for row in measured}) > 40
    for row in measured:
        model = model_named(row["model"])
        if row["model"].startswith("mpt"):  # a table of positions as long as the sequence
            model = msgspec.structs.replace(model, learned_positions=int(row["seq_len"]))
        billions = shape_of(model).parameters / 1e9
        assert abs(billions - float(row["params_b"])) <= half_a_digit(row["params_b"]) + 0.005 * billions, (
            row["model"]
        )


def test_counts_are_those_of_the_measured_servings(shared: Path) -> None:
    measured = {row["model"]: row for row in rows(shared, "inference_given.csv")}
    for name, row in measured.items():
        billions = shape_of(model_named(name)).parameters / 1e9
        assert abs(billions - float(row["params_b"])) <= half_a_digit(row["params_b"]) + 0.005 * billions, (
            name
        )


def architectures() -> st.SearchStrategy[Architecture]:
    """Small models of every make."""
    small = st.integers(1, 8)
    grouped = st.builds(
        lambda heads, shared, **rest: GroupedQuery(heads=heads * shared, kv_heads=heads, **rest),
        heads=small, shared=small, head_dim=small, gated=st.booleans(), value_dim=st.integers(0, 8),
        shared_values=st.booleans(),
    )  # fmt: skip
    index = st.sampled_from([{}, {"index_heads": 2, "index_dim": 3, "index_topk": 5, "index_layers": 1}])
    latent = st.builds(
        lambda index, **rest: Latent(**rest, **index),
        index=index, heads=small, kv_rank=small, rope_dim=small, nope_dim=small, value_dim=small,
        q_rank=st.integers(0, 8), gated=st.booleans(),
    )  # fmt: skip
    compressed = st.builds(
        Compressed, heads=small, head_dim=small, q_rank=small, output_groups=small, output_rank=small,
        ratio=st.just(4), heavy_ratio=st.just(128), heavy_layers=st.integers(0, 1), index_heads=small,
        index_dim=small, index_topk=small,
    )  # fmt: skip
    linear = st.builds(
        LinearAttention, layers=st.integers(1, 4), key_heads=small, value_heads=small, key_dim=small,
        value_dim=small, decay_rank=st.integers(0, 3), gate_rank=st.integers(0, 3),
    )  # fmt: skip
    experts = st.builds(
        Experts, count=st.integers(4, 8), active=st.integers(1, 4), ffn=small, shared=st.integers(0, 2),
        shared_ffn=st.integers(0, 8), dense_layers=st.integers(0, 4), latent=st.integers(0, 4),
    )  # fmt: skip
    window = st.integers(0, 4)
    return st.builds(
        lambda windows, **rest: Architecture(name="any", window_layers=windows, window=7, **rest),
        windows=window, layers=st.integers(12, 20), hidden=small, ffn=small, vocabulary=small,
        attention=st.one_of(grouped, latent, compressed), window_attention=st.none() | grouped,
        gated=st.booleans(), experts=st.none() | experts, linear_attention=st.none() | linear,
        mixing_layers=st.integers(8, 12), feeding_layers=st.integers(4, 12), tied_embeddings=st.booleans(),
        learned_positions=st.integers(0, 9), prediction_layers=st.integers(0, 2),
    )  # fmt: skip


def summed(shape: Shape) -> Any:
    """All that is stored, from the parts that formulas read."""
    attention = (shape.full_layers + shape.window_layers) * shape.attention_params
    routed = shape.router_params + shape.shared_params + shape.experts * shape.expert_params
    feeding = shape.dense_layers * shape.dense_ffn_params + shape.moe_layers * routed
    beside = shape.tables * shape.embedding_params + shape.position_params + shape.norm_params
    return attention + shape.linear_layers * shape.linear_params + feeding + beside


@settings(max_examples=200, deadline=None)
@given(architectures())
def test_the_parts_sum_to_the_whole(model: Architecture) -> None:
    shape = shape_of(model)
    assert summed(shape) == pytest.approx(shape.parameters, rel=1e-12)
    assert shape.full_layers + shape.window_layers + shape.linear_layers == model.mixing_layers
    assert shape.dense_layers + shape.moe_layers == model.feeding_layers
    unused = shape.moe_layers * (shape.experts - shape.active_experts) * shape.expert_params
    beside = (shape.tables - 1) * shape.embedding_params + shape.position_params + shape.norm_params
    assert shape.active_parameters == pytest.approx(shape.parameters - unused - beside, rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(architectures())
def test_no_number_is_negative(model: Architecture) -> None:
    shape = shape_of(model)
    assert all(value >= 0 for value in msgspec.structs.astuple(shape))
    assert shape.prediction_active_params <= shape.prediction_params


def test_shapes_stack_into_columns() -> None:
    shapes = [shape_of(model) for model in models()]
    columns = stack(shapes)
    assert isinstance(columns.parameters, np.ndarray)
    np.testing.assert_allclose(summed(columns), [shape.parameters for shape in shapes], rtol=1e-12)


def of_layers(name: str) -> Iterator[float]:
    shape = shape_of(model_named(name))
    yield from (
        shape.full_layers,
        shape.window_layers,
        shape.linear_layers,
        shape.dense_layers,
        shape.moe_layers,
    )


@pytest.mark.parametrize(
    ("name", "full", "window", "linear", "dense", "moe"),
    [
        ("gpt-oss-120b", 18, 18, 0, 0, 36),
        ("Qwen3.5-397B-A17B", 15, 0, 45, 0, 60),
        ("DeepSeek-V3", 61, 0, 0, 3, 58),
        ("Llama-4-Maverick", 12, 36, 0, 24, 24),
        ("Nemotron-H-56B", 10, 0, 54, 54, 0),
        ("Nemotron-3-Super-120B-A12B", 8, 0, 40, 0, 40),
        ("Gemma-3-27B", 10, 52, 0, 62, 0),
    ],
)
def test_layers_by_kind(name: str, full: int, window: int, linear: int, dense: int, moe: int) -> None:
    assert list(of_layers(name)) == [full, window, linear, dense, moe]


@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("Llama-3.1-70B", 2 * 8 * 128),
        ("DeepSeek-V3", 512 + 64),
        ("DeepSeek-V3.2", 512 + 64 + 128),
        ("MPT-7B", 2 * 4096),
    ],
)
def test_what_a_layer_keeps_per_token(name: str, elements: int) -> None:
    assert shape_of(model_named(name)).cache_elements == elements


def test_windows_with_heads_of_their_own() -> None:
    shape = shape_of(model_named("MiMo-V2-Flash"))
    assert shape.cache_elements == 4 * (192 + 128)
    assert shape.window_cache_elements == 8 * (192 + 128)
    assert shape.window_decode_dim == shape.decode_dim == 64 * (192 + 128)


def test_a_long_cache_of_deepseek_v4_is_a_tenth_of_its_forerunner() -> None:
    """The announcement says 10 % at a million tokens for V4-Pro over V3.2, whose cache is in 16 bits."""
    new, old = shape_of(model_named("DeepSeek-V4-Pro")), shape_of(model_named("DeepSeek-V3.2"))
    assert new.cache_elements * new.full_layers == pytest.approx(
        0.1 * old.cache_elements * old.full_layers, rel=0.2
    )


@pytest.mark.parametrize(
    ("name", "attending", "decoding"),
    [
        ("Llama-3.1-70B", 2 * 64 * 128, 2 * 64 * 128),
        ("DeepSeek-V3", 128 * (192 + 128), 128 * (576 + 512)),
        ("Gemma-4-31B", 2 * 32 * 512, 2 * 32 * 512),
    ],
)
def test_multiplications_per_token_read(name: str, attending: int, decoding: int) -> None:
    shape = shape_of(model_named(name))
    assert (shape.attend_dim, shape.decode_dim) == (attending, decoding)


def test_experts_on_a_latent_receive_less() -> None:
    shape = shape_of(model_named("Nemotron-3-Super-120B-A12B"))
    assert (shape.hidden, shape.expert_hidden) == (4096, 1024)
    assert shape_of(model_named("DeepSeek-V3")).expert_hidden == 7168
