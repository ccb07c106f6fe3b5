"""Seconds of communication at the full bandwidth of links; how much of it is seen is the caller's to say.

Rings: each chip sends (n - 1) / n of what n chips gather or reduce (Patarasuk and Yuan, 2009). Groups that
outgrow a scale-up domain go in two levels: within the domain, then between domains, where each chip's own
network card carries its share.
"""

from __future__ import annotations

import msgspec

from stargate.performance.device import Device
from stargate.performance.models.shape import Shape
from stargate.performance.number import Number, Space
from stargate.performance.training.layout import Layout
from stargate.performance.training.memory_traffic import ELEMENT, Held, element_bytes, sharded_over


class Shared(msgspec.Struct, frozen=True):
    """Seconds of data-parallel communication."""

    per_micro_batch: Number
    """Parameters gathered and gradients scattered with every micro-batch (FSDP)."""
    per_step: Number
    """Gradients reduced and parameters gathered once."""
    between_slices: Number
    """Gradients reduced over the data-centre network."""


def ring(x: Space, device: Device, moved_bytes: Number, chips: Number, near: Number) -> Number:
    """One gather or scatter of `moved_bytes` over `chips`, of which `near` share each scale-up domain."""
    inside = x.minimum(chips, x.maximum(near, 1.0))
    domains = chips / inside
    up = moved_bytes * (inside - 1.0) / (inside * device.scaleup_bytes_per_s)
    out = moved_bytes / inside * (domains - 1.0) / (domains * device.scaleout_bytes_per_s)
    return up + out


def tensor_parallel(x: Space, shape: Shape, device: Device, layout: Layout) -> Number:
    """Per micro-batch and stage.

    Two gathers and two scatters a layer forward, as many backward, two more
    where the backward pass gathers inputs again (sequence parallel), four where the layer is recomputed
    (Korthikanti et al., arXiv 2205.05198, section 4.2).
    """
    rows = layout.micro_batch * layout.sequence / layout.context
    times = 8.0 + 2.0 * layout.sequence_parallel + 4.0 * layout.full_recompute
    moved = rows * shape.hidden * ELEMENT * times * shape.layers / layout.pipeline
    return ring(x, device, moved, layout.tensor, device.domain_chips)


def context_parallel(x: Space, shape: Shape, device: Device, layout: Layout) -> Number:
    """Per micro-batch and stage.

    Keys and values of all others pass each chip, forward once, and backward with their gradients (Liu et al.,
    arXiv 2310.01889).
    """
    layers = (shape.full_layers + shape.window_layers) / layout.pipeline
    rows = layout.micro_batch * layout.sequence
    moved = 3.0 * rows * shape.kv_width / layout.tensor * ELEMENT * layers
    near = device.domain_chips / layout.tensor
    return ring(x, device, moved, layout.context, near)


def expert_parallel(x: Space, shape: Shape, device: Device, layout: Layout) -> Number:
    """Per micro-batch and stage: tokens go to their experts and come back, forward and backward.

    Between domains a token goes once to each domain that holds any of its experts (DeepSeek-V3, arXiv
    2412.19437, section 3.2.2).
    """
    rows = layout.micro_batch * layout.sequence / (layout.context * layout.tensor)
    group = layout.expert
    near = x.maximum(x.minimum(group, device.domain_chips), 1.0)
    domains = group / near
    active = x.maximum(shape.active_experts, 1.0)
    visited = domains * (1.0 - x.exp(active * x.log(1.0 - 0.999999 / x.maximum(domains, 1.0))))
    each = rows * shape.expert_hidden * ELEMENT * 4.0 * shape.moe_layers / layout.pipeline * layout.balance
    up = each * active * (near - 1.0) / (near * device.scaleup_bytes_per_s)
    out = each * x.minimum(visited, active) * (domains - 1.0) / (domains * device.scaleout_bytes_per_s)
    return up + out


def pipeline_parallel(x: Space, shape: Shape, device: Device, layout: Layout) -> Number:
    """Per micro-batch: activations and their gradients between stages, once for each part."""
    rows = layout.micro_batch * layout.sequence / layout.context
    spread = x.where(layout.sequence_parallel > 0, layout.tensor, 1.0)
    moved = 2.0 * rows * shape.hidden * ELEMENT / spread * layout.virtual
    near = layout.chips <= device.domain_chips
    link = x.where(near, device.scaleup_bytes_per_s, device.scaleout_bytes_per_s)
    return x.where(layout.pipeline > 1, moved / link, 0.0)


def data_parallel(x: Space, device: Device, layout: Layout, own: Held) -> Shared:
    """Gradients reduced, parameters gathered (Rajbhandari et al., arXiv 1910.02054, section 7).

    Without sharding an all-reduce is as much as a scatter and a gather. With parameters sharded they are
    gathered forward and backward of every micro-batch, and gradients scattered.
    """
    common, routed = own.common + own.tables, own.routed
    copies = layout.data * layout.context / layout.slices
    near = device.domain_chips / layout.tensor
    expert_copies = x.maximum(copies * layout.tensor / (layout.expert * layout.expert_tensor), 1.0)
    expert_near = device.domain_chips / (layout.expert * layout.expert_tensor)
    once = layout.reduce_bytes + x.where(
        layout.shard_optimizer > 0, x.minimum(ELEMENT, element_bytes(x, device)), layout.reduce_bytes
    )
    one = ring(x, device, common, copies, near) + ring(x, device, routed, expert_copies, expert_near)
    whole = layout.shard_parameters
    gathers = ELEMENT * 2.0 + layout.reduce_bytes
    partly = layout.shard_gradients * (1.0 - whole)
    each = one * (whole * gathers + partly * layout.reduce_bytes)
    per_step = one * ((1.0 - whole - partly) * once + partly * ELEMENT)
    slices = layout.slices
    cut = x.where(layout.shard_optimizer > 0, sharded_over(x, layout) / slices, 1.0)
    state = (common + routed) / x.maximum(cut, 1.0)
    reduced = 2.0 * state * layout.reduce_bytes * (slices - 1.0) / slices / device.scaleout_bytes_per_s
    return Shared(each, per_step, reduced)
