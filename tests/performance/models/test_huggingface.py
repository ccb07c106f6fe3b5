"""The reader of `config.json`: every family as the library has it, honest refusals, and nothing but InputError."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import InputError
from stargate.performance.models.architecture import Architecture, GroupedQuery, Latent, LinearAttention
from stargate.performance.models.huggingface import architecture_of_config
from stargate.performance.models.library import model_named
from stargate.performance.models.shape import shape_of
from tests.performance.configurations import CONFIGURATIONS, FULL, LINEAR, WINDOW, config, heads, latent


def bare(model: Architecture) -> Architecture:
    """The dimensions alone."""
    return msgspec.structs.replace(model, name="", aliases=(), source="", note="")


@pytest.mark.parametrize(("name", "values"), CONFIGURATIONS.items())
def test_configurations_say_what_the_library_says(name: str, values: dict[str, Any]) -> None:
    assert bare(architecture_of_config(values)) == bare(model_named(name))
    assert architecture_of_config(json.dumps(values), name) == architecture_of_config(values, name)


def test_the_model_is_called_as_asked() -> None:
    values = CONFIGURATIONS["Llama-3.1-8B"]
    assert architecture_of_config(values, "mine").name == "mine"
    assert architecture_of_config(values).name == "llama"


PLAIN = config("novel", 4, 64, 1000, 512, intermediate_size=256, hidden_act="silu", **heads(8, 2))


def test_an_unknown_type_is_read_by_the_usual_keys() -> None:
    model = architecture_of_config(PLAIN)
    assert (model.gated, model.tied_embeddings, model.attention) == (True, False, GroupedQuery(8, 2, 8))
    assert not architecture_of_config({**PLAIN, "hidden_act": "gelu"}).gated


def test_kimi_linear_has_low_rank_gates() -> None:
    values = config(
        "kimi_linear", 27, 2304, 163840, 1048576, intermediate_size=9216, first_k_dense_replace=1, num_experts=256,
        num_experts_per_token=8, num_shared_experts=1, moe_intermediate_size=1024,
        linear_attn_config={"kda_layers": [n for n in range(1, 27) if n % 4], "num_heads": 32, "head_dim": 128},
        **latent(32, None),
    )  # fmt: skip
    assert bare(architecture_of_config(values)) == bare(model_named("Kimi-Linear-48B-A3B"))


def test_blocks_that_were_searched_one_by_one() -> None:
    whole = {"attention": {"n_heads_in_group": 4, "no_op": False}, "ffn": {"ffn_mult": 6.0}}
    half = {"attention": {"n_heads_in_group": None, "no_op": True}, "ffn": {"ffn_mult": 3.0}}
    none = {"attention": {"no_op": True}, "ffn": {"no_op": True}}
    values = config(
        "nemotron-nas", 4, 768, 1000, 512, block_configs=[whole, half, none, whole], num_attention_heads=8
    )
    model = architecture_of_config(values)
    assert model.attention == GroupedQuery(8, 2, 96)
    assert (model.mixing_layers, model.feeding_layers) == (2, 3)
    assert model.ffn == round((3072 + 1536 + 3072) / 3)


def test_windows_that_start_late_and_windows_that_reach_everything() -> None:
    late = {**PLAIN, "sliding_window": 16, "use_sliding_window": True, "max_window_layers": 3}
    assert architecture_of_config(late).window_layers == 1
    assert architecture_of_config({**PLAIN, "sliding_window": 512}).window_layers == 0
    assert architecture_of_config({**PLAIN, "sliding_window": 16}).window_layers == 4


def test_lists_of_layers_win_over_rules() -> None:
    values = {**PLAIN, "layer_types": [FULL, WINDOW, WINDOW, FULL], "sliding_window": 32}
    assert architecture_of_config(values).window_layers == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": None}, r"'hidden_size' \(or n_embd"),
        ({"vocab_size": "many"}, "'vocab_size' is 'many'"),
        ({"vocab_size": True}, "'vocab_size' is True"),
        ({"num_hidden_layers": 10**6}, "from 1 to 10000"),
        ({"num_attention_heads": 7}, "'head_dim' is missing"),
        ({"hidden_act": None}, "'novel' is not known here"),
        ({"hidden_act": "sine"}, "'novel' is not known here"),
        ({"is_encoder_decoder": True}, "has an encoder"),
        ({"hidden_size_per_layer_input": 256}, "layers share what is counted once"),
        ({"model_type": "gemma3n", "num_kv_shared_layers": 15}, "layers share what is counted once"),
        ({"mamba_d_state": 16}, "belongs to a kind of layer"),
        ({"architectures": ["BertForMaskedLM"]}, "is not a decoder"),
        ({"layer_types": [FULL, LINEAR, "quantum", FULL]}, "a kind of layer is not known"),
        ({"layer_types": [FULL]}, "1 items for 4 layers"),
        ({"layer_types": [LINEAR] * 4}, "'linear_num_key_heads' is missing"),
        ({"layer_types": "all"}, "Write a list"),
        ({"num_local_experts": 8}, "'num_experts_per_tok'"),
        ({"num_local_experts": 8, "num_experts_per_tok": 9}, "more experts are active"),
        ({"num_key_value_heads": 16}, "more heads of keys"),
        ({"tie_word_embeddings": "no"}, "Write true or false"),
        ({"text_config": 3}, "Write a mapping"),
        ({"kv_lora_rank": 512}, "'qk_nope_head_dim' is missing"),
        ({"compress_ratios": [4, 4, 4, 4]}, "are not made of two ratios"),
        ({"index_topk": 2048}, "'index_n_heads' is missing"),
        ({"block_configs": [{}] * 4}, "no attention that is known here"),
    ],
)
def test_what_is_missing_or_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        architecture_of_config({**PLAIN, **change}, file="mine.json")
    assert all(problem.file == "mine.json" and problem.remedy for problem in caught.value.problems)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        architecture_of_config({"model_type": "llama"})
    paths = {problem.path for problem in caught.value.problems}
    assert {
        "num_hidden_layers",
        "hidden_size",
        "vocab_size",
        "num_attention_heads",
        "intermediate_size",
    } <= paths


@pytest.mark.parametrize(
    "text", ["", "[]", "nul", "NaN", '"llama"', "[" * 100_000, '{"a":' * 50_000, "9" * 5_000, "{" * 9]
)
def test_texts_that_are_no_configuration(text: str) -> None:
    with pytest.raises(InputError):
        architecture_of_config(text)


def test_numbers_too_long_to_write_are_refused() -> None:
    with pytest.raises(InputError, match="a number far too large"):
        architecture_of_config({**PLAIN, "hidden_size": 10**5_000})


def test_infinity_is_no_obstacle_where_it_means_nothing() -> None:
    text = json.dumps({**CONFIGURATIONS["Nemotron-H-56B"], "time_step_limit": [0.0, float("inf")]})
    assert isinstance(architecture_of_config(text).linear_attention, LinearAttention)


KEYS = sorted(
    {
        key
        for values in CONFIGURATIONS.values()
        for part in (values, values.get("text_config", {}))
        for key in part
    }
    | {
        "block_configs",
        "full_attention_interval",
        "layers_block_type",
        "max_window_layers",
        "use_sliding_window",
    }
)
SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 300) | st.integers() | st.just(10**100)
    | st.floats() | st.text(max_size=12) | st.sampled_from([FULL, WINDOW, LINEAR, "mamba", "moe", "llama", "silu"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=4)
    ),
    max_leaves=20,
)
LISTS = st.builds(lambda item, count: [item] * count, VALUES, st.integers(0, 128))
WRONG = st.dictionaries(st.sampled_from(KEYS), VALUES | LISTS, min_size=1, max_size=5)


def tried(values: Any) -> None:
    try:
        model = architecture_of_config(values)
    except InputError:
        return
    assert shape_of(model).parameters > 0
    assert msgspec.convert(msgspec.to_builtins(model), Architecture) == model


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(CONFIGURATIONS)), WRONG, st.lists(st.sampled_from(KEYS), max_size=3))
def test_a_spoiled_configuration_is_read_or_refused(
    name: str, wrong: dict[str, Any], without: list[str]
) -> None:
    values = dict(CONFIGURATIONS[name])
    inner = "text_config" in values
    part = {**(values["text_config"] if inner else values), **wrong}
    part = {key: value for key, value in part.items() if key not in without}
    tried({**values, "text_config": part} if inner else part)


@settings(max_examples=150, deadline=None)
@given(VALUES | st.text() | st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12))
def test_anything_at_all_is_read_or_refused(values: Any) -> None:
    tried(values)


def test_latents_keep_their_ranks() -> None:
    attention = architecture_of_config(CONFIGURATIONS["GLM-5"]).attention
    assert isinstance(attention, Latent)
    assert (attention.q_rank, attention.kv_rank, attention.index_topk) == (2048, 512, 2048)
