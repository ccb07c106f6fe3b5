"""Sizes in the making: each with the machines it was made for and what it is compared by."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from stargate.base.errors import UserError
from stargate.base.money import MICRO_PER_USD
from stargate.base.time import SECOND, Duration, Instant
from stargate.broker.sizing.choose import Replicas, Run, cheapest_in_time
from stargate.broker.sizing.hardware import Hardware
from stargate.broker.sizing.tried import Tried
from stargate.workloads import Resources, Size, Workload

PRESSURES = (1, 2, 4)
"""A run with a deadline gets a size for all of its time, for half and for a quarter: it may have to wait."""
HARDLY = 1.02
"""Times that differ by less are not told apart."""
LONGEST_SECONDS = 3_660 * 86_400
"""Ten years: no run time is longer."""


class Made(NamedTuple):
    """One size."""

    alternative: int
    """Its place among those that people wrote."""
    hardware: Hardware | None
    """None: nothing is known of the machines."""
    cost_usd: float
    """Of the whole run, or of an hour, as far as prices are known; only for comparing."""
    use: float
    """Chip-seconds of a run, chips of a service: what is compared where prices say nothing."""
    size: Size


def seconds_left(work: Workload, at: Instant, longest: Duration) -> float:
    """In what time a run must be done: until its deadline and within its limit, else within what policy allows.

    Where people counted all chips themselves, and gave no time, there is no bound. Raises UserError where no time
    is left.
    """
    bounds = [] if work.time_limit is None else [work.time_limit / SECOND]
    if work.deadline is not None:
        if work.deadline <= at:
            raise UserError(f"the deadline of {work.name} has passed", "set one that is still to come")
        bounds.append((work.deadline - at) / SECOND)
    counted = all(each.chips_per_node for each in work.alternatives)
    return min(bounds, default=math.inf if counted else longest / SECOND)


def of_runs(work: Workload, number: int, wanted: Resources, one: Tried, seconds: float) -> list[Made]:
    """The gang that is cheapest in time, and those for less time; of stated chips the one gang there is."""
    if wanted.chips_per_node:
        return [_run(number, wanted, one.hardware, run) for run in one.runs]
    pressures = PRESSURES if work.deadline is not None else PRESSURES[:1]
    chosen = (cheapest_in_time(one.runs, seconds / pressure) for pressure in pressures)
    gangs = dict.fromkeys(run.gang for run in chosen if run is not None)
    by_gang = {run.gang: run for run in one.runs}
    return [_run(number, wanted, one.hardware, by_gang[gang]) for gang in gangs]


def of_service(number: int, wanted: Resources, hardware: Hardware, chosen: Replicas) -> Made:
    """Replicas of one gang each."""
    estimate = chosen.estimate
    size = Size(
        resources=_counted(wanted, hardware, chosen.gang.chips_per_node),
        nodes=chosen.gang.nodes,
        replicas=estimate.replicas,
        fabrics=hardware.fabrics,
        energy_kwh=math.ceil(estimate.energy_kwh_per_hour),
        memory_bytes=math.ceil(estimate.memory_bytes),
        binds=estimate.binds,
        layout=estimate.layout,
    )
    return Made(number, hardware, chosen.chips * hardware.marginal / MICRO_PER_USD, float(chosen.chips), size)


def settled(found: Iterable[Made], *, ordered: bool) -> tuple[Size, ...]:
    """In the order that placement sees: cheapest first, and first by alternative where their order is a preference.

    Sizes name networks only where a chip has several that make a difference. Of these the slowest names none:
    where no other holds, it is on the safe side.
    """
    listed = sorted(found, key=lambda made: (made.alternative if ordered else 0, made.cost_usd, made.use))
    slowest: dict[tuple[int, str], Made] = {}
    for made in listed:
        known = slowest.get(_kind(made))
        if known is None or made.use > known.use:
            slowest[_kind(made)] = made
    safe = [
        msgspec.structs.replace(made.size, fabrics=())
        for made in listed
        if slowest[_kind(made)].hardware == made.hardware
    ]
    sizes: list[Size] = []
    for made in listed:
        everywhere = msgspec.structs.replace(made.size, fabrics=())
        if slowest[_kind(made)].hardware == made.hardware:
            sizes += [] if everywhere in sizes else [everywhere]
        elif not any(_as_good(one, made.size) for one in safe):
            sizes.append(made.size)
    return tuple(sizes)


def _kind(made: Made) -> tuple[int, str]:
    return made.alternative, made.size.resources.chip or ""


def _as_good(safe: Size, size: Size) -> bool:
    """Whether a size that holds everywhere is the same gang, and hardly slower."""
    alike = (safe.resources, safe.nodes) == (size.resources, size.nodes) and safe.replicas <= size.replicas
    return alike and safe.duration <= HARDLY * size.duration


def _run(number: int, wanted: Resources, hardware: Hardware, run: Run) -> Made:
    estimate, gang = run.estimate, run.gang
    size = Size(
        resources=_counted(wanted, hardware, gang.chips_per_node),
        nodes=gang.nodes,
        fabrics=hardware.fabrics,
        duration=_duration(estimate.seconds.point),
        shortest=_duration(estimate.seconds.low),
        longest=_duration(estimate.seconds.high),
        energy_kwh=math.ceil(estimate.energy_kwh),
        memory_bytes=math.ceil(estimate.memory_bytes),
        binds=estimate.binds,
        layout=estimate.layout,
    )
    cost_usd = run.chip_seconds / 3_600 * hardware.marginal / MICRO_PER_USD
    return Made(number, hardware, cost_usd, run.chip_seconds, size)


def _counted(wanted: Resources, hardware: Hardware, chips_per_node: int) -> Resources:
    """The alternative with the chip that it comes to, and how many of them."""
    return msgspec.structs.replace(
        wanted, chip=wanted.chip or hardware.chip.id, chips_per_node=chips_per_node
    )


def _duration(seconds: float) -> Duration:
    """Whole seconds, rounded up: what enters a fact is exact."""
    return Duration(math.ceil(min(seconds, LONGEST_SECONDS)) * SECOND)
