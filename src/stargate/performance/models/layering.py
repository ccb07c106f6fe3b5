"""What each layer of a model described by a `config.json` is: how it mixes tokens, and how it feeds them forward.

Configurations say it in many ways: a list with a word per layer, a string with a letter per layer, lists of
layer numbers, a period, or nothing but the model's type.
"""

from __future__ import annotations

from typing import Any, Literal

from stargate.performance.models.keys import Keys

Mixer = Literal["full", "window", "linear", "none"]
Feeder = Literal["dense", "experts", "none"]

LAYERS_MOST = 10_000

_MIXERS: dict[str, Mixer] = {
    "full_attention": "full", "attention": "full", "deepseek_sparse_attention": "full", "*": "full",
    "sliding_attention": "window", "chunked_attention": "window",
    "linear_attention": "linear", "mamba": "linear", "mamba2": "linear", "M": "linear",
    "moe": "none", "mlp": "none", "E": "none", "-": "none",
}  # fmt: skip
_FEEDERS: dict[str, Feeder] = {
    "moe": "experts", "E": "experts", "sparse": "experts", "mlp": "dense", "-": "dense", "dense": "dense",
}  # fmt: skip

_PERIODS = {"gemma2": 2, "gemma3": 6, "gpt_oss": 2, "cohere2": 4, "llama4": 4, "olmo3": 4, "qwen3_next": 4}
"""Every so many layers there is one with attention over the whole context, unless the configuration says."""
_PERIOD_KEYS = ("full_attention_interval", "sliding_window_pattern", "no_rope_layer_interval")


def layer_count(keys: Keys) -> int:
    """How many layers there are."""
    words = _words(keys)
    if words and not keys.has("num_hidden_layers"):
        return len(words)
    return keys.count("num_hidden_layers", "n_layer", "n_layers", "num_layers", most=LAYERS_MOST)


def _words(keys: Keys) -> list[Any]:
    """A word or letter per layer where a layer is either a mixer or a feeder (Nemotron-H); else empty."""
    listed = keys.items("layers_block_type")
    if listed is not None and len(listed) <= LAYERS_MOST:
        return list(listed)
    return list(keys.text("hybrid_override_pattern")[:LAYERS_MOST])


def mixers(keys: Keys, kind: str, layers: int) -> list[Mixer]:
    """How each layer mixes tokens: by attention over all or a window of them, by a state, or not at all."""
    words = _words(keys) or keys.items("layer_types", length=layers)
    if words:
        return [_known(word, keys) for word in words[:layers]]
    blocks = keys.items("block_configs", length=layers)
    if blocks is not None:
        return [_of_block(block, keys) for block in blocks]
    linear = keys.part("linear_attn_config").numbers("kda_layers")
    if linear:
        return ["linear" if number in linear else "full" for number in range(1, layers + 1)]
    marks = keys.items("attn_type_list", length=layers)  # MiniMax: 0 is linear, 1 is full
    if marks is not None:
        return ["linear" if mark == 0 else "full" for mark in marks]
    marks = keys.items("hybrid_layer_pattern", length=layers)  # MiMo: 1 is a window
    if marks is not None:
        return ["window" if mark == 1 else "full" for mark in marks]
    return _periodic(keys, kind, layers)


def _known(word: Any, keys: Keys) -> Mixer:
    found = _MIXERS.get(word) if isinstance(word, str) else None
    if found is None:
        keys.note("a kind of layer is not known here", f"Known: {', '.join(_MIXERS)}.", "layer_types")
    return found or "full"


def _of_block(block: Any, keys: Keys) -> Mixer:
    """Of a model whose layers were searched for one by one (Nemotron-NAS)."""
    attention = block.get("attention") if isinstance(block, dict) else None
    if not isinstance(attention, dict) or attention.get("replace_with_linear"):
        keys.note(
            "a block has no attention that is known here",
            "Give `attention` with n_heads_in_group.",
            "block_configs",
        )
        return "full"
    return "none" if attention.get("no_op") else "full"


def _periodic(keys: Keys, kind: str, layers: int) -> list[Mixer]:
    period = keys.count(*_PERIOD_KEYS, default=_PERIODS.get(kind, 0), least=0)
    if keys.has("linear_num_value_heads"):
        return ["full" if period and number % period == 0 else "linear" for number in range(1, layers + 1)]
    window = window_width(keys)
    reach = keys.count("max_position_embeddings", default=0, least=0, most=10**9)
    if not window or keys.has("compress_ratios") or (reach and window >= reach):
        return ["full"] * layers
    if keys.has("use_sliding_window", "max_window_layers"):
        first = keys.count("max_window_layers", default=layers, least=0)
        if not keys.flag("use_sliding_window", default=False):
            first = layers
        return ["window" if number >= first else "full" for number in range(layers)]
    return ["full" if period and number % period == 0 else "window" for number in range(1, layers + 1)]


def window_width(keys: Keys) -> int:
    """Tokens that a window layer looks back; 0 where nothing is said."""
    names = ("sliding_window", "sliding_window_size", "attention_chunk_size")
    return keys.count(*names, default=0, least=0)


def feeders(keys: Keys, kind: str, layers: int, *, routed: bool) -> list[Feeder]:
    """How each layer feeds tokens forward: through one wide part, through experts, or not at all."""
    words = _words(keys)
    if words:
        return [_FEEDERS.get(word, "none") if isinstance(word, str) else "none" for word in words[:layers]]
    blocks = keys.items("block_configs", length=layers)
    if blocks is not None:
        return ["none" if _skips(block) else "dense" for block in blocks]
    if not routed:
        return ["dense"] * layers
    types = keys.items("mlp_layer_types", length=layers)
    if types:
        return ["dense" if word == "dense" else "experts" for word in types]
    if keys.has("moe_layer_freq") and isinstance(keys.named("moe_layer_freq")[1], list | tuple):
        marks = keys.items("moe_layer_freq", length=layers) or ()
        return ["experts" if mark else "dense" for mark in marks]
    if kind == "llama4":
        step = max(keys.count("interleave_moe_layer_step", default=1), 1)
        return ["experts" if number % step == 0 else "dense" for number in range(1, layers + 1)]
    first = keys.count("first_k_dense_replace", "moe_layer_start_index", default=0, least=0)
    every = max(keys.count("decoder_sparse_step", default=1), 1)
    frequency = max(keys.count("moe_layer_freq", "moe_layer_interval", default=1), 1)
    only = keys.numbers("mlp_only_layers")
    dense = [
        number < first or number in only or (number + 1) % every != 0 or number % frequency != 0
        for number in range(layers)
    ]
    return ["dense" if is_dense else "experts" for is_dense in dense]


def _skips(block: Any) -> bool:
    part = block.get("ffn") if isinstance(block, dict) else None
    return isinstance(part, dict) and bool(part.get("no_op"))
