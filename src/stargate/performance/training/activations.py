"""Bytes that one layer keeps per token from its forward to its backward pass."""

from __future__ import annotations

import msgspec

from stargate.performance.models.shape import Shape
from stargate.performance.number import Number, Space
from stargate.performance.training.layout import Layout

INPUT_BYTES = {"bf16": 2.0, "fp8": 1.0, "mxfp8": 1.03125, "nvfp4": 0.5625, "int8": 2.0}
"""Per element of what a large matrix multiplies and keeps for its gradient: in the precision of the product."""
LOGIT_BYTES = 4.0
"""Per entry of the output: the softmax in 32 bits, kept for its gradient."""
PRODUCT_BYTES = 2.0
"""Per entry as it leaves the output's product, until the softmax is there."""


class Kept(msgspec.Struct, frozen=True):
    """Bytes on a chip per token of its part of the sequence."""

    layer: Number
    """Of one layer's attention and norms."""
    dense: Number
    """Of one ordinary feed-forward part."""
    moe: Number
    """Of one routed feed-forward part."""
    whole: Number
    """Of the largest layer when nothing is computed again: what recomputing it needs for a while."""
    widest: Number
    """Gradients of what stands between the two large matrices of the feed-forward part."""
    output: Number
    """Of the last norm, the output table's input and the logits."""


def kept(x: Space, shape: Shape, precision: str, layout: Layout) -> Kept:
    """What layers keep, from the formulas of Korthikanti et al. (arXiv 2205.05198, sections 4.1 to 4.4).

    Their layer of a GPT keeps s b h (34 + 5 a s / h) bytes. The terms here are theirs with each width by
    itself, so that they hold for grouped queries, gates and experts: inputs of both norms and of what
    follows them (2 + 2 + 2 + 2 bytes times hidden, whole on each chip of a tensor group without sequence
    parallelism), queries, keys and values, the scores (5 bytes per head and key), attention's output, and what
    enters and leaves the activation function. Models without a gate have dropout masks (1 + 1), as GPT
    has. Scores are kept where `stored_scores` says that attention writes them and nothing recomputes them;
    kernels that never do (FlashAttention, arXiv 2205.14135) keep 4 bytes a head. Experts see each token
    `active_experts` times.
    """
    hidden, gate = shape.hidden, shape.gate_factor
    enters = INPUT_BYTES[precision]
    cut = 1.0 / layout.tensor
    between = hidden * x.where(layout.sequence_parallel > 0, cut, 1.0)
    stored = 1.0 - layout.elementwise_recompute
    # In most models each layer mixes and feeds; where it does one of both, it has half of the norms.
    feeding = (shape.dense_layers + shape.moe_layers) / shape.layers
    mixing = (shape.full_layers + shape.window_layers + shape.linear_layers) / shape.layers
    blocks = (mixing + feeding) * between
    norms = blocks * (2.0 + x.where(gate > 1, 0.0, 1.0))
    inputs = blocks * enters

    mixer = cut * _mixer(shape, layout)
    ffn = cut * shape.dense_ffn
    # Each chip of an expert-tensor group sees the tokens of the whole group and keeps a part of the widths.
    routed = layout.balance * shape.active_experts * cut
    sent = routed * layout.expert_tensor * shape.expert_hidden * enters + 8.0 * shape.experts * cut
    wide = routed * shape.expert_ffn + cut * shape.shared_ffn
    before = 2.0 * gate
    after = stored * enters

    full = layout.full_recompute
    whole_dense = ffn * (before + enters)
    whole_moe = sent + wide * (before + enters)
    scores = cut * _scores(x, shape, layout) * layout.stored_scores * (1.0 - layout.attention_recompute)
    checkpoint = full * between * 2.0
    partly = 1.0 - full
    return Kept(
        checkpoint + partly * (norms + mixer + stored * inputs + scores),
        partly * ffn * (before + after),
        partly * (sent + wide * (before + after)),
        norms + inputs + mixer + x.maximum(whole_dense, whole_moe),
        before * x.maximum(ffn, wide),
        (4.0 * between + LOGIT_BYTES * cut * shape.vocabulary)
        * (1.0 + layout.prediction * shape.prediction_layers)
        + PRODUCT_BYTES * cut * shape.vocabulary,
    )


def _mixer(shape: Shape, layout: Layout) -> Number:
    """Queries, keys, values and the output of the average layer, before tensor parallelism cuts them."""
    flash = 4.0 * shape.heads * (1.0 - layout.stored_scores)
    attention = 2.0 * (shape.q_width + shape.kv_width + shape.heads * shape.value_dim) + flash
    linear = 2.0 * shape.linear_params / shape.hidden
    layers = shape.full_layers + shape.window_layers
    return (layers * attention + shape.linear_layers * linear) / shape.layers


def _scores(x: Space, shape: Shape, layout: Layout) -> Number:
    """Softmax, its dropout mask and its dropped-out copy for each key that a query sees: 2 + 1 + 2 bytes."""
    seen = x.minimum(shape.window, layout.sequence)
    keys = shape.full_layers * layout.sequence + shape.window_layers * seen
    return 5.0 * shape.heads * keys / shape.layers
