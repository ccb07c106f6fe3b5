"""The time of one training step, term by term; each formula once, for one configuration or columns of them.

Micro-batches pass a pipeline of stages; the slowest stage sets the pace. Within a stage products, attention
and passes over memory follow one another; communication hides behind them as far as they last.
"""

from __future__ import annotations

import msgspec

from stargate.performance.device import Device
from stargate.performance.models.shape import Shape
from stargate.performance.number import Number, Space
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
from stargate.performance.training.memory_traffic import Held, held, optimizer_seconds, traffic

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
PETAFLOPS = 1e15
HALVING = 0.6931471805599453
"""Logarithm of two."""
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
    """Fixed per step, and what the slowest of many chips adds."""
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


class _Pass(msgspec.Struct, frozen=True):
    """Seconds of one micro-batch in one stage, forward and backward."""

    matmul: Number
    attention: Number
    memory: Number
    head: Number
    tensor: Number
    context: Number
    expert: Number


def step(x: Space, shape: Shape, device: Device, layout: Layout, constants: Constants) -> Step:
    """The time of one step of a layout that fits.

    Pipeline: (m + (p - 1) / v) passes of the slowest stage's micro-batch for m micro-batches, p stages of v
    parts (Narayanan et al., arXiv 2104.04473, section 2.2), the idle part less what the schedule fills. The
    host's launches and the chip's work run side by side: the longer one shows. A release scales all but the
    large products.
    """
    pipeline, micro_batches, chips = layout.pipeline, layout.micro_batches, layout.chips
    link, exposed = constants.link, constants.exposed
    own = held(x, shape, layout)
    each = _pass(x, shape, device, layout, constants, own)
    run = each.matmul + each.attention + each.memory + each.tensor + each.context + each.expert
    layers = shape.layers / pipeline
    host = shape.moe_layers / pipeline * constants.route_seconds
    run_squared, host_squared = run * run, host * host
    paced = x.sqrt(x.sqrt(run_squared * run_squared + host_squared * host_squared))
    unbalance = _unbalance(x, layers, pipeline, shape.layers, paced, each.head)
    hand_over = pipeline_parallel(x, shape, device, layout) / link * exposed
    even = paced + hand_over + each.head / pipeline
    bubble = (pipeline - 1.0) / layout.virtual * layout.bubble_share * even
    shared = data_parallel(x, device, layout, own)
    gathered = shown(x, shared.per_micro_batch / link, paced, exposed)
    data_time = micro_batches * gathered + shown(x, shared.per_step / link, paced, exposed)
    data_time = data_time + shown(x, shared.between_slices / link, paced, exposed)
    optimizer = optimizer_seconds(x, device, layout, own) / constants.memory
    computing = micro_batches * each.matmul
    known = micro_batches * (paced + hand_over + unbalance) + bubble + data_time + optimizer
    overhead = known * constants.straggler * x.log(chips) + constants.step_seconds
    release = constants.release
    rest = micro_batches * release
    return Step(
        matmul=computing,
        attention=rest * each.attention,
        memory=rest * each.memory,
        head=rest * unbalance,
        launch=rest * (paced - run),
        tensor_parallel=rest * each.tensor,
        context_parallel=rest * each.context,
        expert_parallel=rest * each.expert,
        pipeline_parallel=rest * hand_over,
        bubble=release * bubble,
        data_parallel=release * data_time,
        optimizer=release * optimizer,
        overhead=release * overhead,
        seconds=computing + (known + overhead - computing) * release,
        tokens=layout.tokens,
        chips=chips,
    )


def _pass(x: Space, shape: Shape, device: Device, layout: Layout, constants: Constants, own: Held) -> _Pass:
    rows = layout.micro_batch * layout.sequence / layout.context
    share = rows / (layout.tensor * layout.pipeline)
    flops = forward_flops(x, shape, layout.sequence, layout.prediction)
    moved = traffic(x, shape, device, layout, own)
    bandwidth = constants.memory * device.bandwidth_bytes_per_s
    wide = constants.matmul * device.bf16_flops_per_s
    passes = 3.0 + layout.full_recompute * layout.recompute_share
    matmul = share * (flops.linear + flops.routed) * passes / (wide * speedup(x, device, constants))
    matmul = matmul + constants.operands * moved.operands / bandwidth
    stored = layout.stored_scores
    again = x.maximum(layout.full_recompute, stored * layout.attention_recompute)
    attention_passes = (1.0 + stored) * (ATTENTION_PASSES - 0.5 * stored + again)
    exponentials = constants.softmax * device.bf16_flops_per_s / PETAFLOPS
    widened = 1.0 + exponentials / (shape.qk_dim + shape.value_dim)
    attention = share * flops.attention * widened * attention_passes / (wide * constants.attention)
    between = constants.expert * x.where(shape.clamped > 0, constants.unfused, 1.0)
    memory = moved.passes + moved.scores + between * moved.experts
    memory = (memory + constants.routing * moved.routing + constants.cast * moved.casts) / bandwidth
    head = rows * flops.head * 3.0 / (layout.tensor * wide) + moved.head / bandwidth
    link, exposed = constants.link, constants.exposed
    tensor = tensor_parallel(x, shape, device, layout) / link
    context = context_parallel(x, shape, device, layout) / link
    expert = expert_parallel(x, shape, device, layout) / link
    return _Pass(
        matmul,
        attention,
        memory,
        head,
        shown(x, tensor, matmul * layout.tensor_overlap, exposed),
        shown(x, context, attention, exposed),
        shown(x, expert, (matmul + attention + memory) * layout.expert_overlap, exposed),
    )


def speedup(x: Space, device: Device, constants: Constants) -> Number:
    """How much faster than in sixteen bits large products are: the ratio of peaks, less for each halving."""
    ratio = device.peak_flops_per_s / device.bf16_flops_per_s
    halvings = x.log(x.maximum(ratio, 1.0)) / HALVING
    return ratio * x.exp(halvings * x.log(constants.narrow))


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
