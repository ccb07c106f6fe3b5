"""The time of one training step, term by term; each formula once, for one configuration or columns of them.

Micro-batches pass a pipeline of stages; the slowest stage sets the pace. Within a stage products, attention
and passes over memory follow one another; communication hides behind them as far as they last.
"""

from __future__ import annotations

import msgspec

from stargate.performance.device import Device
from stargate.performance.number import Number, Space
from stargate.performance.shape import Shape
from stargate.performance.training.collective import (
    context_parallel,
    data_parallel,
    expert_parallel,
    pipeline_parallel,
    tensor_parallel,
)
from stargate.performance.training.constants import Constants
from stargate.performance.training.flops import ATTENTION_PASSES, forward_flops
from stargate.performance.training.layout import Layout
from stargate.performance.training.memory_traffic import optimizer_seconds, traffic

ORDER = (
    "matmul",
    "attention",
    "memory",
    "head",
    "launch",
    "tensor_parallel",
    "context_parallel",
    "expert_parallel",
    "pipeline_parallel",
    "bubble",
    "data_parallel",
    "optimizer",
    "overhead",
)
"""Terms in the order in which tables show them."""
BINDS = {
    "matmul": "compute",
    "attention": "compute",
    "head": "compute",
    "memory": "memory_bandwidth",
    "optimizer": "memory_bandwidth",
    "launch": "overhead",
    "overhead": "overhead",
    "bubble": "bubble",
}
"""What a term waits for; those not here wait for communication."""


class Step(msgspec.Struct, frozen=True):
    """Seconds of one step by part, for the slowest chip; each may be a column."""

    matmul: Number
    """Large products, with what of moving their operands is not hidden."""
    attention: Number
    memory: Number
    """Norms, activations, residuals, routing and quantising: passes over memory."""
    head: Number
    """Output table and embedding on the stages that have them, and layers that do not divide evenly."""
    launch: Number
    """What the host takes longer to launch kernels than the chip to run them."""
    tensor_parallel: Number
    context_parallel: Number
    expert_parallel: Number
    pipeline_parallel: Number
    bubble: Number
    data_parallel: Number
    optimizer: Number
    overhead: Number
    """Fixed per step, what the slowest of many chips adds, and what the release adds."""
    seconds: Number
    """All of it."""
    tokens: Number
    """Of the step, over all chips."""
    chips: Number

    @property
    def tokens_per_second_per_chip(self) -> Number:
        """Throughput."""
        return self.tokens / (self.seconds * self.chips)

    def binding(self) -> str:
        """The largest term, of one configuration."""
        return max(ORDER, key=lambda name: float(getattr(self, name)))


