"""The numbers of a model that the formulas read: parameters by part, widths, and layers by kind."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from stargate.performance.models.architecture import (
    Architecture,
    Attention,
    Compressed,
    Experts,
    GroupedQuery,
    Latent,
    LinearAttention,
)
from stargate.performance.number import Number


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A model in flat numbers. Parameters are counts of elements; widths are elements; may hold columns.

    Layers by kind: `full_layers + window_layers + linear_layers` mix tokens, `dense_layers + moe_layers` feed
    each token forward. In most models a layer does both and both sums are `layers`; in Nemotron-H one of them.
    """

    layers: Number
    dense_layers: Number
    """Layers with an ordinary feed-forward part."""
    moe_layers: Number
    """Layers with routed experts."""
    hidden: Number
    vocabulary: Number
    attention_params: Number
    """Projections of one attention layer: the mean over full and window layers, where they differ."""
    linear_params: Number
    """Projections of one linear-attention layer; 0 where there is none."""
    dense_ffn: Number
    """Width of the ordinary feed-forward part."""
    dense_ffn_params: Number
    expert_ffn: Number
    """Width of one routed expert."""
    expert_hidden: Number
    """Width of what is sent to experts and back: `hidden`, or less where experts work on a latent."""
    expert_params: Number
    """Of one routed expert."""
    shared_ffn: Number
    """Width of all shared experts of a layer together."""
    shared_params: Number
    """Of all that every token passes beside the routed experts: shared experts, projections to a latent."""
    router_params: Number
    experts: Number
    active_experts: Number
    """Routed experts per token; 0 without experts."""
    gate_factor: Number
    """Matrices that widen: 2 with a gate, 1 without."""
    clamped: Number
    """1 where the activation limits its inputs, which few fused kernels do; else 0."""
    embedding_params: Number
    """One table of vocabulary times hidden."""
    tables: Number
    """How many such tables are stored: 2, or 1 where input and output share one."""
    position_params: Number
    norm_params: Number
    """All norms of the model."""
    heads: Number
    kv_heads: Number
    """Ways in which the cache can be cut among chips; 1 for a latent."""
    qk_dim: Number
    """Per head, of queries and keys."""
    value_dim: Number
    """Per head."""
    q_width: Number
    """What leaves the query projection: heads times qk_dim."""
    kv_width: Number
    """What leaves the key and value projections while training."""
    full_layers: Number
    """Attention layers that look at the whole context."""
    window_layers: Number
    window: Number
    linear_layers: Number
    linear_state: Number
    """Elements of one linear-attention layer's state, per sequence."""
    cache_elements: Number
    """Elements that one full layer keeps per token of context; the mean where layers differ."""
    window_cache_elements: Number
    """The same of one window layer, for the tokens in its window."""
    attend_dim: Number
    """Multiply-adds per token read and query in a full layer, over all heads, while training or reading a prompt."""
    window_attend_dim: Number
    """The same of one window layer."""
    decode_dim: Number
    """Multiply-adds per context token and full layer while decoding, over all heads: scores and values."""
    window_decode_dim: Number
    """The same of one window layer."""
    sparse_topk: Number
    """Context tokens that attention reads at most; 0: all of them."""
    index_width: Number
    """Multiply-adds per context token and layer of a sparse indexer; the mean over full layers."""
    prediction_layers: Number
    prediction_params: Number
    """Stored for one layer that predicts a further token: a layer, and the projection that joins its inputs."""
    prediction_active_params: Number
    """What one token multiplies in it, without the output table."""
    parameters: Number
    """All that is stored, without the layers that predict further tokens."""
    active_parameters: Number
    """What one token multiplies: the matrices it passes, the output table, not the input table."""


