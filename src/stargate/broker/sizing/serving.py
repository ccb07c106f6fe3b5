"""A served model on replicas of so many chips: the layout that carries most, and how many carry the traffic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import msgspec
import numpy as np

from stargate.base.errors import InputError
from stargate.broker.sizing.asked import FIRST_TOKEN_SECONDS, Serve
from stargate.broker.sizing.estimator import NoLayout, ServiceAnswer, ServiceEstimate, TooSlow
from stargate.broker.sizing.running import lent_by
from stargate.performance.calibration import Lookup
from stargate.performance.device import Device
from stargate.performance.energy import Power, busy_w, utilisation
from stargate.performance.estimate import DoesNotFit, Term
from stargate.performance.inference.constants import (
    CELL,
    ENGINE_MEAN,
    ENGINES,
    PREFIX,
    SHARED,
    Constants,
)
from stargate.performance.inference.format import format_of
from stargate.performance.inference.iteration import Engine, Iteration
from stargate.performance.inference.layout import Layout as Cut
from stargate.performance.inference.layout import problems
from stargate.performance.inference.memory import (
    available_bytes,
    largest_batch,
    refusal,
    sequence_bytes,
    weight_bytes,
)
from stargate.performance.inference.steady import Load, steady
from stargate.performance.models.architecture import Architecture
from stargate.performance.models.shape import shape_of
from stargate.performance.number import ARRAY, SCALAR
from stargate.performance.replicas.serving import Curve, Objective, Replicas, Traffic, Unattainable, replicas
from stargate.workloads import Layout

ENGINE = "vllm"
"""Whose constants are taken: the one that runs on most chips."""
MOST_CONCURRENT = 1_024
"""Requests that one engine takes at once at most: what engines are set to (vLLM `max_num_seqs` 256 to 1,024)."""
STEPS = 1.15
"""Each point of a curve over the one before."""
BINDS = {
    "weights": "memory_bandwidth",
    "experts": "memory_bandwidth",
    "cache": "memory_bandwidth",
    "communication": "communication",
    "overhead": "overhead",
}
"""What a part of an iteration waits for, while decoding."""
_KILO = 1_000.0


@lru_cache(maxsize=4_096)
def replicas_on(work: Serve, device: Device, chips: int, lookup: Lookup) -> ServiceAnswer:
    """How many replicas of so many chips each carry the traffic, in the layout of which it takes fewest."""
    found = engine_on(work, device, chips, lookup)
    return _estimate(work, *found, lookup) if isinstance(found, tuple) else found


def engine_on(
    work: Serve, device: Device, chips: int, lookup: Lookup
) -> tuple[Engine, Replicas] | DoesNotFit | NoLayout | TooSlow:
    """The engine of so many chips of which fewest replicas carry the traffic, and how many."""
    shape, device = shape_of(work.model), computing(device)
    form = format_of(work.model, device.precision)
    constants = constants_of(lookup, device)
    context = float(work.input_tokens + work.output_tokens)
    engines = [
        Engine(shape, form, cut, device, constants)
        for cut in _cuts(work.model, work.layout, chips, int(device.domain_chips))
        if not problems(cut, shape)
    ]
    if not engines:
        return NoLayout(says=f"no layout cuts {work.model.name} over {chips} chips as it is asked for")
    refused = [refusal(SCALAR, shape, form, engine.layout, device, context) for engine in engines]
    fitting = [engine for engine, why in zip(engines, refused, strict=True) if why is None]
    if not fitting:
        return min((why for why in refused if why is not None), key=lambda why: why.missing_bytes)
    traffic = Traffic(requests_per_second=work.requests_per_s, output_tokens=float(work.output_tokens))
    curves = ((engine, _curve(engine, work)) for engine in fitting)
    engine, curve = max(curves, key=lambda one: _carried(one[1], work))
    try:
        found = replicas(traffic, _objective(work, curve), curve)
    except InputError as error:
        return NoLayout(says=error.problems[0].message)
    if isinstance(found, Unattainable):
        return _too_slow(work, found)
    return engine, found


def computing(device: Device) -> Device:
    """Four-bit weights on a chip without units for them are multiplied in 16 bits."""
    if device.precision != "nvfp4" or device.native:
        return device
    return msgspec.structs.replace(device, precision="int4", peak_flops_per_s=device.bf16_flops_per_s)


def constants_of(lookup: Lookup, device: Device) -> Constants:
    """What calibration knows of serving on a chip in a precision, by the mean of one engine's releases."""

    def shared(name: str, start: float) -> float:
        return lookup.value(("shared", f"{PREFIX}{name}"), start)

    known = {name: shared(name, span.start) for name, span in SHARED.items()}
    known |= {name: shared(f"{name} {ENGINE}", spans[ENGINE].start) for name, spans in ENGINES.items()}
    known |= {
        name: lookup.value(("cell", device.chip, device.precision, f"{PREFIX}{name}"), known[name])
        for name in CELL
    }
    return Constants(**known, release=lookup.value(("release", ENGINE), ENGINE_MEAN.start))


