"""A served model: what its replicas cost by the hour and by the token, and what they draw."""

from __future__ import annotations

import msgspec

from stargate.performance.energy import Power, busy_w, decoding
from stargate.performance.estimate import Range
from stargate.performance.replicas.serving import Replicas, Traffic
from stargate.performance.runs.run import Prices

_MILLION = 1e6
_SECONDS_PER_HOUR = 3_600.0


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of a served model, on average over time and with all replicas that stand by."""

    chips: int
    output_tokens_per_second: float
    cost_usd_per_hour: Range | None
    cost_usd_per_million_tokens: Range | None
    """Of output. An estimate in floats."""
    power_kw: Range | None
    """At the meter of the hall."""
    energy_kwh_per_million_tokens: Range | None
    """Of output."""


def service(
    found: Replicas,
    traffic: Traffic,
    chips_per_replica: int,
    prices: Prices | None = None,
    rated_w: float | None = None,
) -> Service:
    """What `found` replicas of so many chips cost and draw for `traffic`.

    Replicas are sized for the peak and paid at all times; tokens come at the mean rate, and all replicas,
    those that stand by too, share them. Power is that of decoding at the concurrency that each then has:
    the one at the peak, less in proportion. None where no price or no rated power is handed in.
    """
    chips = found.total * chips_per_replica
    tokens = traffic.requests_per_second * traffic.output_tokens
    millions_an_hour = tokens * _SECONDS_PER_HOUR / _MILLION
    cost = None if prices is None else prices.range.scaled(chips)
    power = None
    if rated_w is not None:
        held = found.mean_concurrency * found.serving / found.total / traffic.peak_factor
        power = busy_w(Power(rated_w=rated_w, busy_share=decoding(held))).scaled(chips / 1_000.0)
    return Service(
        chips=chips,
        output_tokens_per_second=tokens,
        cost_usd_per_hour=cost,
        cost_usd_per_million_tokens=None if cost is None else cost.scaled(1.0 / millions_an_hour),
        power_kw=power,
        energy_kwh_per_million_tokens=None if power is None else power.scaled(1.0 / millions_an_hour),
    )