@lru_cache(maxsize=4_096)
def shape_of(model: Architecture) -> Shape:
    """The flat numbers of a model. Pure arithmetic over its dimensions."""
    experts, linear, hidden = model.experts, model.linear_attention, model.hidden
    matrices = 3 if model.gated else 2
    mixing, feeding = model.mixing_layers or model.layers, model.feeding_layers or model.layers
    dense_layers = feeding if experts is None else experts.dense_layers
    moe_layers = feeding - dense_layers
    linear_layers = 0 if linear is None else linear.layers
    linear_params, linear_state = _linear(hidden, linear)
    attention_layers = mixing - linear_layers
    attention_params, dims = _mixed(model, attention_layers)
    dense_params = matrices * hidden * model.ffn
    feed = _routed(hidden, matrices, experts)
    norms = hidden * (mixing + feeding + 1)
    table, tables = model.vocabulary * hidden, 1 if model.tied_embeddings else 2
    positions = model.learned_positions * hidden
    mixers = attention_layers * attention_params + linear_layers * linear_params
    beside = feed["shared_params"] + feed["router_params"]
    body = mixers + dense_layers * dense_params + moe_layers * beside
    of_routed, of_active = (
        feed["experts"] * feed["expert_params"],
        feed["active_experts"] * feed["expert_params"],
    )
    joined = attention_params + 2 * hidden * hidden + (beside if moe_layers else dense_params)
    return Shape(
        layers=model.layers,
        dense_layers=dense_layers,
        moe_layers=moe_layers,
        hidden=hidden,
        vocabulary=model.vocabulary,
        attention_params=attention_params,
        linear_params=linear_params,
        dense_ffn=model.ffn,
        dense_ffn_params=dense_params,
        gate_factor=matrices - 1,
        clamped=int(model.clamped),
        embedding_params=table,
        tables=tables,
        position_params=positions,
        norm_params=norms,
        full_layers=attention_layers - model.window_layers,
        window_layers=model.window_layers,
        window=model.window,
        linear_layers=linear_layers,
        linear_state=linear_state,
        prediction_layers=model.prediction_layers,
        prediction_params=joined + of_routed,
        prediction_active_params=joined + of_active,
        parameters=body + moe_layers * of_routed + tables * table + positions + norms,
        active_parameters=body + moe_layers * of_active + table,
        **feed,
        **dims,
    )


def _routed(hidden: int, matrices: int, experts: Experts | None) -> dict[str, int]:
    """Everything of a mixture-of-experts layer; zeros without experts."""
    if experts is None:
        names = ("expert_ffn", "expert_params", "shared_ffn", "shared_params", "router_params", "experts")
        return {**dict.fromkeys(names, 0), "active_experts": 0, "expert_hidden": hidden}
    width = experts.latent or hidden
    shared = experts.shared * (experts.shared_ffn or experts.ffn)
    return {
        "expert_ffn": experts.ffn,
        "expert_hidden": width,
        "expert_params": matrices * width * experts.ffn,
        "shared_ffn": shared,
        "shared_params": matrices * hidden * shared + 2 * hidden * experts.latent,
        "router_params": hidden * experts.count,
        "experts": experts.count,
        "active_experts": experts.active,
    }


def _linear(hidden: int, linear: LinearAttention | None) -> tuple[int, int]:
    """Parameters and state of one linear-attention layer: arXiv 2412.06464, 2405.21060 and 2510.26692."""
    if linear is None:
        return 0, 0
    keys, values = linear.key_heads * linear.key_dim, linear.value_heads * linear.value_dim
    convolution = linear.convolution * (2 * keys + values)
    gate = linear.gate_rank * (hidden + values) if linear.gate_rank else hidden * values
    params = hidden * (2 * keys + values + linear.head_gates * linear.value_heads) + gate
    params += linear.decay_rank * (hidden + keys) + values * hidden + convolution
    return params, linear.value_heads * linear.key_dim * linear.value_dim + convolution


def _mixed(model: Architecture, layers: int) -> tuple[float, dict[str, float]]:
    """Mean parameters over `layers` attention layers, and the widths of full and of window layers."""
    params, dims = _attention(model.hidden, model.attention, layers - model.window_layers)
    other, window = params, dims
    if model.window_attention is not None:
        other, window = _grouped(model.hidden, model.window_attention)
    dims = {
        **dims,
        "window_cache_elements": window["cache_elements"],
        "window_attend_dim": window["attend_dim"],
        "window_decode_dim": window["decode_dim"],
    }
    if other == params or not layers:
        return params, dims
    return params + (other - params) * model.window_layers / layers, dims


