"""Memory of a served model: weights per chip, what a sequence keeps, and how many sequences fit."""

from __future__ import annotations

from stargate.performance.device import Device
from stargate.performance.estimate import DoesNotFit
from stargate.performance.inference.format import Format
from stargate.performance.inference.layout import Layout
from stargate.performance.models.shape import Shape
from stargate.performance.number import Number, Space

USABLE = 0.92
"""Share of a chip's memory that engines take (vLLM `gpu_memory_utilization` 0.90 to 0.95)."""
RESERVED_BYTES = 3.0e9
"""Per chip, for activations, graphs, the communication library and workspaces."""


def weight_bytes(shape: Shape, form: Format, layout: Layout) -> Number:
    """Weights on one chip: attention cut over `tensor`, experts over their own degrees, tables over `tensor`.

    Dense parts and shared experts follow attention: they are copied with it.
    """
    attention_layers = shape.layers - shape.linear_layers
    mixers = attention_layers * shape.attention_params + shape.linear_layers * shape.linear_params
    dense = shape.dense_layers * shape.dense_ffn_params + shape.moe_layers * shape.shared_params
    experts = shape.moe_layers * shape.experts * shape.expert_params
    tables = shape.tables * shape.embedding_params + shape.position_params
    small = shape.moe_layers * shape.router_params + shape.norm_params
    around = mixers * form.attention_bytes + dense * form.ffn_bytes + tables * form.table_bytes
    spread = experts * form.expert_bytes / (layout.expert * layout.expert_tensor)
    return (around / layout.tensor + spread + 2.0 * small) / layout.pipeline


def cache_bytes_per_token(shape: Shape, form: Format) -> Number:
    """What each token of context adds to a whole sequence's cache, over all chips that share it, once.

    Grouped queries keep keys and values of every such head; a latent (MLA) is one vector (arXiv 2405.04434,
    section 2.1.4). Layers with a sliding window or a fixed state do not grow with the context.
    """
    return shape.full_layers * shape.cache_elements * form.cache_bytes


def sequence_bytes(x: Space, shape: Shape, form: Format, layout: Layout, context: Number) -> Number:
    """What one sequence of `context` tokens keeps on each chip of its attention group.

    Heads of keys and values can be cut among as many chips as there are heads; beyond that, and always for a
    latent, each chip keeps a copy.
    """
    cut = x.minimum(layout.tensor, shape.kv_heads)
    window = x.minimum(context, shape.window)
    grown = shape.full_layers * context + shape.window_layers * window
    state = shape.linear_layers * shape.linear_state * 4.0 / layout.tensor
    return (grown * shape.cache_elements * form.cache_bytes / cut + state) / layout.pipeline


def available_bytes(device: Device) -> Number:
    """What a chip has for weights and caches."""
    return device.memory_bytes * USABLE - RESERVED_BYTES


def free_bytes(shape: Shape, form: Format, layout: Layout, device: Device) -> Number:
    """What a chip has left for caches; negative where the weights alone do not fit."""
    return available_bytes(device) - weight_bytes(shape, form, layout)


def largest_batch(
    x: Space, shape: Shape, form: Format, layout: Layout, device: Device, context: Number
) -> Number:
    """Sequences of `context` tokens that the engine holds at once, at least one for each copy of attention."""
    each = sequence_bytes(x, shape, form, layout, context)
    fit = free_bytes(shape, form, layout, device) / each
    return layout.attention_data * x.maximum(fit, 1.0)


def refusal(
    x: Space, shape: Shape, form: Format, layout: Layout, device: Device, context: Number
) -> DoesNotFit | None:
    """Why not even one sequence of `context` tokens fits beside the weights; None where it does. Scalars alone."""
    weights = weight_bytes(shape, form, layout)
    one = sequence_bytes(x, shape, form, layout, context)
    available = available_bytes(device)
    if weights + one <= available:
        return None
    return DoesNotFit(
        needed_bytes=weights + one,
        available_bytes=available,
        largest="weights" if weights >= one else "cache",
    )
