"""Bytes of weights, gradients and optimizer state that one chip keeps from step to step."""

from __future__ import annotations

import msgspec

from stargate.performance.models.shape import Shape
from stargate.performance.number import Number, Space
from stargate.performance.training.layout import Layout
from stargate.performance.training.stage import duplex

WEIGHT_BYTES = {"bf16": 2.0, "fp8": 2.0, "mxfp8": 2.0625, "nvfp4": 3.125, "int8": 2.0}
"""Per parameter of a large matrix. 8 bits are kept twice, along rows and along columns, because products read
both; `mxfp8` adds a scale per 32 elements; `nvfp4` keeps both 4-bit copies with a scale per 16 beside the
16-bit ones; `int8` (AQT) is made anew for each product."""
TABLE_BYTES = 2.0
"""Tables of the vocabulary and norms stay in 16 bits."""
GATHERED_BYTES = 6.0
"""Per parameter of a layer while parameters are sharded: in 16 bits the weights of the layer at work and of the one
fetched ahead, and the gradients on their way to their shares."""


class Share(msgspec.Struct, frozen=True):
    """Bytes on a chip for each parameter that it would hold without sharding."""

    weight: Number
    gradient: Number
    optimizer: Number
    table: Number
    """Weight, gradient and optimizer together, of the tables."""

    @property
    def all(self) -> Number:
        """Of a parameter of a large matrix."""
        return self.weight + self.gradient + self.optimizer


class Parameters(msgspec.Struct, frozen=True):
    """Parameters of one layer, or one table, that a chip computes with."""

    layer: Number
    """Attention, or what stands in for it, and norms: the mean over all layers."""
    dense: Number
    """Ordinary feed-forward part."""
    moe: Number
    """Router and what every token passes, of a layer with experts."""
    experts: Number
    """The chip's part of a layer's routed experts."""
    table: Number
    positions: Number
    """The table of learned positions, which is not cut."""


def mixer_params(shape: Shape) -> Number:
    """Projections of the average layer's attention, of whichever kind."""
    attention = (shape.full_layers + shape.window_layers) * shape.attention_params
    return (attention + shape.linear_layers * shape.linear_params) / shape.layers


def parameters(shape: Shape, layout: Layout) -> Parameters:
    """How tensor and expert parallelism cut a layer. Norms and routers are whole on each chip."""
    tensor = layout.tensor
    return Parameters(
        mixer_params(shape) / tensor + shape.norm_params / shape.layers,
        shape.dense_ffn_params / tensor,
        shape.shared_params / tensor + shape.router_params,
        shape.experts * shape.expert_params / (layout.expert * layout.expert_tensor),
        shape.embedding_params / tensor,
        shape.position_params,
    )


def shares(x: Space, precision: str, layout: Layout) -> tuple[Share, Share]:
    """What a parameter costs a chip: of everything but experts, and of experts.

    18 bytes with gradients of 32 bits, 16 with 16 bits: weight, gradient, and the optimizer's copy with two
    moments (ZeRO, arXiv 1910.02054, section 3.1; with 32-bit gradients Megatron-LM). ZeRO divides
    optimizer, gradients and weights by the data-parallel chips, as its stages say (section 5). Experts are
    shared out over the chips that hold the same ones. A chip that holds two stages has both stages'
    weights and gradients, but shares the optimizer with the chip that holds the same two.
    """
    copies = x.where(layout.shard_chips > 0, layout.shard_chips, layout.data * layout.context)
    cut = layout.expert * layout.expert_tensor
    double = 1.0 + duplex(x, layout)
    weight = WEIGHT_BYTES[precision] * double
    gradient = layout.gradient_bytes * double
    optimizer = layout.optimizer_bytes * (1.0 - layout.offload_optimizer)
    common = _share(layout, copies, weight, gradient, optimizer, TABLE_BYTES * double)
    same = x.maximum(1.0, copies * layout.tensor / cut)
    return common, _share(layout, same, weight, gradient, optimizer, TABLE_BYTES * double)


def gathered_bytes(x: Space, shape: Shape, layout: Layout, held: Parameters) -> Number:
    """Weights fetched, and gradients not yet scattered, of the layers at work; 0 unless parameters are sharded."""
    dense = x.where(shape.dense_layers > 0, held.dense, 0.0)
    moe = x.where(shape.moe_layers > 0, held.moe + held.experts, 0.0)
    layer = held.layer + x.maximum(dense, moe)
    return layout.shard_parameters * (GATHERED_BYTES * layer + 2.0 * TABLE_BYTES * held.table)


def _share(
    layout: Layout, chips: Number, weight: Number, gradient: Number, optimizer: Number, table: Number
) -> Share:
    others = chips - 1.0
    weights = 1.0 / (1.0 + layout.shard_parameters * others)
    gradients = gradient / (1.0 + layout.shard_gradients * others)
    optimizers = optimizer / (1.0 + layout.shard_optimizer * others)
    return Share(weight * weights, gradients, optimizers, table * weights + gradients + optimizers)
