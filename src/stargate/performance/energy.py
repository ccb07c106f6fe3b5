"""What a run or a served model draws: chips by what they wait for, hosts, and the hall around them.

The shares that ship with the package are `data/power.yaml`, each with its source and range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stargate.base.document import parse, typed
from stargate.performance.combine import product
from stargate.performance.estimate import Range, Term
from stargate.performance.number import Number

Part = Literal[
    "compute",
    "memory_bandwidth",
    "decode_alone",
    "decode_full",
    "communication",
    "bubble",
    "overhead",
    "idle",
    "host",
    "pue",
]
Share = Annotated[float, Meta(gt=0.0, le=4.0)]


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One factor of the power of a run."""

    part: Part
    """What a chip waits for, as `estimate.Term.binds` says it; `decode_alone`, `decode_full`: with one request
    and with hundreds; `idle`; `host`: everything in the machines that is no chip, per chip; `pue`: of the hall."""
    share: Share
    """Of the chip's rated power; of `pue`, the factor itself."""
    low: Share
    high: Share
    source: Annotated[str, Meta(max_length=2_048)]
    evidence: Literal["seen", "assumed"]

    def __post_init__(self) -> None:
        if not self.low <= self.share <= self.high:
            raise ValueError("low, share and high are out of order; write low <= share <= high")

    @property
    def range(self) -> Range:
        """The share with its bounds."""
        return Range(self.share, self.low, self.high)


@cache
def builtin_draws() -> tuple[Draw, ...]:
    """The factors that ship with the package."""
    text = files("stargate.performance").joinpath("data/power.yaml").read_text(encoding="utf-8")
    (document,) = parse(text, "stargate/performance/data/power.yaml")
    return typed(document, tuple[Draw, ...], "draws")


@cache
def draw_of(part: Part) -> Range:
    """One of the shipped factors."""
    return next(draw.range for draw in builtin_draws() if draw.part == part)


def utilisation(terms: Sequence[Term]) -> Range:
    """Power of a chip over a step, as a share of its rated power: the draws of its terms, by their time.

    A step bound by compute draws close to the rated power, one that reads weights less, one that waits for
    others least. The terms' errors have a common cause (the chip's power management), so bounds are
    averaged as the points are. Raises AssertionError where the terms take no time.
    """
    seconds = sum(term.seconds for term in terms)
    assert seconds > 0, "the terms take no time"
    draws = [(term.seconds / seconds, draw_of(_part(term.binds))) for term in terms]
    return Range(
        sum(weight * draw.point for weight, draw in draws),
        sum(weight * draw.low for weight, draw in draws),
        sum(weight * draw.high for weight, draw in draws),
    )


def _part(binds: str) -> Part:
    return msgspec.convert(binds, Part) if binds in _BOUND else "overhead"


_BOUND = ("compute", "memory_bandwidth", "communication", "bubble", "overhead")


HALF_WAY = 40.0
"""Requests at which a decoding chip is half way from one request's power to a full batch's."""


def decoding(requests: float) -> Range:
    """Power of a chip that decodes so many requests at once, as a share of its rated power. Below 1: at times none.

    A logistic curve over the logarithm to base 2, as measured power of H100 is described by (the ML.ENERGY
    benchmark's own model). It passes within 0.12 of what was seen on H100: 0.69 and 0.74 of 700 W at 64 and
    128 requests (70 billion parameters in 8 bits on four chips), 0.86 at 128, 0.98 at 511.
    """
    alone, full = draw_of("decode_alone"), draw_of("decode_full")
    if requests < 1.0:
        idle, rest = draw_of("idle"), max(requests, 0.0)
        return _between(idle, _between(alone, full, _filled(1.0)), rest)
    return _between(alone, full, _filled(requests))


def _filled(requests: float) -> float:
    return 1.0 / (1.0 + math.exp(math.log2(HALF_WAY) - math.log2(requests)))


def _between(low: Range, high: Range, weight: float) -> Range:
    rest = 1.0 - weight
    return Range(
        rest * low.point + weight * high.point,
        rest * low.low + weight * high.low,
        rest * low.high + weight * high.high,
    )


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """How the power of a run comes about. Shares are of a chip's rated power."""

    rated_w: float
    """Of one chip."""
    busy_share: Range
    """Of a chip at work: `utilisation` of the step's terms, or a measured one."""
    idle_share: Range = draw_of("idle")
    """Of a chip that waits: in restarts, outages, and as a spare."""
    host_share: Range = draw_of("host")
    """Of everything else in its machine, at work or not. 0 counts chips alone."""
    pue: Range = draw_of("pue")
    """Power of the hall over that of its machines."""

    @property
    def host_factor(self) -> float:
        """Power of the machines over that of their chips, at work."""
        return 1.0 + self.host_share.point / self.busy_share.point


def facility_w(rated_w: Number, chip_share: Number, host_share: Number, pue: Number) -> Number:
    """Power at the meter per chip: rated power x (share of the chip + share of its host) x PUE.

    The host's part is added, not multiplied: measured servers draw it at any load (fans, processors,
    network). What it was compared with stands in `docs/reference/goodput.md`.
    """
    return rated_w * (chip_share + host_share) * pue


def busy_w(power: Power) -> Range:
    """Power at the meter per chip at work, in W."""
    return _at(power, power.busy_share)


def idle_w(power: Power) -> Range:
    """Power at the meter per chip that waits, in W."""
    return _at(power, power.idle_share)


@lru_cache(maxsize=4_096)
def _at(power: Power, chip: Range) -> Range:
    host = power.host_share
    inside = Range(
        chip.point + host.point,
        chip.point + host.point - _aside(chip.point - chip.low, host.point - host.low),
        chip.point + host.point + _aside(chip.high - chip.point, host.high - host.point),
    )
    return product(inside, power.pue).scaled(power.rated_w)


def _aside(one: float, other: float) -> float:
    return float((one * one + other * other) ** 0.5)
