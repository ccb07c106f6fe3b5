"""The share of wall time in which a run makes progress that it keeps, and where the rest goes.

Interruptions come as Poisson processes: chips fail, whole providers are lost, corruption is noticed. Each ends
the run, which restarts from its newest usable checkpoint. The formulas below are exact for these processes
and constant times, except where their docstring says otherwise.
"""

from __future__ import annotations

import msgspec

from stargate.performance.number import Number, Space
from stargate.performance.runs.checkpoint import best_interval, first_order_interval

SECONDS_PER_HOUR = 3_600.0
_SHORT = 1e-2
"""Below this, a / (exp(a) - 1) is taken from its series, which is exact to the last bit there."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What interrupts a run, and what an interruption costs. Flat numbers, each may be a column.

    The defaults for stalls and restarts are those with which the model meets Llama 3's published goodput
    (more than 90 % on 16,384 chips): checkpoints that hardly block, and ten minutes to be running again.
    """

    chips: Number
    """On which the run stands; all of them are needed."""
    interruptions_per_chip_hour: Number = 1.0 / 50_677.0
    """Unexpected ones; the default is Llama 3's (419 in 54 days on 16,384 H100). See `failures`."""
    stall_seconds: Number = 5.0
    """For which training stands still at each checkpoint."""
    write_seconds: Number = 0.0
    """From then until the checkpoint can be restored, while training goes on."""
    restart_seconds: Number = 600.0
    """From an interruption to the next step: notice, replace the node, load, rebuild the links."""
    interval_seconds: Number = 0.0
    """Of work between two checkpoints; 0: the best."""
    least_interval_seconds: Number = 1.0
    """No interval is shorter: a step, or what writing takes."""
    shortage_fraction: Number = 0.0
    """Share of time without enough healthy nodes; see `spares.shortage`."""
    providers: Number = 1.0
    """Among which the run is spread; it needs all of them at any moment."""
    losses_per_provider_hour: Number = 0.0
    """Of a provider as a whole: power, network, a deleted cluster. 0: never."""
    outage_seconds: Number = 0.0
    """Until a lost provider is back."""
    moves: Number = 0.0
    """1: the run goes on elsewhere; 0: it waits for the provider."""
    move_seconds: Number = 0.0
    """Until it can restart elsewhere: find capacity, bring the checkpoint."""
    copy_age_seconds: Number = 0.0
    """By how much the newest copy elsewhere is older than the newest checkpoint, on average."""
    corruptions_per_chip_hour: Number = 0.0
    """Silent corruptions that are noticed later. 0: none."""
    rollback_seconds: Number = 0.0
    """How long before it is noticed a corruption began: checkpoints since then are not used."""


class Goodput(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of wall time, which sum to 1, and what they rest on. Numbers, or columns of them."""

    fraction: Number
    """Progress that was kept: the goodput."""
    stall: Number
    """Standing still for checkpoints."""
    lost_work: Number
    """Work since the last usable checkpoint, done again."""
    restart: Number
    """From an interruption to the next step, again where the restart itself is interrupted."""
    shortage: Number
    """Waiting for nodes to be repaired."""
    provider_loss: Number
    """Waiting for a lost provider or moving elsewhere, and work that had no copy there."""
    corruption: Number
    """Work thrown away because corruption had begun before."""
    interval_seconds: Number
    """Of work between two checkpoints."""
    interruptions_per_hour: Number
    """Of wall time, of every kind."""
    provider_losses_per_hour: Number
    """Of wall time; how often the run moves, where it does."""


def goodput(x: Space, given: Conditions) -> Goodput:
    """Where the wall time of a long run goes.

    Between interruptions at rate r, a segment of `interval` work and `stall` is kept if it ends, and is
    durable `write` later, before the next one: a share exp(-r x write) x a / (exp(a) - 1) of running time lies
    in kept segments, a = r x (interval + stall). Restarts run at the same risk: they take 1 - exp(-r x restart)
    of the time. Source: Daly, Future Generation Computer Systems 22, 2006, complete model of the wall time,
    here as a share; that `write` acts as `restart` does is Vaidya's latency (IEEE Transactions on
    Computers 46(8), 1997).

    A provider that is lost and found again is an alternating renewal process: away for p x d / (1 + p x d)
    of the time, d the outage or the move. Progress survives a move if no provider is lost within the age
    of its copy: exp(-p x age), exact for a copy of constant age; likewise for corruption and `rollback`.
    """
    failing = given.chips * given.interruptions_per_chip_hour / SECONDS_PER_HOUR
    corrupting = given.chips * given.corruptions_per_chip_hour / SECONDS_PER_HOUR
    losing = given.providers * given.losses_per_provider_hour / SECONDS_PER_HOUR
    rate = failing + corrupting + losing
    best = best_interval(x, given.stall_seconds, rate)
    interval = x.maximum(
        x.where(given.interval_seconds > 0.0, given.interval_seconds, best), given.least_interval_seconds
    )
    segment = interval + given.stall_seconds
    away_seconds = x.where(given.moves > 0.0, given.move_seconds, given.outage_seconds)
    away = losing * away_seconds / (1.0 + losing * away_seconds)
    up = (1.0 - away) * (1.0 - given.shortage_fraction)
    running = up * x.exp(-rate * given.restart_seconds)
    in_kept = running * x.exp(-rate * given.write_seconds) * _kept(x, rate * segment)
    kept = in_kept * interval / segment
    copied = kept * x.exp(-losing * given.copy_age_seconds * given.moves)
    sound = copied * x.exp(-corrupting * given.rollback_seconds)
    return Goodput(
        fraction=sound,
        stall=in_kept - kept,
        lost_work=running - in_kept,
        restart=up - running,
        shortage=(1.0 - away) * given.shortage_fraction,
        provider_loss=away + kept - copied,
        corruption=copied - sound,
        interval_seconds=interval,
        interruptions_per_hour=rate * up * SECONDS_PER_HOUR,
        provider_losses_per_hour=losing * up * SECONDS_PER_HOUR,
    )


def first_order(x: Space, given: Conditions) -> Number:
    """Goodput as it is usually estimated: 1 - stall / interval - (interval / 2 + restart) / time between failures.

    At Young's interval where none is given. Only chips fail. It counts losses as if they never met, so it lies
    below `goodput` and goes below 0 where failures are frequent. Source: Young, CACM 17(9), 1974.
    """
    rate = given.chips * given.interruptions_per_chip_hour / SECONDS_PER_HOUR
    best = first_order_interval(x, given.stall_seconds, rate)
    interval = x.where(given.interval_seconds > 0.0, given.interval_seconds, best)
    interval = x.maximum(interval, given.least_interval_seconds)
    return 1.0 - given.stall_seconds / interval - rate * (0.5 * interval + given.restart_seconds)


def _kept(x: Space, segments: Number) -> Number:
    """The share of running time in segments that reached their end: a / (exp(a) - 1)."""
    guarded = x.maximum(segments, _SHORT)
    ended = x.exp(-guarded)
    square = segments * segments
    series = 1.0 - 0.5 * segments + square / 12.0 - square * square / 720.0
    return x.where(segments < _SHORT, series, guarded * ended / (1.0 - ended))
