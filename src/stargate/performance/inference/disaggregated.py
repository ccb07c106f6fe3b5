"""Prompts and answers on engines of their own (disaggregated serving): the slower pool limits the other.

Splitwise (arXiv 2311.18677) and DistServe (arXiv 2401.09670): a pool of engines computes prompts and sends their
caches over the network to a pool that decodes, so that no prompt holds up a decoding sequence.
"""

from __future__ import annotations

import msgspec

from stargate.performance.inference.iteration import Engine, iteration
from stargate.performance.inference.memory import cache_bytes_per_token, largest_batch
from stargate.performance.inference.steady import Load, Steady, batched_seconds, prompt_seconds
from stargate.performance.number import Number, Space

BUSY = 0.7
"""Share of the time that the engines of a sized pool compute prompts."""
ROUNDS = 3
"""Of the fixed point between the sequences that decode and the queue before the pool of prompts."""


class Pools(msgspec.Struct, frozen=True, kw_only=True):
    """How many engines each pool has. Each may be a column."""

    prefill_engines: Number = 1
    decode_engines: Number = 1
    sized: Number = 0
    """1: the pools are as large as the load needs, and these are the fewest engines."""


def transfer_seconds(engine: Engine, prompt: Number) -> Number:
    """A prompt's cache sent from the chips that computed it, each by its own network adapter."""
    moved = cache_bytes_per_token(engine.shape, engine.form) * prompt
    return moved / (engine.constants.link * engine.device.scaleout_bytes_per_s * engine.layout.tensor)


def disaggregated(x: Space, prefill: Engine, decode: Engine, pools: Pools, load: Load) -> Steady:
    """The closed loop over both pools, solved.

    The queue before the prefill engines is Schweitzer's approximation of mean value analysis for one station
    and a delay: with service `s`, delay `z` and `n` requests its time `r` solves
    r^2 + r (z - s - (n - 1) s) - s z = 0 (Schweitzer 1979). The delay is decoding, by the sequences there.
    """
    constants = decode.constants
    prompts = prompt_seconds(x, prefill, load.prompt)
    cost = batched_seconds(x, prefill, load.prompt)
    held = load.prompt + constants.reserve * load.answer
    room = largest_batch(x, decode.shape, decode.form, decode.layout, decode.device, held)
    context = load.prompt + 0.5 * load.answer
    fixed = constants.request_seconds + prompts + transfer_seconds(prefill, load.prompt)
    needed = x.where(pools.sized > 0, load.concurrency / room, 1.0)
    engines = x.maximum(pools.decode_engines, needed)
    decoding = load.concurrency
    for _ in range(ROUNDS):
        each = x.minimum(x.maximum(decoding / engines, 1.0), room)
        found = iteration(x, decode, each, context, 0.0 * each, load.prompt)
        token = constants.release * found.seconds
        together = cost / (load.answer * token) * load.concurrency / BUSY
        first = x.maximum(pools.prefill_engines, x.where(pools.sized > 0, together, 1.0))
        service = cost / first
        begun = fixed - service + constants.admission * token
        delay = load.answer * token + begun
        linear = delay - service * load.concurrency
        queue = (x.sqrt(linear * linear + 4.0 * service * delay) - linear) / 2.0
        stay = delay + queue
        decoding = load.concurrency * load.answer * token / stay
    running = x.minimum(decoding, room * engines)
    waiting = x.maximum(decoding - running, 0.0) / running * load.answer * token
    first = begun + queue + waiting + constants.burst * load.concurrency * service
    return Steady(
        token_seconds=token,
        first_seconds=first,
        running=running,
        requests_per_second=load.concurrency / (first + load.answer * token),
        decode=found,
    )
