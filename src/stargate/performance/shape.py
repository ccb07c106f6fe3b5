"""The numbers of a model that the formulas read: parameters by part, widths, and layers by kind."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from stargate.performance.architecture import Architecture, GroupedQuery, Latent
from stargate.performance.number import Number


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A model in flat numbers. Parameters are counts of elements; widths are elements; may hold columns."""

    layers: Number
    dense_layers: Number
    """Layers with an ordinary feed-forward part."""
    moe_layers: Number
    """Layers with routed experts."""
    hidden: Number
    vocabulary: Number
    attention_params: Number
    """Projections of one attention layer (of one with attention over the context)."""
    linear_params: Number
    """Projections of one linear-attention layer; 0 where there is none."""
    dense_ffn: Number
    """Width of the ordinary feed-forward part."""
    dense_ffn_params: Number
    expert_ffn: Number
    """Width of one routed expert."""
    expert_params: Number
    """Of one routed expert."""
    shared_ffn: Number
    """Width of all shared experts of a layer together."""
    shared_params: Number
    """Of all shared experts of a layer."""
    router_params: Number
    experts: Number
    active_experts: Number
    """Routed experts per token; 0 without experts."""
    gate_factor: Number
    """Matrices that widen: 2 with a gate, 1 without."""
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
    """Elements that one attention layer keeps per token of context."""
    decode_dim: Number
    """Multiply-adds per context token and layer while decoding, over all heads: scores and values."""
    sparse_topk: Number
    """Context tokens that attention reads at most; 0: all of them."""
    index_width: Number
    """Multiply-adds per context token and layer of a sparse indexer."""
    prediction_layers: Number
    parameters: Number
    """All that is stored."""
    active_parameters: Number
    """What one token multiplies: the matrices it passes, the output table, not the input table."""


@lru_cache(maxsize=4_096)
def shape_of(model: Architecture) -> Shape:
    """The flat numbers of a model. Pure arithmetic over its dimensions."""
    experts = model.experts
    matrices = 3 if model.gated else 2
    hidden = model.hidden
    dense_layers = model.layers if experts is None else experts.dense_layers
    moe_layers = model.layers - dense_layers
    linear = model.linear_attention
    linear_layers = 0 if linear is None else linear.layers
    linear_params = linear_state = 0
    if linear is not None:
        keys, values = linear.key_heads * linear.key_dim, linear.value_heads * linear.value_dim
        linear_params = hidden * (2 * keys + 2 * values + 2 * linear.value_heads) + values * hidden
        linear_params += linear.convolution * (2 * keys + values)
        linear_state = linear.value_heads * linear.key_dim * linear.value_dim
        linear_state += linear.convolution * (2 * keys + values)
    attention_params, dims = _attention(model)
    dense_ffn_params = matrices * hidden * model.ffn
    expert_params = router = shared_width = 0
    if experts is not None:
        expert_params = matrices * hidden * experts.ffn
        router = hidden * experts.count
        shared_width = experts.shared * (experts.shared_ffn or experts.ffn)
    shared_params = matrices * hidden * shared_width
    table = model.vocabulary * hidden
    norms = hidden * (2 * model.layers + 1)
    attention_layers = model.layers - linear_layers
    mixers = attention_layers * attention_params + linear_layers * linear_params
    active = experts.active if experts else 0
    count = experts.count if experts else 0
    body = mixers + dense_layers * dense_ffn_params + moe_layers * (shared_params + router)
    tables = 1 if model.tied_embeddings else 2
    positions = model.learned_positions * hidden
    return Shape(
        layers=model.layers,
        dense_layers=dense_layers,
        moe_layers=moe_layers,
        hidden=hidden,
        vocabulary=model.vocabulary,
        attention_params=attention_params,
        linear_params=linear_params,
        dense_ffn=model.ffn,
        dense_ffn_params=dense_ffn_params,
        expert_ffn=experts.ffn if experts else 0,
        expert_params=expert_params,
        shared_ffn=shared_width,
        shared_params=shared_params,
        router_params=router,
        experts=count,
        active_experts=active,
        gate_factor=matrices - 1,
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
        parameters=body + moe_layers * count * expert_params + tables * table + positions + norms,
        active_parameters=body + moe_layers * active * expert_params + table,
        **dims,
    )


def _attention(model: Architecture) -> tuple[int, dict[str, int]]:
    """Projection parameters of one attention layer, and the widths that attention is computed in."""
    hidden, attention = model.hidden, model.attention
    if isinstance(attention, GroupedQuery):
        q_width = attention.heads * attention.head_dim
        kv_width = 2 * attention.kv_heads * attention.head_dim
        params = hidden * (q_width * (2 if attention.gated else 1) + kv_width) + q_width * hidden
        return params, {
            "heads": attention.heads,
            "kv_heads": attention.kv_heads,
            "qk_dim": attention.head_dim,
            "value_dim": attention.head_dim,
            "q_width": q_width,
            "kv_width": kv_width,
            "cache_elements": kv_width,
            "decode_dim": 2 * q_width,
            "sparse_topk": 0,
            "index_width": 0,
        }
    return _latent(hidden, attention)


def _latent(hidden: int, attention: Latent) -> tuple[int, dict[str, int]]:
    qk_dim = attention.nope_dim + attention.rope_dim
    q_width = attention.heads * qk_dim
    up = attention.kv_rank * attention.heads * (attention.nope_dim + attention.value_dim)
    queries = (hidden + q_width) * attention.q_rank if attention.q_rank else hidden * q_width
    out = attention.heads * attention.value_dim * hidden
    params = queries + hidden * (attention.kv_rank + attention.rope_dim) + up + out
    index = attention.index_heads * attention.index_dim
    params += index * (attention.q_rank or hidden) + hidden * (attention.index_dim + attention.index_heads)
    latent = attention.kv_rank + attention.rope_dim
    return params, {
        "heads": attention.heads,
        "kv_heads": 1,
        "qk_dim": qk_dim,
        "value_dim": attention.value_dim,
        "q_width": q_width,
        "kv_width": attention.heads * (qk_dim + attention.value_dim),
        "cache_elements": latent + attention.index_dim,
        "decode_dim": attention.heads * (latent + attention.kv_rank),
        "sparse_topk": attention.index_topk,
        "index_width": index,
    }
