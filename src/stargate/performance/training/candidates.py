"""All layouts worth a look for a model on so many chips, as one record of columns."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from stargate.performance.device import Device
from stargate.performance.models.shape import Shape
from stargate.performance.number import Column
from stargate.performance.training.layout import RECOMPUTE, SHARDING, Layout, Recompute, Sharding

MOST_TENSOR = 16
"""Chips that cut one matrix at most: products get too small beyond, whatever the fabric."""
MOST_EXPERT = 64
"""Chips that experts are cut over at most where the scale-up domain is smaller: the reach of DeepSeek-V3's."""
LEAST_TOKENS = 1_024
"""Of a sequence on each chip of a context group."""
MOST_CONTEXT = 64
MICRO_BATCHES = (1, 2, 4, 8, 16)
PARTS = (1, 2, 3, 4, 5, 6, 8)
"""Of the model on each stage."""
RECOMPUTES: tuple[Recompute, ...] = ("attention", "selective", "full")
"""`attention` costs nothing: kernels that never store scores are taken for granted."""
SHARDINGS: tuple[Sharding, ...] = ("zero1", "fsdp")

AXES = ("tensor", "pipeline", "context", "expert", "micro_batch", "virtual")
"""What a search varies, besides recomputing and sharding, and what may be fixed."""


class Choices(msgspec.Struct, frozen=True):
    """What a search may choose from. Empty: whatever is sensible."""

    tensor: tuple[int, ...] = ()
    pipeline: tuple[int, ...] = ()
    context: tuple[int, ...] = ()
    expert: tuple[int, ...] = ()
    micro_batch: tuple[int, ...] = ()
    virtual: tuple[int, ...] = ()
    recompute: tuple[Recompute, ...] = RECOMPUTES
    sharding: tuple[Sharding, ...] = SHARDINGS


def candidates(
    shape: Shape,
    device: Device,
    chips: int,
    batch: int,
    sequence: int,
    choices: Choices | None = None,
    others: Mapping[str, float] | None = None,
) -> tuple[Layout, int]:
    """Layouts that are possible, and how many: one record whose varying fields are columns of that length.

    A layout is possible where degrees divide what they cut (heads, chips, sequence, experts, batch), no stage or
    part is without a layer, parameters are sharded only without a pipeline, and interleaving has whole rounds
    of micro-batches. Tensor groups stay within a scale-up domain. `others`: further fields of `Layout`,
    as `prediction`, the same for all.
    """
    choices = choices or Choices()
    axes = _axes(shape, device, chips, sequence, choices)
    ways = [dict(RECOMPUTE[name]) for name in choices.recompute]
    shardings = [dict(SHARDING[name]) for name in choices.sharding]

    cuts = _possible_cuts(shape, chips, batch, axes)
    cuts = _crossed(cuts, tuple(range(len(ways))), tuple(range(len(shardings))))
    whole = np.array([bool(flags.get("shard_parameters")) for flags in shardings])
    cuts = _kept(cuts, (cuts[1] == 1) | ~whole[cuts[-1]])
    *cut, way, sharding = cuts
    data = chips // (cut[0] * cut[1] * cut[2])

    columns: dict[str, Column] = {
        name: column.astype(np.float64) for name, column in zip((*AXES, "data"), (*cut, data), strict=True)
    }
    columns["shard_parameters"] = np.zeros(len(way))
    for flags, chosen in ((ways, way), (shardings, sharding)):
        for name in sorted({name for each in flags for name in each}):
            columns[name] = np.array([each.get(name, 0.0) for each in flags])[chosen]
    columns["sequence_parallel"] = (columns["tensor"] > 1).astype(np.float64)
    fixed: dict[str, float] = {"slices": _slices(device, chips)} | dict(others or {})
    return Layout(sequence=float(sequence), batch=float(batch), **columns, **fixed), len(way)


def one_of(layouts: Layout, index: int) -> Layout:
    """One configuration of a record of columns."""
    values = {name: getattr(layouts, name) for name in layouts.__struct_fields__}
    return Layout(
        **{
            name: float(value[index]) if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        }
    )


def those(layouts: Layout, kept: NDArray[np.bool_]) -> Layout:
    """Some configurations of a record of columns."""
    values = {name: getattr(layouts, name) for name in layouts.__struct_fields__}
    return Layout(
        **{name: value[kept] if isinstance(value, np.ndarray) else value for name, value in values.items()}
    )


def _axes(
    shape: Shape, device: Device, chips: int, sequence: int, choices: Choices
) -> dict[str, tuple[int, ...]]:
    domain = max(1, int(device.domain_chips))
    experts = int(shape.experts)
    tensor = [degree for degree in _doubling(min(MOST_TENSOR, domain, chips)) if shape.heads % degree == 0]
    pipeline = [degree for degree in range(1, min(int(shape.layers), chips) + 1) if chips % degree == 0]
    longest = min(MOST_CONTEXT, max(1, sequence // LEAST_TOKENS), chips)
    context = [degree for degree in _doubling(longest) if sequence % degree == 0]
    reach = min(experts, max(MOST_EXPERT, domain), chips) if experts else 1
    expert = [degree for degree in _doubling(reach) if not experts or experts % degree == 0]
    sensible = (tensor, pipeline, context, expert, MICRO_BATCHES, PARTS)
    return {name: getattr(choices, name) or tuple(usual) for name, usual in zip(AXES, sensible, strict=True)}


def _doubling(most: int) -> list[int]:
    return [1 << power for power in range(max(1, most).bit_length())]


def _possible_cuts(
    shape: Shape, chips: int, batch: int, axes: Mapping[str, tuple[int, ...]]
) -> list[NDArray[np.int64]]:
    """The columns of `AXES`, in its order.

    Axis by axis, and what no further one can mend is left out at once: all combinations together would be a
    hundred times as many as are possible.
    """
    cuts = _crossed([], axes["tensor"], axes["pipeline"], axes["context"])
    cuts = _kept(cuts, chips % (cuts[0] * cuts[1] * cuts[2]) == 0)
    cuts = _crossed(cuts, axes["expert"])
    cuts = _kept(cuts, (chips // cuts[1]) % cuts[3] == 0)
    cuts = _crossed(cuts, axes["micro_batch"])
    cuts = _kept(cuts, batch % (chips // (cuts[0] * cuts[1] * cuts[2]) * cuts[4]) == 0)
    tensor, pipeline, context, _, micro, parts = cuts = _crossed(cuts, axes["virtual"])
    steps = batch // (chips // (tensor * pipeline * context) * micro)
    possible = (pipeline * parts <= shape.layers) & ((pipeline > 1) | (parts == 1))
    return _kept(cuts, possible & ((parts == 1) | (steps % pipeline == 0)))


def _crossed(columns: list[NDArray[np.int64]], *axes: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """Every row of these columns with every value of the axes, which become the last columns; the last varies first."""
    for axis in axes:
        rows = len(columns[0]) if columns else 1
        values = np.array(axis, dtype=np.int64)
        columns = [*(np.repeat(column, len(values)) for column in columns), np.tile(values, rows)]
    return columns


def _kept(columns: list[NDArray[np.int64]], possible: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    return [column[possible] for column in columns]


def _slices(device: Device, chips: int) -> float:
    """TPU pods are joined by the data-centre network; other chips' domains by their own scale-out fabric."""
    if device.vendor != "Google":
        return 1.0
    return float(max(1, -(-chips // max(1, int(device.domain_chips)))))
