"""Whether spare nodes suffice while others are repaired."""

from __future__ import annotations

import numpy as np

from stargate.performance.number import Number, Space

_POINTS = 48
_AT, _WEIGHT = (tuple(part.tolist()) for part in np.polynomial.laguerre.laggauss(_POINTS))
_LARGEST_EXPONENT = 600.0
_LEAST_LOAD = 1e-9


def shortage(x: Space, spare_nodes: Number, faults_per_hour: Number, repair_hours: Number) -> Number:
    """Share of time in which more nodes are in repair than there are spares, so that the run stands still.

    Each fault takes one node of the run out for `repair_hours` on average; a spare takes its place. With
    `spare_nodes` + 1 nodes out the run stops, and nothing of it fails until one is back. The number of
    nodes out is then a Poisson variable of mean faults x repair time, cut off at spares + 1 (an M/G/c/c
    system), and the share of time at the cut is Erlang's loss formula; it depends on the mean of the
    repair time alone. Source: Erlang 1917; the insensitivity: Sevastyanov, Theory of Probability and its
    Applications 2(1), 1957. Spares themselves are taken not to fail.
    """
    load = x.maximum(faults_per_hour * repair_hours, _LEAST_LOAD)
    return blocking(x, spare_nodes + 1.0, load)


def enough_spares(short: float, faults_per_hour: float, repair_hours: float) -> int:
    """The fewest spare nodes with which the run stands still for at most the share `short` of time.

    By the recursion of Erlang's formula, B(n) = load B(n-1) / (n + load B(n-1)). See `shortage`.
    """
    assert 0 < short <= 1, "no number of spares rules a shortage out"
    load = faults_per_hour * repair_hours
    servers, blocked = 1, load / (1.0 + load)
    while blocked > short:
        servers += 1
        blocked = load * blocked / (servers + load * blocked)
    return servers - 1


def blocking(x: Space, servers: Number, load: Number) -> Number:
    """Erlang's loss formula for `servers` (0 or more) and an offered `load` above 0, in erlangs.

    By its integral, 1 / B = integral over t > 0 of exp(-t) (1 + t / load)^servers (Jagerman, "Some properties
    of the Erlang loss function", Bell System Technical Journal 53(3), 1974), with Gauss-Laguerre points:
    exact for up to 95 servers, and within 1e-3 for a thousand.
    """
    inverse = 0.0
    for at, weight in zip(_AT, _WEIGHT, strict=True):
        exponent = servers * x.log(1.0 + at / load)
        inverse = inverse + weight * x.exp(x.minimum(exponent, _LARGEST_EXPONENT))
    return 1.0 / inverse
