"""Reads the `config.json` that Hugging Face keeps beside a model: dimensions in, an `Architecture` out.

The keys are those of the library `transformers` and of the models' own code. A type of model that is known here
is read with what its configuration leaves unsaid; another one by the usual keys, where they suffice. What
cannot be expressed (encoders, state spaces of unknown kind, layers that share a cache) is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from stargate.base.errors import InputError, Problem
from stargate.performance.models.architecture import Architecture
from stargate.performance.models.keys import LARGEST, Keys
from stargate.performance.models.layering import Mixer, feeders, layer_count, mixers, window_width

SIZE_LIMIT = 4 * 1024 * 1024
"""Characters of one text."""
PROBLEMS_LIMIT = 100


class _Family(NamedTuple):
    """What configurations of a type leave unsaid."""

    gated: bool = True
    tied: bool = False
    widening: int = 0
    """Width of the feed-forward part in widths of the model, where it is not stated; 0: it must be."""
    positions: int | None = None
    """A table of learned positions, longer than the context by so many; None: there is none."""


_PLAIN = _Family()
_FAMILIES = {
    **dict.fromkeys(
        (
            "llama", "mistral", "ministral3", "mistral3", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe",
            "qwen3_next", "qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe", "deepseek_v2", "deepseek_v3",
            "deepseek_v32", "deepseek_v4", "deepseek_ref", "kimi_k2", "kimi_k25", "kimi_linear", "kimi_k3",
            "gpt_oss", "glm", "glm4", "glm4_moe", "glm_moe_dsa", "minimax", "minimax_m1", "minimax_text_01",
            "minimax_m2", "minimax_m3", "minimax_m3_vl", "llama4", "phi3", "phimoe", "mimo", "mimo_v2_flash",
            "step3p7", "nemotron-nas", "olmo2", "olmo3", "olmoe", "internlm2", "granite", "ernie4_5_moe", "seed_oss",
        ),
        _PLAIN,
    ),
    **dict.fromkeys(("gemma", "gemma2", "gemma3", "gemma4", "cohere", "cohere2"), _Family(tied=True)),
    **dict.fromkeys(("nemotron", "nemotron_h", "phi", "gpt_neox"), _Family(gated=False)),
    "starcoder2": _Family(gated=False, tied=True),
    "gptj": _Family(gated=False, widening=4),
    "gpt2": _Family(gated=False, tied=True, widening=4, positions=0),
    "gpt_bigcode": _Family(gated=False, tied=True, widening=4, positions=0),
    "opt": _Family(gated=False, tied=True, positions=2),
    "bloom": _Family(gated=False, tied=True, widening=4),
    "falcon": _Family(gated=False, tied=True, widening=4),
    "mpt": _Family(gated=False, tied=True, widening=4),
    "dbrx": _PLAIN,
}  # fmt: skip

_TEXT_PARTS = ("text_config", "language_config", "llm_config")
_GATED = ("silu", "swish", "swiglu", "swiglu_oai", "swigluoai", "geglu")
_PLAIN_ACTIVATIONS = ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "relu2", "quick_gelu")


def architecture_of_config(
    config: str | Mapping[str, Any], name: str = "", file: str = "config.json"
) -> Architecture:
    """The architecture that a configuration describes; of a model that also sees or hears, the part for text.

    `config` is the text of a `config.json`, or what it parses to; `name` is what to call the model; `file`
    stands in messages. Raises InputError with every problem found, and nothing else.
    """
    whole = Keys(_parsed(config, file), file)
    keys, kind = _text_part(whole)
    family = _FAMILIES.get(kind)
    _refuse(keys, kind, whole)
    fields = _fields(keys, kind, family or _unknown(keys, kind), whole)
    fields["name"] = name[:256] or kind or "unnamed"
    if not whole.problems:
        try:
            return msgspec.convert(fields, Architecture)
        except msgspec.ValidationError as error:
            whole.note(f"the dimensions do not fit together: {error}", "Correct the configuration.")
    raise InputError(tuple(whole.problems[:PROBLEMS_LIMIT]))


def _parsed(config: str | Mapping[str, Any], file: str) -> dict[str, Any]:
    if isinstance(config, str):
        if len(config) > SIZE_LIMIT:
            raise InputError((Problem("the text is too long for a configuration", "Check the file.", file),))
        try:
            config = json.loads(config)
        except (ValueError, RecursionError) as error:
            reason = str(error)[:200] or "it is nested too deeply"
            raise InputError(
                (Problem(f"the text is not JSON: {reason}", "Give the config.json itself.", file),)
            ) from None
    if not isinstance(config, Mapping):
        raise InputError((Problem("a configuration is a mapping", "Give the config.json itself.", file),))
    nested = [config.get(part) for part in ("attn_config", "ffn_config")]  # MPT, DBRX
    return {
        key: value for part in (*nested, config) if isinstance(part, Mapping) for key, value in part.items()
    }


def _text_part(whole: Keys) -> tuple[Keys, str]:
    """The part that describes the decoder of text, and its type without the ending `_text`."""
    keys = next((whole.part(part) for part in _TEXT_PARTS if whole.has(part)), whole)
    kinds = [found.removesuffix("_text") for found in (keys.text("model_type"), whole.text("model_type"))]
    return keys, next((kind for kind in kinds if kind in _FAMILIES), kinds[0] or kinds[1])


def _refuse(keys: Keys, kind: str, whole: Keys) -> None:
    """Note what cannot be expressed, so that nothing is read as something else."""
    remedy = "Describe the model by hand, as an architecture; this reader does not know the parts."
    if keys.flag("is_encoder_decoder", default=False) or keys.has("num_encoder_layers", "encoder_layers"):
        keys.note("the model has an encoder, and only decoders are read", remedy)
    for name in ("hidden_size_per_layer_input", "num_kv_shared_layers"):
        if keys.count(name, default=0, least=0):
            keys.note(f"{name!r} is above zero: layers share what is counted once a layer", remedy, name)
    if kind in _FAMILIES:
        return
    heads = [str(head) for head in whole.items("architectures") or () if isinstance(head, str)]
    if heads and not any(word in head for head in heads for word in ("CausalLM", "Generation", "LMHead")):
        keys.note(f"{heads[0][:80]!r} is not a decoder of text", remedy, "architectures")
    for name in keys.names():
        if any(word in name.lower() for word in ("mamba", "ssm", "rwkv", "recurrent", "time_mix")):
            keys.note(f"{name[:80]!r} belongs to a kind of layer that is not known here", remedy, name[:80])


def _unknown(keys: Keys, kind: str) -> _Family:
    """Of a type that is not in the table: its activation tells whether there is a gate."""
    activation = keys.text("hidden_act", "hidden_activation", "mlp_hidden_act", "activation_function")
    if activation not in _GATED and activation not in _PLAIN_ACTIVATIONS:
        keys.note(
            f"the type {kind[:80]!r} is not known here, and no activation tells whether there is a gate",
            f"Add 'hidden_act', one of {', '.join(_GATED[:3] + _PLAIN_ACTIVATIONS[:2])}.",
            "hidden_act",
        )
    return _Family(gated=activation in _GATED, tied=False)


def _fields(keys: Keys, kind: str, family: _Family, whole: Keys) -> dict[str, Any]:
    """The fields of an Architecture but its name; placeholders where a problem was noted."""
    layers = layer_count(keys) or 1
    hidden = keys.count("hidden_size", "n_embd", "d_model", "dim")
    mixed = mixers(keys, kind, layers)
    routed = keys.count(*_EXPERTS, default=0, least=0) > 1 and keys.flag("enable_moe_block", default=True)
    fed = feeders(keys, kind, layers, routed=routed)
    windows, linear = mixed.count("window"), mixed.count("linear")
    beside = kind == "gemma4" and routed  # a dense part runs beside the experts of each layer
    dense = 0 if beside else fed.count("dense")
    fields: dict[str, Any] = {
        "layers": layers,
        "hidden": hidden,
        "ffn": _ffn(keys, kind, family, hidden) if dense else 0,
        "vocabulary": keys.count("vocab_size", "padded_vocab_size"),
        "gated": family.gated,
        "clamped": kind == "gpt_oss" or keys.has("swiglu_limit"),
        "attention": _attention(keys, kind, hidden, mixed),
        "tied_embeddings": keys.flag(
            "tie_word_embeddings", default=whole.flag("tie_word_embeddings", default=family.tied)
        ),
        "max_context": keys.count(*_CONTEXT, default=0, least=0, most=10**9),
        "prediction_layers": _prediction_layers(keys),
        "mixing_layers": _some(layers, mixed.count("none")),
        "feeding_layers": _some(layers, fed.count("none")),
    }
    if windows:
        fields |= {"window": window_width(keys), "window_layers": windows}
        fields["window_attention"] = _window_attention(keys, kind, hidden)
    if linear:
        fields["linear_attention"] = _linear(keys, linear)
    if "experts" in fed:
        fields["experts"] = _experts(keys, kind, dense=dense, beside=beside)
    learned = family.positions
    if kind == "mpt" and keys.flag("learned_pos_emb", default=True) and not keys.flag("alibi", default=False):
        learned = 0
    if learned is not None:
        fields["learned_positions"] = keys.count(*_CONTEXT) + learned
    return fields


_CONTEXT = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "n_ctx",
    "seq_length",
    "model_max_length",
)
_EXPERTS = ("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts")
_ACTIVE = ("num_experts_per_tok", "num_experts_per_token", "experts_per_token", "top_k_experts", "moe_topk",
           "moe_top_k", "moe_k")  # fmt: skip
_SHARED_FFN = ("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size",
               "shared_intermediate_size", "share_expert_dim")  # fmt: skip


def _some(layers: int, without: int) -> int:
    """A count of layers as an Architecture wants it: 0 means all."""
    return layers - without if without else 0


def _prediction_layers(keys: Keys) -> int:
    count = keys.count(
        "num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules", default=0, least=0
    )
    return count if keys.flag("use_mtp", default=True) else 0


def _ffn(keys: Keys, kind: str, family: _Family, hidden: int) -> int:
    """Width of the ordinary feed-forward part; the mean over layers where each has its own."""
    blocks = keys.items("block_configs")
    if blocks is not None:
        return _mean_ffn(blocks, keys, hidden)
    names = ["intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim", "d_ff"]
    first = {"llama4": "intermediate_size_mlp", "minimax_m3": "dense_intermediate_size"}
    first["minimax_m3_vl"] = first["minimax_m3"]
    names = [first[kind], *names] if kind in first else names
    widening = keys.count("expansion_ratio", default=family.widening, least=0) if family.widening else 0
    return keys.count(*names, default=widening * hidden or None)


def _mean_ffn(blocks: Any, keys: Keys, hidden: int) -> int:
    """Of searched models: a multiplier per layer, of two thirds of the width twice, rounded up to 256."""
    widths = []
    for block in blocks:
        part = block.get("ffn") if isinstance(block, Mapping) else None
        factor = part.get("ffn_mult") if isinstance(part, Mapping) and not part.get("no_op") else None
        if isinstance(factor, int | float) and 0 < factor <= 1_000:
            widths.append(-(-int(2 * factor * hidden / 3) // 256) * 256)
        elif not (isinstance(part, Mapping) and part.get("no_op")):
            keys.note("a block has no 'ffn_mult'", "Give `ffn` with ffn_mult, a number.", "block_configs")
    return round(sum(widths) / len(widths)) if widths else 0


def _attention(keys: Keys, kind: str, hidden: int, mixed: list[Mixer]) -> dict[str, Any]:
    """Of layers that look at the whole context."""
    heads = keys.count("num_attention_heads", "n_head", "n_heads", "num_heads")
    if keys.has("compress_ratios"):
        return _compressed(keys, heads, len(mixed))
    gate = ("attn_output_gate", "attention_output_gate", "mla_use_output_gate")
    gated = any(keys.flag(name, default=kind == "qwen3_next" and name == gate[0]) for name in gate)
    index = _index(keys, mixed)
    if keys.has("kv_lora_rank"):
        return {
            "kind": "latent",
            "heads": heads,
            "kv_rank": keys.count("kv_lora_rank"),
            "rope_dim": keys.count("qk_rope_head_dim", least=0),
            "nope_dim": keys.count("qk_nope_head_dim"),
            "value_dim": keys.count("v_head_dim"),
            "q_rank": keys.count("q_lora_rank", default=0, least=0),
            "gated": gated,
            **index,
        }
    index.pop("index_layers", None)
    head_dim = _head_dim(keys, hidden, heads)
    grouped = {"kind": "grouped_query", "heads": heads, "gated": gated, **index}
    if kind == "gemma4":
        shared = keys.flag("attention_k_eq_v", default=False)
        kv_heads = keys.count("num_global_key_value_heads", "num_key_value_heads")
        wide = keys.count("global_head_dim", default=head_dim)
        return grouped | {"kv_heads": kv_heads, "head_dim": wide, "shared_values": shared}
    value_dim = keys.count("v_head_dim", default=0, least=0)
    value_dim = 0 if value_dim == head_dim else value_dim
    return grouped | {"kv_heads": _kv_heads(keys, kind, heads), "head_dim": head_dim, "value_dim": value_dim}


def _head_dim(keys: Keys, hidden: int, heads: int) -> int:
    if not keys.has("head_dim", "attention_head_dim", "kv_channels") and heads and hidden % heads:
        keys.note("the width is no multiple of the heads, and 'head_dim' is missing", "Add it.", "head_dim")
    return keys.count(
        "head_dim", "attention_head_dim", "kv_channels", default=hidden // max(heads, 1) or None
    )


def _kv_heads(keys: Keys, kind: str, heads: int) -> int:
    """As many as queries have where nothing is said, one where one is said."""
    blocks = keys.items("block_configs")
    if blocks is not None:
        parts = [block.get("attention") for block in blocks if isinstance(block, Mapping)]
        found = [part.get("n_heads_in_group") for part in parts if isinstance(part, Mapping)]
        groups = [group for group in found if type(group) is int and 0 < group <= heads]
        if not groups:
            keys.note("no block says how many heads share keys", "Give n_heads_in_group.", "block_configs")
            return 1
        return heads // Counter(groups).most_common(1)[0][0]
    single = kind == "gpt_bigcode" or (
        kind == "falcon" and not keys.flag("new_decoder_architecture", default=False)
    )
    if single:
        return 1 if keys.flag("multi_query", default=True) else heads
    names = ("num_key_value_heads", "num_kv_heads", "kv_n_heads", "multi_query_group_num", "num_query_groups")
    return keys.count(*names, default=heads)


def _index(keys: Keys, mixed: list[Mixer]) -> dict[str, int]:
    """Of a sparse indexer; empty where there is none."""
    sparse = keys.part("sparse_attention_config")
    if sparse.flag("use_sparse_attention", default=False):  # MiniMax-M3 chooses blocks of tokens
        return {
            "index_heads": sparse.count("sparse_num_index_heads"),
            "index_dim": sparse.count("sparse_index_dim"),
            "index_topk": min(
                sparse.count("sparse_topk_blocks") * sparse.count("sparse_block_size"), LARGEST
            ),
        }
    if not keys.count("index_topk", default=0, least=0):
        return {}
    kinds = keys.items("indexer_types", length=len(mixed)) or ()
    own = sum(kind == "full" for kind in kinds)
    return {
        "index_heads": keys.count("index_n_heads"),
        "index_dim": keys.count("index_head_dim"),
        "index_topk": keys.count("index_topk"),
        "index_layers": own if own < len(kinds) else 0,
    }


def _compressed(keys: Keys, heads: int, layers: int) -> dict[str, Any]:
    """DeepSeek-V4: a ratio per layer; 0 is a window alone, counted with the heavier ratio."""
    ratios = keys.items("compress_ratios", length=layers) or ()
    whole = sorted({ratio for ratio in ratios if type(ratio) is int and 0 < ratio <= LARGEST})
    if len(whole) != 2:
        keys.note("'compress_ratios' are not made of two ratios", "Describe it by hand.", "compress_ratios")
        whole = [1, 1]
    return {
        "kind": "compressed",
        "heads": heads,
        "head_dim": keys.count("head_dim"),
        "q_rank": keys.count("q_lora_rank"),
        "output_groups": keys.count("o_groups"),
        "output_rank": keys.count("o_lora_rank"),
        "ratio": whole[0],
        "heavy_ratio": whole[1],
        "heavy_layers": sum(ratio != whole[0] for ratio in ratios),
        "index_heads": keys.count("index_n_heads"),
        "index_dim": keys.count("index_head_dim"),
        "index_topk": keys.count("index_topk"),
    }


def _window_attention(keys: Keys, kind: str, hidden: int) -> dict[str, Any] | None:
    """Of window layers, where the configuration gives them heads of their own."""
    if kind == "gemma4":
        heads = keys.count("num_attention_heads")
        kv_heads, head_dim = keys.count("num_key_value_heads"), _head_dim(keys, hidden, heads)
        return {"kind": "grouped_query", "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim}
    if not keys.has("swa_num_attention_heads"):
        return None
    return {
        "kind": "grouped_query",
        "heads": keys.count("swa_num_attention_heads"),
        "kv_heads": keys.count("swa_num_key_value_heads"),
        "head_dim": keys.count("swa_head_dim"),
        "value_dim": keys.count("swa_v_head_dim", default=0, least=0),
    }


def _linear(keys: Keys, layers: int) -> dict[str, Any]:
    """Gated delta nets (Qwen), KDA (Kimi), Mamba-2 (Nemotron-H), lightning attention (MiniMax)."""
    delta = keys.part("linear_attn_config")
    if delta.has("num_heads"):
        heads, dim = delta.count("num_heads"), delta.count("head_dim")
        full = delta.flag("use_full_rank_gate", default=False)
        return {
            **dict.fromkeys(("key_heads", "value_heads"), heads),
            **dict.fromkeys(("key_dim", "value_dim", "decay_rank"), dim),
            "layers": layers,
            "convolution": delta.count("short_conv_kernel_size", default=4, least=0),
            "head_gates": 1,
            "gate_rank": 0 if full else dim,
        }
    if keys.has("mamba_num_heads", "ssm_state_size"):
        return {
            "layers": layers,
            "key_heads": keys.count("n_groups", "mamba_n_groups"),
            "value_heads": keys.count("mamba_num_heads"),
            "key_dim": keys.count("ssm_state_size", "mamba_d_state"),
            "value_dim": keys.count("mamba_head_dim"),
            "convolution": keys.count("conv_kernel", default=4, least=0),
            "head_gates": 1,
        }
    if keys.has("attn_type_list"):
        heads, dim = keys.count("num_attention_heads"), keys.count("head_dim")
        parts = {"key_heads": heads, "value_heads": heads, "key_dim": dim, "value_dim": dim}
        return {"layers": layers, **parts, "convolution": 0, "head_gates": 0}
    return {
        "layers": layers,
        "key_heads": keys.count("linear_num_key_heads"),
        "value_heads": keys.count("linear_num_value_heads"),
        "key_dim": keys.count("linear_key_head_dim"),
        "value_dim": keys.count("linear_value_head_dim"),
        "convolution": keys.count("linear_conv_kernel_dim", default=4, least=0),
    }


def _experts(keys: Keys, kind: str, *, dense: int, beside: bool) -> dict[str, Any]:
    """The routed part, and what every token passes beside it."""
    names = ("moe_intermediate_size", "expert_intermediate_size", "ffn_hidden_size", "intermediate_size")
    shared = keys.count(
        "n_shared_experts", "num_shared_experts", "moe_num_shared_experts", default=0, least=0
    )
    shared_ffn = keys.count(*_SHARED_FFN, default=0, least=0)
    if beside:
        shared, shared_ffn = 1, keys.count("intermediate_size")
    elif kind == "llama4" or shared_ffn:
        shared = max(shared, 1)
    ffn = keys.count(*names)
    shared_ffn = 0 if shared_ffn == ffn else shared_ffn
    return {
        "count": keys.count(*_EXPERTS),
        "active": keys.count(*_ACTIVE),
        "ffn": ffn,
        "shared": shared,
        "shared_ffn": shared_ffn,
        "dense_layers": dense,
        "latent": keys.count("moe_latent_size", "routed_expert_hidden_size", default=0, least=0),
    }
