"""The best layouts of a training step for a model on so many chips, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from stargate.base.errors import InputError, Problem
from stargate.performance.device import Device
from stargate.performance.estimate import DoesNotFit
from stargate.performance.models.shape import Shape
from stargate.performance.number import ARRAY, SCALAR
from stargate.performance.training.candidates import Choices, candidates, one_of, those
from stargate.performance.training.constants import Constants
from stargate.performance.training.layout import Layout
from stargate.performance.training.memory import Memory, memory, needed_bytes, refusal
from stargate.performance.training.step import Step, step

CUTS = ("tensor", "pipeline", "context", "expert", "shard_parameters")
"""Layouts that differ in these are different ways to cut a model."""
DOUBLINGS = 12
"""How often chips are doubled to find how many would do."""


class Found(msgspec.Struct, frozen=True):
    """A layout that fits, with its time and memory."""

    layout: Layout
    step: Step
    memory: Memory


class NoLayout(msgspec.Struct, frozen=True):
    """Nothing fits: the layout that needs least, and how many chips would do."""

    layout: Layout
    refusal: DoesNotFit
    fewest_chips: int
    """The least doubling of the chips on which some layout fits; 0 where doubling them does not help."""

    def __str__(self) -> str:
        enough = f"; {self.fewest_chips} chips would do" if self.fewest_chips else ""
        return f"the smallest layout on {self.layout.chips:g} chips {self.refusal}{enough}"


def best_layouts(
    shape: Shape,
    device: Device,
    chips: int,
    batch: int,
    sequence: int,
    constants: Constants,
    *,
    choices: Choices | None = None,
    others: Mapping[str, float] | None = None,
    limit: int = 5,
) -> tuple[Found, ...] | NoLayout:
    """The fastest layouts that fit, best first; all candidates are computed in one go.

    Of those that cut the model alike, and differ in micro-batches, parts or recomputing alone, only the best is
    given. Of equals, the one that needs less memory comes first. `batch`: sequences per step; `sequence`: tokens.
    Raises InputError where no layout is possible at all, whatever the memory.
    """
    assert limit >= 1, "at least one layout is asked for"
    layouts, count = candidates(shape, device, chips, batch, sequence, choices, others)
    if not count:
        raise InputError((_impossible(chips, batch),))
    needed = needed_bytes(ARRAY, shape, device, layouts)
    fits = needed <= device.memory_bytes
    if not fits.any():
        least = one_of(layouts, int(np.argmin(needed)))
        refused = refusal(memory(SCALAR, shape, device, least), device)
        assert refused is not None, "one configuration agrees with its column"
        return NoLayout(least, refused, _enough(shape, device, chips, batch, sequence, choices, others))
    fitting = those(layouts, fits)
    seconds = step(ARRAY, shape, device, fitting, constants).seconds
    order = np.lexsort((needed[fits], seconds))
    return tuple(
        found(shape, device, one_of(fitting, index), constants) for index in _unlike(fitting, order, limit)
    )


def found(shape: Shape, device: Device, layout: Layout, constants: Constants) -> Found:
    """One layout with its time and memory."""
    return Found(
        layout, step(SCALAR, shape, device, layout, constants), memory(SCALAR, shape, device, layout)
    )


def _unlike(layouts: Layout, order: NDArray[np.intp], limit: int) -> list[int]:
    """The first of each way to cut the model, in this order."""
    columns = [getattr(layouts, name) for name in CUTS]
    seen: set[tuple[float, ...]] = set()
    chosen: list[int] = []
    for index in order.tolist():
        cut = tuple(column[index] for column in columns)
        if cut not in seen:
            seen.add(cut)
            chosen.append(index)
            if len(chosen) == limit:
                break
    return chosen


def _enough(
    shape: Shape,
    device: Device,
    chips: int,
    batch: int,
    sequence: int,
    choices: Choices | None,
    others: Mapping[str, float] | None,
) -> int:
    for doubling in range(1, DOUBLINGS + 1):
        more = chips << doubling
        layouts, count = candidates(shape, device, more, batch, sequence, choices, others)
        if count and bool((needed_bytes(ARRAY, shape, device, layouts) <= device.memory_bytes).any()):
            return more
    return 0


def _impossible(chips: int, batch: int) -> Problem:
    return Problem(
        f"no layout divides {chips} chips and {batch} sequences a step",
        "Choose chips and a batch with common divisors, powers of two before all.",
        path="chips",
    )
