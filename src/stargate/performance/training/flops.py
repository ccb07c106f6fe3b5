"""Operations that one token costs in training, by part: the same counts that MFU conventions disagree on."""

from __future__ import annotations

import msgspec

from stargate.performance.models.shape import Shape
from stargate.performance.number import Number, Space

ATTENTION_PASSES = 3.5
"""Attention kernels that recompute scores do 2 products forward and 5 backward (arXiv 2307.08691, section 2.3)."""


class Flops(msgspec.Struct, frozen=True):
    """Per token of the forward pass, over the whole model; a multiply-add counts as two."""

    linear: Number
    """Large matrices of the layers that do not route."""
    routed: Number
    """Routed experts."""
    attention: Number
    """Scores and values, of what a causal mask leaves."""
    head: Number
    """The output table."""


def reach(x: Space, sequence: Number, window: Number) -> Number:
    """Mean number of earlier tokens that a causal query attends to, within a window. Tokens.

    Half the sequence without a window that binds; with one of w tokens, w - w^2 / 2s.
    """
    seen = x.minimum(window, sequence)
    return seen - seen * seen / (2.0 * sequence)


def forward_flops(x: Space, shape: Shape, sequence: Number, prediction: Number = 0.0) -> Flops:
    """What one token costs going forward. `prediction`: 1 where extra prediction layers are trained.

    Two operations per parameter that a token meets (Kaplan et al., arXiv 2001.08361, section 2.1), attention by
    its kernels' own count.
    """
    attention_layers = shape.full_layers + shape.window_layers
    extra = shape.prediction_layers * prediction
    grown = 1.0 + extra / shape.layers
    linear = attention_layers * shape.attention_params + shape.linear_layers * shape.linear_params
    linear = linear + shape.dense_layers * shape.dense_ffn_params
    moe_layers = shape.moe_layers
    linear = linear + moe_layers * (shape.shared_params + shape.router_params)
    routed = moe_layers * shape.active_experts * shape.expert_params
    full = reach(x, sequence, sequence)
    sparse = reach(x, sequence, x.where(shape.sparse_topk > 0, shape.sparse_topk, sequence))
    width = 2.0 * shape.heads * (shape.qk_dim + shape.value_dim)
    attention = shape.full_layers * (width * sparse + 2.0 * shape.index_width * full)
    attention = attention + shape.window_layers * width * reach(x, sequence, shape.window)
    attention = attention + 6.0 * shape.linear_layers * shape.linear_state
    joint = extra * 4.0 * shape.hidden * shape.hidden
    return Flops(
        2.0 * linear * grown + joint,
        2.0 * routed * grown,
        attention * grown,
        2.0 * shape.embedding_params * (1.0 + extra),
    )
