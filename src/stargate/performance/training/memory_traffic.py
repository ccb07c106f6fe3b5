"""Bytes that a training step moves through a chip's own memory besides what its products compute."""

from __future__ import annotations

import msgspec

from stargate.performance.device import Device
from stargate.performance.models.shape import Shape
from stargate.performance.number import Number, Space
from stargate.performance.training.layout import Layout

ELEMENT = 2.0
"""Bytes of an activation in 16 bits."""
ACCUMULATE = 8.0
"""Bytes per parameter to add a micro-batch's gradient to the 32-bit sum: one read, one write."""


SCORE_BYTES = 39.0
"""Per score, forward and backward, of unfused kernels: written, masked and normalised, dropped out, multiplied;
13 bytes forward, twice as many backward."""


class Traffic(msgspec.Struct, frozen=True):
    """Bytes per micro-batch and chip of one stage, forward and backward."""

    operands: Number
    """Read and written by large products: inputs, outputs, weights and weight gradients."""
    passes: Number
    """Norms, residuals, activation functions, rotations, routing."""
    experts: Number
    """Passes over what is between the matrices of routed experts."""
    scores: Number
    """Attention scores, where no fused kernel keeps them from memory."""
    routing: Number
    """One pass over the routed tokens, a read and a write, in each direction."""
    casts: Number
    """Quantising the inputs of products; 0 in 16 bits."""
    head: Number
    """Logits, their loss and its gradient."""


def element_bytes(x: Space, device: Device) -> Number:
    """Bytes of one operand of large products: 2 in 16 bits, 1 in 8, 1/2 in 4. The peaks tell which."""
    return ELEMENT / x.minimum(device.peak_flops_per_s / device.bf16_flops_per_s, 4.0)


class Held(msgspec.Struct, frozen=True):
    """Parameters that one chip of a stage holds before sharding."""

    common: Number
    """Of the stage's layers, without routed experts."""
    tables: Number
    """Of embedding and output, on the stages that have them."""
    routed: Number
    """Of routed experts."""


def held(x: Space, shape: Shape, layout: Layout) -> Held:
    """What tensor, pipeline and expert parallelism leave on each chip."""
    layers = (shape.full_layers + shape.window_layers) * shape.attention_params
    layers = layers + shape.linear_layers * shape.linear_params + shape.dense_layers * shape.dense_ffn_params
    layers = layers + shape.moe_layers * (shape.shared_params + shape.router_params)
    tensor, pipeline = layout.tensor, layout.pipeline
    routed = shape.moe_layers * shape.experts * shape.expert_params
    tables = shape.tables * shape.embedding_params / (tensor * x.minimum(pipeline, shape.tables))
    return Held(
        layers / (tensor * pipeline), tables, routed / (pipeline * layout.expert * layout.expert_tensor)
    )


def traffic(x: Space, shape: Shape, device: Device, layout: Layout, own: Held) -> Traffic:
    """Bytes moved for one micro-batch by one chip.

    Counts reads and writes of fused kernels: a norm reads and writes once, residual and dropout read two and
    write one, a gated activation reads two widths and writes one; the backward pass twice as many.
    """
    rows = layout.micro_batch * layout.sequence / layout.context
    tensor, hidden = layout.tensor, shape.hidden
    low = element_bytes(x, device)
    spread = x.where(layout.sequence_parallel > 0, tensor, 1.0)
    depth = rows / layout.pipeline
    mixers = shape.full_layers + shape.window_layers + shape.linear_layers
    projected = shape.q_width + shape.kv_width
    value = shape.heads * shape.value_dim
    routed_rows = shape.moe_layers * shape.active_experts
    common_width = shape.dense_layers * shape.dense_ffn + shape.moe_layers * shape.shared_ffn
    widened = common_width + routed_rows * shape.expert_ffn
    times = 3.0 + layout.full_recompute
    light = x.maximum(layout.full_recompute, layout.elementwise_recompute)
    between = mixers * 10.0 * hidden / spread
    inside = (mixers * 2.0 * projected + (shape.gate_factor + 1.0) * common_width) / tensor
    routing = depth * ELEMENT * 4.0 * routed_rows * shape.expert_hidden / tensor
    passes = depth * ELEMENT * (3.0 + light) * (between + inside)
    experts = depth * ELEMENT * (3.0 + light) * (shape.gate_factor + 1.0) * routed_rows * shape.expert_ffn
    scores = depth * SCORE_BYTES * shape.heads * layout.sequence * mixers / tensor * layout.stored_scores
    scores = scores * (3.0 + x.maximum(layout.full_recompute, layout.attention_recompute)) / 3.0
    fed = mixers * (hidden + value / tensor) + shape.dense_layers * (hidden + shape.dense_ffn / tensor)
    fed = fed + shape.moe_layers * (hidden + shape.shared_ffn / tensor)
    fed = fed + routed_rows * (shape.expert_hidden + shape.expert_ffn) / tensor
    left = mixers * (projected / tensor + hidden) + shape.gate_factor * widened / tensor
    left = (
        left + (shape.dense_layers + shape.moe_layers) * hidden + routed_rows * shape.expert_hidden / tensor
    )
    weights = (own.common + own.routed) * (times * low - low + ACCUMULATE)
    operands = depth * times * (fed * low + left * ELEMENT) + weights
    quantised = x.where(low < ELEMENT, 1.0, 0.0)
    casts = depth * (fed * (1.0 + layout.full_recompute) + left) * (ELEMENT + 2.0 * low) * quantised
    logits = rows * shape.vocabulary / tensor
    head = logits * (ELEMENT * 6.0 + 8.0) + rows * hidden * 6.0 * ELEMENT
    return Traffic(operands, passes, experts / tensor, scores, routing, casts, head)


def optimizer_seconds(x: Space, device: Device, layout: Layout, own: Held) -> Number:
    """One update of Adam at full bandwidth.

    Gradients, copy and moments are read, copy, moments and parameters written.
    """
    shards = sharded_over(x, layout)
    cut = x.where(layout.shard_optimizer > 0, shards, 1.0)
    experts_cut = x.where(
        layout.shard_optimizer > 0, x.maximum(shards * layout.tensor / layout.expert, 1.0), 1.0
    )
    parameters = (own.common + own.tables) / cut + own.routed / experts_cut
    each = layout.gradient_bytes + 2.0 * layout.optimizer_bytes + ELEMENT
    return parameters * each / device.bandwidth_bytes_per_s


def sharded_over(x: Space, layout: Layout) -> Number:
    """Chips that share out the state of one part of the model."""
    return x.where(layout.shard_chips > 0, layout.shard_chips, layout.data * layout.context)
