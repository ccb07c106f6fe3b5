"""The stages of a pipeline that can need most memory: the first, the second and the last one."""

from __future__ import annotations

import msgspec

from stargate.performance.models.shape import Shape
from stargate.performance.number import Number, Space
from stargate.performance.training.layout import BUBBLE, Layout

LEADING = 8.0
"""Ordinary feed-forward layers stand before all others where at most one layer in so many is one."""


class Stage(msgspec.Struct, frozen=True):
    """What one stage of the pipeline holds."""

    layers: Number
    """All layers, extra prediction layers among them."""
    dense: Number
    """Layers with an ordinary feed-forward part."""
    moe: Number
    """Layers with routed experts."""
    tables: Number
    """Tables of vocabulary times hidden."""
    positions: Number
    """1 where the table of learned positions lies."""
    output: Number
    """1 where logits and the loss are computed."""
    held: Number
    """Micro-batches whose activations of the whole stage are kept at once; a fraction when interleaved."""


def duplex(x: Space, layout: Layout) -> Number:
    """1 where each chip holds two stages, which a pipeline fed from both ends needs (DualPipe), else 0."""
    return x.where(layout.bubble_share == BUBBLE["dualpipe"], 1.0, 0.0)


def held(x: Space, layout: Layout) -> tuple[Number, Number, Number]:
    """Micro-batches whose activations the first, second and last stage keep, in whole stages' worth.

    1F1B: stage i of p keeps p - i (Narayanan et al., arXiv 2104.04473, section 2.2). Interleaved over v
    parts of the model: 2 (p - 1 - i) + (v - 1) p + 1 parts, which at the first stage is the factor
    1 + (p - 1) / (p v) of Korthikanti et al. (arXiv 2205.05198, section 4.2.3). A zero-bubble schedule
    of the kind ZB-H1 keeps as much as 1F1B (arXiv 2401.10241); DualPipe p + 1 everywhere
    (arXiv 2412.19437, table 2). Never more than a step has.
    """
    pipeline, virtual = layout.pipeline, layout.virtual
    ahead = x.where(virtual > 1, 2.0, 1.0)
    two_ended = duplex(x, layout)
    steady = (1.0 - two_ended) * ((virtual - 1.0) * pipeline + 1.0) / virtual + two_ended * (pipeline + 1.0)
    each = (1.0 - two_ended) * ahead / virtual
    most = x.maximum(layout.micro_batches, 1.0)
    behind = pipeline - 1.0
    return (
        x.minimum(steady + each * behind, most),
        x.minimum(steady + each * x.maximum(behind - 1.0, 0.0), most),
        x.minimum(steady, most),
    )


def stages(x: Space, shape: Shape, layout: Layout) -> tuple[Stage, Stage, Stage]:
    """The first, the second and the last stage; all the same without a pipeline.

    The first one keeps most activations and the input table, the last one the output table, logits
    and prediction layers. Where layers do not divide evenly, the last and then the first stage have
    one less, as with Llama 3 405B's 126 layers on 16 stages (arXiv 2407.21783, section 3.3.2). Few
    ordinary feed-forward layers stand before all others (DeepSeek-V3); many are spread evenly.
    """
    pipeline = layout.pipeline
    kept_first, kept_second, kept_last = held(x, layout)
    most = x.ceil(shape.layers / pipeline)
    short = most * pipeline - shape.layers
    first = most - x.maximum(0.0, x.minimum(short - 1.0, 1.0))
    last = most - x.minimum(short, 1.0)

    feeding = (shape.dense_layers + shape.moe_layers) / shape.layers
    spread = shape.dense_layers / shape.layers
    leads = shape.dense_layers * LEADING <= shape.layers
    first_dense = x.where(leads, x.minimum(shape.dense_layers, first / layout.virtual), first * spread)
    # Behind the leading ones, a stage has ordinary layers only as far as there are no others.
    most_dense = x.where(leads, x.maximum(0.0, most * feeding - shape.moe_layers), most * spread)
    last_dense = x.where(leads, x.maximum(0.0, last * feeding - shape.moe_layers), last * spread)

    alone = x.where(pipeline <= 1, 1.0, 0.0)
    tables = x.where(pipeline <= 1, shape.tables, 1.0)
    extra = layout.prediction * shape.prediction_layers
    routed = x.where(shape.moe_layers > 0, 1.0, 0.0)
    extra_dense = extra * (1.0 - routed)
    extra_moe = extra * routed
    return (
        Stage(
            first + alone * extra,
            first_dense + alone * extra_dense,
            first * feeding - first_dense + alone * extra_moe,
            tables,
            1.0,
            alone,
            kept_first,
        ),
        Stage(
            most,
            most_dense,
            most * feeding - most_dense,
            0.0,
            0.0,
            0.0,
            kept_second,
        ),
        Stage(
            last + extra,
            last_dense + extra_dense,
            last * feeding - last_dense + extra_moe,
            # Prediction layers embed tokens too: away from the first stage they keep a table of their own.
            tables + (1.0 - alone) * x.minimum(extra, 1.0),
            alone,
            1.0,
            kept_last,
        ),
    )


def either(x: Space, choice: Number, one: Stage, other: Stage) -> Stage:
    """The first where `choice` holds, else the other."""
    return Stage(
        x.where(choice, one.layers, other.layers),
        x.where(choice, one.dense, other.dense),
        x.where(choice, one.moe, other.moe),
        x.where(choice, one.tables, other.tables),
        x.where(choice, one.positions, other.positions),
        x.where(choice, one.output, other.output),
        x.where(choice, one.held, other.held),
    )
