"""How many chips a run needs to end in time."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from stargate.base.errors import InputError
from stargate.performance.device import Device
from stargate.performance.shape import Shape
from stargate.performance.training.candidates import Choices
from stargate.performance.training.constants import Constants
from stargate.performance.training.search import Found, NoLayout, best_layouts

MOST_CHIPS = 1 << 20
"""Where a search for more chips ends."""


class Sized(msgspec.Struct, frozen=True):
    """The chips by which a run ends in time, or those on which it ends soonest."""

    chips: int
    best: Found
    seconds: float
    """Of the whole run, lost time included."""
    in_time: bool


def chips_for(
    shape: Shape,
    device: Device,
    tokens: float,
    deadline_seconds: float,
    batch: int,
    sequence: int,
    constants: Constants,
    *,
    node_chips: int,
    goodput: float = 1.0,
    most_chips: int = MOST_CHIPS,
    choices: Choices | None = None,
    others: Mapping[str, float] | None = None,
) -> Sized | NoLayout:
    """The fewest chips, a node or twice as many and so on, on which `tokens` are trained by the deadline.

    `goodput`: the share of time that is progress. Where no number of chips is enough, the one that is
    fastest; where none has the memory, why. More chips than sequences in a step are used by cutting the model finer.
    """
    assert node_chips >= 1, "a node has a chip"
    assert 0 < goodput <= 1, "goodput is a share of time"
    steps = math.ceil(tokens / (batch * sequence))
    soonest: Sized | None = None
    refused: NoLayout | None = None
    chips = node_chips
    while chips <= most_chips:
        try:
            answer = best_layouts(
                shape, device, chips, batch, sequence, constants, choices=choices, others=others, limit=1
            )
        except InputError:
            # So many chips divide neither the model nor the batch any more, and twice as many will not.
            if soonest is None:
                raise
            break
        if isinstance(answer, NoLayout):
            refused = answer
            if answer.fewest_chips > chips:
                chips = answer.fewest_chips
                continue
            break
        seconds = steps * answer[0].step.seconds / goodput
        sized = Sized(chips, answer[0], seconds, seconds <= deadline_seconds)
        if sized.in_time:
            return sized
        if soonest is None or seconds < soonest.seconds:
            soonest = sized
        elif seconds > 2 * soonest.seconds:
            break
        chips *= 2
    if soonest is not None:
        return soonest
    assert refused is not None, "at least a node was tried"
    return refused
