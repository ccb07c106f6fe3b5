"""What stated work would take on each chip or pool: the table that people read before they submit."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from stargate.base.time import SECOND, Duration, Instant
from stargate.broker.sizing.asked import Serve, Train, asked
from stargate.broker.sizing.choose import Replicas, Run, cheapest_in_time, fastest, fewest_chips
from stargate.broker.sizing.estimator import Estimator
from stargate.broker.sizing.hardware import Hardware
from stargate.broker.sizing.made import seconds_left
from stargate.broker.sizing.size import stated_gang
from stargate.broker.sizing.tried import Tried, tried
from stargate.performance.combine import product
from stargate.performance.estimate import Range
from stargate.workloads import Layout, Resources, Workload


class Candidate(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One chip or pool. Of ranges 10 % of measurements lay below `low` and 10 % above `high`."""

    chip: str
    pool: str = ""
    """Empty: of no pool in particular."""
    nodes: int = 0
    chips: int = 0
    """Of the gang; of one replica."""
    replicas: int = 1
    duration: Duration | None = None
    """Of the whole run; None: a service, or a refusal."""
    shortest: Duration | None = None
    longest: Duration | None = None
    ttft_seconds: Range | None = None
    tpot_seconds: Range | None = None
    price_micro_usd_per_chip_hour: int | None = None
    """None: not known."""
    cost_micro_usd: int | None = None
    """Of the whole run; of an hour, for a service. At the price above, paid already or not."""
    low_cost_micro_usd: int | None = None
    high_cost_micro_usd: int | None = None
    energy_kwh: int = 0
    """Likewise; 0: the chip's power is not known."""
    memory_bytes: int = 0
    """Needed per chip."""
    memory_available_bytes: int = 0
    binds: str = ""
    layout: Layout | None = None
    lent_by: str = ""
    """The chip whose constants stand in; empty: there are measurements of this one."""
    late: bool = False
    """It is done after the time that is left."""
    refusal: str = ""
    """Why it will not do at all."""


class Comparison(msgspec.Struct, frozen=True):
    """The whole answer."""

    workload: str
    model: str
    assumed: tuple[str, ...]
    """What was not stated, and taken to be so."""
    within: Duration | None
    """In what time a run is to be done; None: a service, or no bound is set."""
    candidates: tuple[Candidate, ...]
    """In time first, then by cost, then by time; what will not do comes last."""


def compare(
    work: Workload,
    machines: Iterable[tuple[Resources, Hardware]],
    estimator: Estimator,
    at: Instant,
    longest: Duration,
) -> Comparison:
    """Each of these machines under the alternative it was found for. Raises UserError where the model is not known."""
    question = asked(work)
    seconds = seconds_left(work, at, longest)
    found = [
        _candidate(question, tried(question, one, estimator, seconds, stated_gang(work, wanted)), seconds)
        for wanted, one in machines
    ]
    return Comparison(
        workload=work.name,
        model=question.model.name,
        assumed=question.assumed,
        within=_duration(seconds) if isinstance(question, Train) and seconds < math.inf else None,
        candidates=tuple(sorted(found, key=_order)),
    )


def _order(one: Candidate) -> tuple[bool, bool, bool, int, int, str, str]:
    cost = one.cost_micro_usd
    return (bool(one.refusal), one.late, cost is None, cost or 0, one.duration or 0, one.chip, one.pool)


def _candidate(question: Train | Serve, one: Tried, seconds: float) -> Candidate:
    hardware = one.hardware
    pool = hardware.pools[0] if hardware.pools else ""
    if isinstance(question, Train):
        run = cheapest_in_time(one.runs, seconds) or fastest(one.runs)
        if run is not None:
            return _of_run(hardware, pool, run, seconds)
    else:
        chosen = fewest_chips(one.services)
        if chosen is not None:
            return _of_service(hardware, pool, chosen)
    return Candidate(chip=hardware.chip.id, pool=pool, refusal=one.refusal)


def _of_run(hardware: Hardware, pool: str, run: Run, seconds: float) -> Candidate:
    estimate = run.estimate
    hours = estimate.seconds.scaled(run.gang.chips / 3_600)
    point, low, high = _cost(hardware, hours)
    return Candidate(
        chip=hardware.chip.id,
        pool=pool,
        nodes=run.gang.nodes,
        chips=run.gang.chips,
        duration=_duration(estimate.seconds.point),
        shortest=_duration(estimate.seconds.low),
        longest=_duration(estimate.seconds.high),
        price_micro_usd_per_chip_hour=hardware.price_micro_usd_per_chip_hour,
        cost_micro_usd=point,
        low_cost_micro_usd=low,
        high_cost_micro_usd=high,
        energy_kwh=math.ceil(estimate.energy_kwh),
        memory_bytes=math.ceil(estimate.memory_bytes),
        memory_available_bytes=math.floor(estimate.memory_available_bytes),
        binds=estimate.binds,
        layout=estimate.layout,
        lent_by=estimate.lent_by,
        late=estimate.seconds.point > seconds,
    )


def _of_service(hardware: Hardware, pool: str, chosen: Replicas) -> Candidate:
    estimate = chosen.estimate
    chips = float(chosen.chips)
    point, low, high = _cost(hardware, Range(chips, chips, chips))
    return Candidate(
        chip=hardware.chip.id,
        pool=pool,
        nodes=chosen.gang.nodes,
        chips=chosen.gang.chips,
        replicas=estimate.replicas,
        ttft_seconds=estimate.ttft_seconds,
        tpot_seconds=estimate.tpot_seconds,
        price_micro_usd_per_chip_hour=hardware.price_micro_usd_per_chip_hour,
        cost_micro_usd=point,
        low_cost_micro_usd=low,
        high_cost_micro_usd=high,
        energy_kwh=math.ceil(estimate.energy_kwh_per_hour),
        memory_bytes=math.ceil(estimate.memory_bytes),
        memory_available_bytes=math.floor(estimate.memory_available_bytes),
        binds=estimate.binds,
        layout=estimate.layout,
        lent_by=estimate.lent_by,
    )


def _cost(hardware: Hardware, chip_hours: Range) -> tuple[int | None, int | None, int | None]:
    """Micro-USD: the point, and the range in which time and price together lie."""
    price = hardware.price_micro_usd_per_chip_hour
    if price is None:
        return None, None, None
    if not price:
        return 0, 0, 0
    low, high = hardware.price_range_micro_usd or (price, price)
    cost = product(chip_hours, Range(float(price), float(min(low, price)), float(max(high, price))))
    return math.ceil(cost.point), math.ceil(cost.low), math.ceil(cost.high)


def _duration(seconds: float) -> Duration:
    return Duration(math.ceil(max(0.0, seconds)) * SECOND)
