"""Latencies and throughput of one engine that computes prompts and decodes, under a closed loop of requests.

So many requests are always in flight: as one ends, another comes. Prompts are computed among the decoding
iterations (chunked, or in iterations of their own: the time is the same to first order).
"""

from __future__ import annotations

import msgspec

from stargate.performance.inference.iteration import Engine, Iteration, iteration
from stargate.performance.inference.memory import largest_batch
from stargate.performance.number import Number, Space

ITERATION_TOKENS = 8192.0
"""Of prompts that engines compute in one iteration at most, for each copy of attention (their defaults)."""
ROUNDS = 2
"""Of the fixed point between the sequences that decode and the time a token takes."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of an engine. Each may be a column."""

    prompt: Number
    """Tokens of a prompt."""
    answer: Number
    """Tokens of an answer."""
    concurrency: Number
    """Requests in flight."""


class Steady(msgspec.Struct, frozen=True, kw_only=True):
    """What one engine does under a load."""

    token_seconds: Number
    """Between two tokens of an answer (TPOT)."""
    first_seconds: Number
    """From a request to its first token (TTFT)."""
    running: Number
    """Sequences in memory."""
    requests_per_second: Number
    decode: Iteration
    """One iteration without prompts."""

    def tokens_per_second(self, load: Load) -> Number:
        """Of answers."""
        return self.requests_per_second * load.answer


def prompt_seconds(x: Space, engine: Engine, prompt: Number) -> Number:
    """One prompt of each attention copy, computed alone and together with the others'."""
    copies = engine.layout.attention_data
    return iteration(x, engine, 0.0 * prompt, prompt, copies * prompt, prompt).seconds


def batched_seconds(x: Space, engine: Engine, prompt: Number) -> Number:
    """What a prompt costs an engine that computes as many at once as an iteration takes, and nothing else."""
    most = engine.layout.attention_data * x.maximum(prompt, ITERATION_TOKENS)
    return iteration(x, engine, 0.0 * prompt, prompt, most, prompt).seconds * prompt / most


def steady(x: Space, engine: Engine, load: Load, *, waiting: bool = True) -> Steady:
    """The closed loop, solved; without `waiting`, requests that find no place in memory are not counted.

    With `running` sequences a token takes u = d + p * running * u / (answer * u + f): the iteration `d`, and
    the prompts, each holding the others up by `p` seconds, of the requests that begin meanwhile; `f` is the time
    to the first token. A quadratic in u. An iteration takes whole prompts, several where many begin in the time
    of one (chunked prefill: Agrawal et al., arXiv 2403.02310). Requests beyond what memory holds wait for others
    to end (Little's law).
    """
    constants, layout = engine.constants, engine.layout
    held = load.prompt + constants.reserve * load.answer
    room = largest_batch(x, engine.shape, engine.form, layout, engine.device, held)
    running = x.minimum(load.concurrency, room)
    copies = x.minimum(layout.attention_data, running)
    context = load.prompt + 0.5 * load.answer
    decode = iteration(x, engine, running, context, 0.0 * running, load.prompt)
    most = copies * x.maximum(load.prompt, ITERATION_TOKENS)
    tokens = x.minimum(x.maximum(running * load.prompt / load.answer, copies * load.prompt), most)
    mixed = iteration(x, engine, running, context, tokens, load.prompt)
    each = (mixed.seconds - decode.seconds) * load.prompt / tokens + constants.begin_seconds
    step = constants.release * decode.seconds
    busy = running * each
    queue = mixed.seconds - decode.seconds + step + constants.burst * running * each
    together = constants.admission + x.where(layout.attention_data > 1, constants.balance, 0.0)
    first = constants.request_seconds + queue
    for _ in range(ROUNDS):
        linear = first - load.answer * step - busy
        token = (x.sqrt(linear * linear + 4.0 * load.answer * step * first) - linear) / (2.0 * load.answer)
        first = constants.request_seconds + queue + together * token
    rate = running / (first + load.answer * token)
    outside = x.maximum(load.concurrency - room, 0.0) / rate if waiting else 0.0
    return Steady(
        token_seconds=token,
        first_seconds=first + outside,
        running=running,
        requests_per_second=rate,
        decode=decode,
    )