def step(x: Space, shape: Shape, device: Device, layout: Layout, constants: Constants) -> Step:
    """The time of one step of a layout that fits.

    Pipeline: (m + (p - 1) / v) passes of the slowest stage's micro-batch for m micro-batches, p stages of v
    parts (Narayanan et al., arXiv 2104.04473, section 2.2), the idle part less what the schedule fills.
    """
    tensor, pipeline = layout.tensor, layout.pipeline
    chips = layout.chips
    micro_batches = layout.micro_batches
    rows = layout.micro_batch * layout.sequence / layout.context
    flops = forward_flops(x, shape, layout.sequence, layout.prediction)
    again = layout.full_recompute * layout.recompute_share
    passes = 3.0 + again
    wide = constants.matmul * device.bf16_flops_per_s
    peak = wide * speedup(x, device, constants)
    share = rows / (tensor * pipeline)
    moved = traffic(x, shape, device, layout)
    bandwidth = constants.memory * device.bandwidth_bytes_per_s
    matmul = share * (flops.linear + flops.routed) * passes / peak
    matmul = matmul + constants.operands * moved.operands / bandwidth
    stored = layout.stored_scores
    attention_passes = (ATTENTION_PASSES - 0.5 * stored) * (1.0 + stored)
    attention_passes = attention_passes + (1.0 + stored) * x.maximum(
        layout.full_recompute, stored * layout.attention_recompute
    )
    widened = 1.0 + constants.softmax / (shape.qk_dim + shape.value_dim)
    attention = share * flops.attention * widened * attention_passes / (wide * constants.attention)
    memory = (
        moved.passes
        + moved.scores
        + constants.expert * moved.experts
        + constants.routing * moved.routing
        + constants.cast * moved.casts
    ) / bandwidth
    head = rows * flops.head * 3.0 / (tensor * wide) + moved.head / bandwidth
    tensor_time = tensor_parallel(x, shape, device, layout) / constants.link
    tensor_time = shown(x, tensor_time, matmul * layout.tensor_overlap, constants.exposed)
    context_time = context_parallel(x, shape, device, layout) / constants.link
    context_time = shown(x, context_time, attention, constants.exposed)
    expert_time = expert_parallel(x, shape, device, layout) / constants.link
    expert_time = shown(x, expert_time, (matmul + attention) * layout.expert_overlap, constants.exposed)
    layers = shape.layers / pipeline
    run = matmul + attention + memory + tensor_time + context_time + expert_time
    routing = x.minimum(shape.moe_layers, 1.0)
    host = layers * (constants.launch_seconds + routing * constants.route_seconds)
    launch = x.sqrt(x.sqrt(run**4 + host**4)) - run
    unbalance = _unbalance(x, layers, pipeline, shape.layers, run + launch, head)
    hand_over = pipeline_parallel(x, shape, device, layout) / constants.link * constants.exposed
    even = run + launch + hand_over + head / pipeline
    bubble = (pipeline - 1.0) / layout.virtual * layout.bubble_share * even
    shared = data_parallel(x, shape, device, layout)
    pass_seconds = run + launch
    gathered = shown(x, shared.per_micro_batch / constants.link, pass_seconds, constants.exposed)
    per_step = shown(x, shared.per_step / constants.link, pass_seconds, constants.exposed)
    slices_time = shown(x, shared.between_slices / constants.link, pass_seconds, constants.exposed)
    data_time = micro_batches * gathered + per_step + slices_time
    optimizer = optimizer_seconds(x, shape, device, layout) / constants.memory
    known = micro_batches * (even - head / pipeline + unbalance) + bubble + data_time + optimizer
    slowest = constants.straggler * x.log(chips) * known
    overhead = slowest + constants.step_seconds
    computing = micro_batches * matmul
    total = computing + (known + overhead - computing) * constants.release
    return Step(
        micro_batches * matmul,
        micro_batches * attention,
        micro_batches * memory,
        micro_batches * unbalance,
        micro_batches * launch,
        micro_batches * tensor_time,
        micro_batches * context_time,
        micro_batches * expert_time,
        micro_batches * hand_over,
        bubble,
        data_time,
        optimizer,
        total - known,
        total,
        layout.tokens,
        chips,
    )


def speedup(x: Space, device: Device, constants: Constants) -> Number:
    """How much faster than in sixteen bits large products are, as far as feeding and power let them be.

    Where the peak is at least three times as high the recipe is one of four bits, which keeps some products in
    eight.
    """
    ratio = device.peak_flops_per_s / device.bf16_flops_per_s
    halvings = x.log(x.maximum(ratio, 1.0)) / 0.6931471805599453
    reached = ratio * x.exp(halvings * x.log(constants.narrow))
    eight = 2.0 * constants.narrow
    mixed = 1.0 / (constants.low_share / reached + (1.0 - constants.low_share) / eight)
    return x.where(ratio > 3.0, mixed, reached)


def shown(x: Space, communication: Number, window: Number, exposed: Number) -> Number:
    """What is seen of communication that may hide behind `window` seconds of computing.

    All beyond it, and a share of what is within, which contends for the same memory and cores.
    """
    return communication - (1.0 - exposed) * x.minimum(communication, window)


def _unbalance(
    x: Space, layers: Number, pipeline: Number, all_layers: Number, run: Number, head: Number
) -> Number:
    """What the slowest stage takes longer than an even share of the layers, with head and embedding.

    Layers divide into whole ones; the last stage has what is left over and the head.
    """
    whole = x.ceil(layers)
    last = all_layers - (pipeline - 1.0) * whole
    each = run / layers
    slowest = x.maximum(whole * each, last * each + head)
    return slowest - run