def _objective(work: Serve, curve: Curve) -> Objective:
    """The stated bounds. Of first tokens there is always one, and at least twice what an idle engine takes.

    Without it engines would be filled until queues have no end.
    """
    share, ttft = 0.95, max(FIRST_TOKEN_SECONDS, 2.0 * curve.ttft_seconds[0])
    if work.ttft is not None:
        share, ttft = work.ttft.percentile / 100.0, work.ttft.seconds
    tpot = None if work.tpot is None else work.tpot.seconds
    return Objective(ttft_seconds=ttft, tpot_seconds=tpot, share=share)


def _cuts(model: Architecture, wanted: Layout, chips: int, domain: int) -> Iterator[Cut]:
    """Ways to cut an engine: stages of one scale-up domain at most, attention cut or copied, experts cut or spread."""
    for pipeline in range(1, min(chips, model.layers) + 1):
        stage, rest = divmod(chips, pipeline)
        if rest or not _is_asked(wanted.pipeline_parallel, pipeline):
            continue
        if wanted.pipeline_parallel is None and pipeline != max(1, chips // domain):
            continue
        copies = {1} if model.experts is None else {1, stage, max(1, stage // 8)}
        for attention_data in sorted(copies | ({wanted.data_parallel} if wanted.data_parallel else set())):
            tensor, rest = divmod(stage, attention_data)
            if rest or not _is_asked(wanted.data_parallel, attention_data):
                continue
            if not _is_asked(wanted.tensor_parallel, tensor):
                continue
            for expert in {1, stage, wanted.expert_parallel or 1} if model.experts is not None else {1}:
                if stage % expert == 0 and _is_asked(wanted.expert_parallel, expert):
                    yield Cut(
                        tensor=tensor,
                        attention_data=attention_data,
                        pipeline=pipeline,
                        expert=expert,
                        expert_tensor=stage // expert if model.experts is not None else 1,
                    )


def _is_asked(wanted: int | None, degree: int) -> bool:
    return wanted is None or wanted == degree


def _curve(engine: Engine, work: Serve) -> Curve:
    """Latencies of an engine at 1 and more requests in flight, up to what its memory holds."""
    held = float(work.input_tokens + work.output_tokens)
    room = largest_batch(SCALAR, engine.shape, engine.form, engine.layout, engine.device, held)
    most = max(1, min(int(room), int(MOST_CONCURRENT * engine.layout.attention_data)))
    points = [1.0]
    while points[-1] < most:
        points.append(float(min(most, max(points[-1] + 1.0, math.floor(points[-1] * STEPS)))))
    column = np.array(points)
    load = Load(prompt=float(work.input_tokens), answer=float(work.output_tokens), concurrency=column)
    found = steady(ARRAY, engine, load)
    ttft, tpot = (np.broadcast_to(part, column.shape) for part in (found.first_seconds, found.token_seconds))
    return Curve(tuple(points), tuple(ttft.tolist()), tuple(tpot.tolist()))


def _carried(curve: Curve, work: Serve) -> float:
    """Requests a second within the bounds; below zero, and the more so the slower, where none are."""
    bounds = _objective(work, curve)
    rates = [
        at / (ttft + work.output_tokens * tpot)
        for at, ttft, tpot in zip(curve.concurrency, curve.ttft_seconds, curve.tpot_seconds, strict=True)
        if (bounds.ttft_seconds is None or ttft <= bounds.ttft_seconds)
        and (bounds.tpot_seconds is None or tpot <= bounds.tpot_seconds)
    ]
    return max(rates, default=-curve.ttft_seconds[0] - curve.tpot_seconds[0])


def _too_slow(work: Serve, found: Unattainable) -> TooSlow:
    """The bound that is missed by more."""
    missed = [
        TooSlow(what=name, seconds=best, bound_seconds=bound.seconds)
        for name, best, bound in (
            ("ttft", found.best_ttft_seconds, work.ttft),
            ("tpot", found.best_tpot_seconds, work.tpot),
        )
        if bound is not None
    ]
    return max(missed, key=lambda each: each.seconds / each.bound_seconds)


def _estimate(work: Serve, engine: Engine, found: Replicas, lookup: Lookup) -> ServiceEstimate:
    cut, device = engine.layout, engine.device
    cell = (device.chip, device.precision)
    decode = decoding_at(work, engine, found)
    return ServiceEstimate(
        replicas=found.serving,
        ttft_seconds=lookup.range("ttft", *cell, found.ttft_seconds),
        tpot_seconds=lookup.range("tpot", *cell, found.tpot_seconds),
        energy_kwh_per_hour=_watts(device, decode) * cut.chips * found.serving / _KILO,
        memory_bytes=sum(held_bytes(work, engine, found).values()),
        memory_available_bytes=available_bytes(device),
        binds=max(BINDS, key=lambda name: float(getattr(decode, name))),
        layout=written(engine),
        lent_by=lent_by(lookup, device, f"{PREFIX}bandwidth"),
    )


def written(engine: Engine) -> Layout:
    """How the engine is cut, in the words of workload files."""
    cut = engine.layout
    return Layout(
        tensor_parallel=int(cut.tensor),
        pipeline_parallel=int(cut.pipeline),
        expert_parallel=int(cut.expert) if engine.shape.experts else None,
        data_parallel=int(cut.attention_data),
    )


def held_bytes(work: Serve, engine: Engine, found: Replicas) -> dict[str, float]:
    """What a chip holds, by part, when a replica has all the requests it takes."""
    context = float(work.input_tokens + work.output_tokens)
    each = sequence_bytes(SCALAR, engine.shape, engine.form, engine.layout, context)
    return {
        "weights": float(weight_bytes(engine.shape, engine.form, engine.layout)),
        "cache": float(each * found.concurrency / engine.layout.attention_data),
    }


def terms(decode: Iteration) -> tuple[Term, ...]:
    """The parts of an iteration, and what each waits for."""
    return tuple(Term(name, float(getattr(decode, name)), binds) for name, binds in BINDS.items())


def decoding_at(work: Serve, engine: Engine, found: Replicas) -> Iteration:
    """An iteration at the load that each replica has on average."""
    load = Load(
        prompt=float(work.input_tokens),
        answer=float(work.output_tokens),
        concurrency=max(1.0, found.mean_concurrency),
    )
    return steady(SCALAR, engine, load).decode


def _watts(device: Device, decode: Iteration) -> float:
    """At the meter, per chip; 0 where the chip's power is not known."""
    if not device.power_w:
        return 0.0
    return busy_w(Power(rated_w=device.power_w, busy_share=utilisation(terms(decode)))).point
