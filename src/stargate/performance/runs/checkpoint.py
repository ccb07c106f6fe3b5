"""How far apart checkpoints are best written, where every failure costs the work since the last one.

Failures come as a Poisson process, at a constant rate while the run runs.
"""

from __future__ import annotations

from stargate.performance.number import Number, Space

_RATE_FLOOR = 1e-18
"""Per second: a run that never fails still gets a finite interval."""
_SERIES = 1e-6
"""Below this share of the time between failures, a stall is so short that the series is exact to 1e-9."""


def first_order_interval(x: Space, stall_seconds: Number, failures_per_second: Number) -> Number:
    """Seconds of work between two checkpoints: sqrt(2 x stall x mean time between failures).

    Source: Young, "A first order approximation to the optimum checkpoint interval", CACM 17(9), 1974.
    Good where the stall is far below the time between failures.
    """
    return x.sqrt(2.0 * stall_seconds / x.maximum(failures_per_second, _RATE_FLOOR))


def best_interval(x: Space, stall_seconds: Number, failures_per_second: Number) -> Number:
    """Seconds of work between two checkpoints that waste least time, for stalls of any length.

    Minimises Daly's complete model of the run time, exp(rate x restart) x (exp(rate x (interval + stall)) - 1)
    / (rate x interval). Its optimum y = rate x interval solves 1 - y = exp(-(y + rate x stall)), which is
    Lambert's function: y = 1 + W(-exp(-1 - rate x stall)). The time to restart scales the run alike for every
    interval and moves no optimum. Source: Daly, "A higher order estimate of the optimum checkpoint
    interval for restart dumps", Future Generation Computer Systems 22, 2006, equation 20 and on; the
    series for short stalls is his perturbation solution (equation 37).

    Solved by Newton's method, which falls to the root from Young's interval without passing it: the
    residual is concave and Young's interval lies above.
    """
    rate = x.maximum(failures_per_second, _RATE_FLOOR)
    stall = rate * stall_seconds
    root = x.sqrt(2.0 * stall)
    series = root * (1.0 + x.sqrt(0.5 * stall) / 3.0 + stall / 18.0) - stall
    guarded = x.maximum(stall, _SERIES)
    y = x.minimum(x.sqrt(2.0 * guarded), 1.0)
    for _ in range(5):
        missed = x.exp(-(y + guarded))
        y = y + (1.0 - y - missed) / (1.0 - missed)
    return x.where(stall < _SERIES, series, y) / rate
