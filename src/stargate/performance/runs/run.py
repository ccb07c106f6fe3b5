"""A whole run: how long it takes, how many chip-hours, what it costs, and what it draws.

Money here is an estimate in floats with a range. What is owed is computed elsewhere, in exact decimals.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import msgspec

from stargate.base.errors import InputError, Problem
from stargate.performance.combine import exactly, product
from stargate.performance.energy import Power, busy_w, idle_w
from stargate.performance.estimate import Range
from stargate.performance.number import SCALAR, Number
from stargate.performance.runs.goodput import SECONDS_PER_HOUR, Conditions, Goodput, goodput

LEAST_GOODPUT = 1e-6
_WATTS_PER_MW = 1e6
_KWH_PER_MWH = 1_000.0
_KG_PER_TONNE = 1_000.0


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of a run, or columns of them for many."""

    wall_seconds: Number
    chip_hours: Number
    """Of the chips that compute, over the wall time: what is published as GPU hours."""
    paid_chip_hours: Number
    """With the spares."""
    waiting_chip_hours: Number
    """In which chips draw little: restarts, outages and shortages, and spares all along."""


def totals(
    tokens: Number, chips: Number, tokens_per_second_per_chip: Number, parts: Goodput, spare_chips: Number = 0
) -> Totals:
    """What `tokens` take at a step's throughput and a run's goodput.

    Wall time = tokens / (chips x throughput x goodput).
    """
    wall = tokens / (chips * tokens_per_second_per_chip * parts.fraction)
    hours = wall / SECONDS_PER_HOUR
    waiting = parts.restart + parts.shortage + parts.provider_loss
    return Totals(
        wall_seconds=wall,
        chip_hours=hours * chips,
        paid_chip_hours=hours * (chips + spare_chips),
        waiting_chip_hours=hours * (chips * waiting + spare_chips),
    )


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What chips cost. Exact as they are handed in; the estimate made of them is not."""

    usd_per_chip_hour: Decimal
    low_usd_per_chip_hour: Decimal | None = None
    """Where the price is not settled: 10 % of offers lie below. None: as the price."""
    high_usd_per_chip_hour: Decimal | None = None
    usd_per_move: Decimal = Decimal(0)
    """What it costs to bring the run to another provider once: egress of its checkpoint, mostly."""

    @property
    def range(self) -> Range:
        """The price of a chip-hour with its bounds, in USD."""
        point = float(self.usd_per_chip_hour)
        low, high = self.low_usd_per_chip_hour, self.high_usd_per_chip_hour
        return Range(point, point if low is None else float(low), point if high is None else float(high))


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The estimate of a whole run. Ranges span 10 % to 90 %; where nothing was handed in, there is None."""

    wall_seconds: Range
    chip_hours: Range
    paid_chip_hours: Range
    goodput: Goodput
    """Where the wall time goes, at the points."""
    goodput_fraction: Range
    """Over the range of interruption rates."""
    interruptions: float
    """To expect over the run."""
    moves: float
    """To another provider, to expect over the run."""
    cost_usd: Range | None
    energy_mwh: Range | None
    """At the meter of the hall, so far as `Power.pue` says."""
    emissions_tonnes: Range | None
    """CO2 equivalent of the energy alone, nothing for what is built."""


def whole_run(
    *,
    tokens: float,
    tokens_per_second_per_chip: Range,
    conditions: Conditions,
    interruptions_per_chip_hour: Range | None = None,
    spare_chips: int = 0,
    prices: Prices | None = None,
    power: Power | None = None,
    grid_kg_per_kwh: float | None = None,
) -> Run:
    """The estimate of a run of `tokens` under `conditions`.

    `interruptions_per_chip_hour` takes the place of the rate in `conditions` and carries its range into the
    goodput. Throughput, goodput, price and power are independent factors: their ranges combine as
    `combine.product` says. `grid_kg_per_kwh` is the grid's CO2 equivalent; emissions need `power` too.
    Raises InputError where goodput is below `LEAST_GOODPUT`: such a run never ends.
    """
    rates = interruptions_per_chip_hour or exactly(conditions.interruptions_per_chip_hour)
    parts, worst, best = (_at_rate(conditions, rate) for rate in (rates.point, rates.high, rates.low))
    fraction = Range(parts.fraction, worst.fraction, best.fraction)
    if fraction.low < LEAST_GOODPUT:
        raise InputError(
            (
                Problem(
                    f"{conditions.chips:g} chips are interrupted so often that the run makes no progress",
                    "Take fewer chips, write checkpoints more often, or restart sooner.",
                    path="conditions",
                ),
            )
        )
    point = totals(tokens, conditions.chips, tokens_per_second_per_chip.point, parts, spare_chips)
    # Relative: what is in the product besides time is known.
    spread = product(
        tokens_per_second_per_chip.inverse(tokens_per_second_per_chip.point), fraction.inverse(fraction.point)
    )
    hours = point.wall_seconds / SECONDS_PER_HOUR
    moves = parts.provider_losses_per_hour * hours * conditions.moves
    energy = None if power is None else _energy_mwh(power, point, spread)
    return Run(
        wall_seconds=spread.scaled(point.wall_seconds),
        chip_hours=spread.scaled(point.chip_hours),
        paid_chip_hours=spread.scaled(point.paid_chip_hours),
        goodput=parts,
        goodput_fraction=fraction,
        interruptions=parts.interruptions_per_hour * hours,
        moves=moves,
        cost_usd=None if prices is None else _cost_usd(prices, point, moves, spread),
        energy_mwh=energy,
        emissions_tonnes=None
        if energy is None or grid_kg_per_kwh is None
        else energy.scaled(grid_kg_per_kwh * _KWH_PER_MWH / _KG_PER_TONNE),
    )


@lru_cache(maxsize=4_096)
def _at_rate(conditions: Conditions, rate: float) -> Goodput:
    """Searches ask for the same chips at the same three rates again and again."""
    return goodput(SCALAR, msgspec.structs.replace(conditions, interruptions_per_chip_hour=rate))


def _cost_usd(prices: Prices, point: Totals, moves: float, spread: Range) -> Range:
    chips = (
        product(spread, prices.range).scaled(point.paid_chip_hours)
        if prices.usd_per_chip_hour
        else exactly(0.0)
    )
    moving = spread.scaled(moves * float(prices.usd_per_move))
    return Range(chips.point + moving.point, chips.low + moving.low, chips.high + moving.high)


def _energy_mwh(power: Power, point: Totals, spread: Range) -> Range:
    """Busy and waiting chips have their hosts and their hall in common: their bounds add as the points do."""
    waiting = point.waiting_chip_hours
    busy = busy_w(power).scaled((point.paid_chip_hours - waiting) / _WATTS_PER_MW)
    idle = idle_w(power).scaled(waiting / _WATTS_PER_MW)
    drawn = Range(busy.point + idle.point, busy.low + idle.low, busy.high + idle.high)
    return product(spread, drawn)