def _attention(hidden: int, attention: Attention, full_layers: int) -> tuple[float, dict[str, float]]:
    """Projection parameters of one attention layer, and the widths that attention is computed in."""
    if isinstance(attention, GroupedQuery):
        return _grouped(hidden, attention)
    if isinstance(attention, Latent):
        return _latent(hidden, attention, full_layers)
    return _compressed(hidden, attention, full_layers)


def _grouped(hidden: int, attention: GroupedQuery) -> tuple[float, dict[str, float]]:
    value_dim = attention.value_dim or attention.head_dim
    q_width, out = attention.heads * attention.head_dim, attention.heads * value_dim
    keys, values = attention.kv_heads * attention.head_dim, attention.kv_heads * value_dim
    index = attention.index_heads * attention.index_dim
    params = hidden * (q_width + keys + out) + hidden * (index + attention.index_dim)
    params += hidden * out if attention.gated else 0
    params += 0 if attention.shared_values else hidden * values
    return params, {
        "heads": attention.heads,
        "kv_heads": attention.kv_heads,
        "qk_dim": attention.head_dim,
        "value_dim": value_dim,
        "q_width": q_width,
        "kv_width": keys + values,
        "cache_elements": keys + values + attention.index_dim,
        "attend_dim": q_width + out,
        "decode_dim": q_width + out,
        "sparse_topk": attention.index_topk,
        "index_width": index,
    }


def _latent(hidden: int, attention: Latent, layers: int) -> tuple[float, dict[str, float]]:
    """Of multi-head latent attention: arXiv 2405.04434, section 2.1; its indexer: DeepSeek-V3.2, section 2.1."""
    qk_dim = attention.nope_dim + attention.rope_dim
    q_width, out = attention.heads * qk_dim, attention.heads * attention.value_dim
    up = attention.kv_rank * attention.heads * (attention.nope_dim + attention.value_dim)
    queries = (hidden + q_width) * attention.q_rank if attention.q_rank else hidden * q_width
    latent = attention.kv_rank + attention.rope_dim
    params: float = queries + hidden * latent + up + out * hidden * (2 if attention.gated else 1)
    index: float = attention.index_heads * attention.index_dim
    index_params = index * (attention.q_rank or hidden)
    index_params += hidden * (attention.index_dim + attention.index_heads)
    index_dim: float = attention.index_dim
    if attention.index_layers and layers:
        share = min(1.0, attention.index_layers / layers)
        index, index_params, index_dim = share * index, share * index_params, share * index_dim
    return params + index_params, {
        "heads": attention.heads,
        "kv_heads": 1,
        "qk_dim": qk_dim,
        "value_dim": attention.value_dim,
        "q_width": q_width,
        "kv_width": attention.heads * (qk_dim + attention.value_dim),
        "cache_elements": latent + index_dim,
        "attend_dim": q_width + out,
        "decode_dim": attention.heads * (latent + attention.kv_rank),
        "sparse_topk": attention.index_topk,
        "index_width": index,
    }


def _compressed(hidden: int, attention: Compressed, layers: int) -> tuple[float, dict[str, float]]:
    """Of DeepSeek-V4: two compressors (keys and their gates) of twice the width where groups overlap."""
    width, heavy = attention.heads * attention.head_dim, attention.heavy_layers / layers if layers else 0.0
    index = attention.index_heads * attention.index_dim
    params: float = (hidden + width) * attention.q_rank + hidden * attention.head_dim
    params += (width + hidden * attention.output_groups) * attention.output_rank
    light = 4 * hidden * attention.head_dim + 4 * hidden * attention.index_dim
    light += index * attention.q_rank + hidden * attention.index_heads
    params += (1 - heavy) * light + heavy * 2 * hidden * attention.head_dim
    kept = (1 - heavy) / attention.ratio + heavy / attention.heavy_ratio
    return params, {
        "heads": attention.heads,
        "kv_heads": 1,
        "qk_dim": attention.head_dim,
        "value_dim": attention.head_dim,
        "q_width": width,
        "kv_width": attention.head_dim,
        "cache_elements": kept * attention.head_dim + (1 - heavy) * attention.index_dim / attention.ratio,
        "attend_dim": 2 * width * kept,
        "decode_dim": 2 * width * kept,
        "sparse_topk": attention.index_topk * attention.ratio,
        "index_width": (1 - heavy) * index / attention.ratio,
    }
