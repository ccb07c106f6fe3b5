"""One estimate in detail: the terms of its time, the parts of its memory, and the constants it rests on."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from stargate.broker.sizing import serving
from stargate.broker.sizing.asked import Serve, Train
from stargate.broker.sizing.estimator import NoLayout, TooSlow
from stargate.broker.sizing.running import best_on, constants_of, group_of, lent_by, terms, written
from stargate.broker.sizing.serving import decoding_at, engine_on
from stargate.performance.calibration import Grade, Lookup
from stargate.performance.device import Device
from stargate.performance.estimate import DoesNotFit, Range, Term
from stargate.performance.inference.constants import CELL as SERVING_CELL
from stargate.performance.inference.constants import PREFIX
from stargate.performance.models.shape import shape_of
from stargate.performance.number import SCALAR
from stargate.performance.training.constants import CELL
from stargate.performance.training.mfu import flops_per_token
from stargate.performance.training.search import Found
from stargate.workloads import Layout


class Constant(msgspec.Struct, frozen=True, omit_defaults=True):
    """A calibrated constant of the chip in its precision."""

    name: str
    value: float
    lent_by: str = ""
    """The chip and precision that it was fitted on, where this one was not measured."""


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """One training step, or one iteration of serving at its average load."""

    of: str
    """`step` or `iteration`."""
    model: str
    chip: str
    precision: str
    chips: int
    """Of the run; of one replica."""
    layout: Layout
    seconds: Range
    terms: tuple[Term, ...]
    memory_bytes: dict[str, float]
    """Per chip, by part, of the chip that needs most."""
    memory_available_bytes: float
    rates: dict[str, float]
    """What follows from it: tokens per second per chip, utilisation, requests in flight."""
    grade: Grade
    constants: tuple[Constant, ...]


def detail(
    work: Train | Serve, device: Device, chips: int, lookup: Lookup
) -> Detail | DoesNotFit | NoLayout | TooSlow:
    """The best layout on so many chips, taken apart; or why there is none."""
    return (
        _step(work, device, chips, lookup)
        if isinstance(work, Train)
        else _iteration(work, device, chips, lookup)
    )


def _step(work: Train, device: Device, chips: int, lookup: Lookup) -> Detail | DoesNotFit | NoLayout:
    shape = shape_of(work.model)
    found = best_on(shape, device, chips, work, constants_of(lookup, device))
    if not isinstance(found, Found):
        return found if isinstance(found, NoLayout) else found.refusal
    step, memory = found.step, found.memory
    group = group_of(shape, device, found.layout)
    rate = step.tokens_per_second_per_chip
    peak = device.bf16_flops_per_s
    return Detail(
        of="step",
        model=work.model.name,
        chip=device.chip,
        precision=device.precision,
        chips=chips,
        layout=written(found.layout),
        seconds=lookup.range(group, device.chip, device.precision, rate).inverse(step.seconds * rate),
        terms=tuple(term for term in terms(step) if term.seconds > 0),
        memory_bytes={
            name.removesuffix("_bytes"): float(getattr(memory, name)) for name in memory.__struct_fields__
        },
        memory_available_bytes=device.memory_bytes,
        rates={
            "tokens_per_second_per_chip": rate,
            "mfu_causal_of_bf16_peak": rate * flops_per_token(SCALAR, shape, work.sequence, "causal") / peak,
            "mfu_full_of_bf16_peak": rate * flops_per_token(SCALAR, shape, work.sequence, "full") / peak,
        },
        grade=lookup.grade(device.chip, device.precision),
        constants=_constants(lookup, device, CELL, ""),
    )


def _iteration(
    work: Serve, device: Device, chips: int, lookup: Lookup
) -> Detail | DoesNotFit | NoLayout | TooSlow:
    found = engine_on(work, device, chips, lookup)
    if not isinstance(found, tuple):
        return found
    engine, replicas = found
    device = engine.device
    decode = decoding_at(work, engine, replicas)
    return Detail(
        of="iteration",
        model=work.model.name,
        chip=device.chip,
        precision=device.precision,
        chips=chips,
        layout=serving.written(engine),
        seconds=lookup.range("tpot", device.chip, device.precision, float(decode.seconds)),
        terms=serving.terms(decode),
        memory_bytes=serving.held_bytes(work, engine, replicas),
        memory_available_bytes=device.memory_bytes,
        rates={
            "requests_in_flight": float(replicas.mean_concurrency),
            "ttft_seconds": float(replicas.ttft_seconds),
            "tpot_seconds": float(replicas.tpot_seconds),
            "replicas": float(replicas.serving),
        },
        grade=lookup.grade(device.chip, device.precision),
        constants=_constants(lookup, device, SERVING_CELL, PREFIX),
    )


def _constants(lookup: Lookup, device: Device, cell: Iterable[str], prefix: str) -> tuple[Constant, ...]:
    found = []
    for name in cell:
        key = ("cell", device.chip, device.precision, f"{prefix}{name}")
        found.append(Constant(name, lookup.value(key, 0.0), lent_by(lookup, device, f"{prefix}{name}")))
    return tuple(found)
