"""The most that one engine gives: with endless requests waiting, or within a bound on the time per token."""

from __future__ import annotations

from stargate.performance.inference.iteration import Engine
from stargate.performance.inference.steady import Load, Steady, steady
from stargate.performance.number import Number, Space

HALVINGS = 7
"""Of the logarithm of the concurrency that is searched; the rest is drawn as a straight line."""


def _loaded(engine: Engine, prompt: Number, answer: Number, concurrency: Number) -> Load:
    return Load(prompt=prompt, answer=answer, concurrency=concurrency)


def maximal(x: Space, engine: Engine, prompt: Number, answer: Number, batch_limit: Number) -> Steady:
    """Endless requests: as many run as memory holds, `batch_limit` at most for each copy of attention.

    `first_seconds` is without the wait for a place, which would be endless.
    """
    return steady(
        x, engine, _loaded(engine, prompt, answer, batch_limit * engine.layout.attention_data), waiting=False
    )


def within(
    x: Space, engine: Engine, prompt: Number, answer: Number, batch_limit: Number, token_seconds: Number
) -> Steady:
    """As `maximal`, with so few requests that a token takes `token_seconds` at most, or with one."""
    low = 0.0 * prompt
    high = x.log(batch_limit * engine.layout.attention_data + low)
    most = steady(x, engine, _loaded(engine, prompt, answer, x.exp(high)), waiting=False)
    high = x.log(x.maximum(most.running, 1.0))
    least = steady(x, engine, _loaded(engine, prompt, answer, x.exp(low)), waiting=False).token_seconds
    bound = x.log(token_seconds)
    under, over = x.log(least), x.log(most.token_seconds)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        token = x.log(
            steady(x, engine, _loaded(engine, prompt, answer, x.exp(middle)), waiting=False).token_seconds
        )
        fast = token < bound
        low, under = x.where(fast, middle, low), x.where(fast, token, under)
        high, over = x.where(fast, high, middle), x.where(fast, over, token)
    part = x.minimum(x.maximum((bound - under) / x.maximum(over - under, 1e-9), 0.0), 1.0)
    concurrency = x.exp(low + part * (high - low))
    return steady(x, engine, _loaded(engine, prompt, answer, concurrency), waiting=False)
