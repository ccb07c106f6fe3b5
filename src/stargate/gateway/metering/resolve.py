"""Settle what a dead worker left open: once, visibly, and on disk before it is shipped.

What an endpoint can say of a request is asked (`lookup`). Where it cannot, the count is an `estimate`: the input that
was reserved, and no output, as nobody knows that any was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path

from stargate.base.errors import ProviderError
from stargate.base.time import MINUTE
from stargate.gateway.metering.spool import Spool
from stargate.gateway.record import Admitted, Settled, Tokens

Ask = Callable[[str, str], Awaitable[Tokens | None]]
"""What an endpoint (its id) says that an attempt (its `upstream_id`) has used; None: it does not know, and never will.

Raises ProviderError or OSError, as a TimeoutError, while it cannot be reached: then it is asked again later.
"""
PATIENCE_US = 60 * MINUTE
"""An endpoint that cannot be reached is asked no more when so much time has passed since the request was admitted."""
AT_ONCE = 64
"""So many attempts are asked about at a time."""


async def resolve(folder: Path, at_us: int, ask: Ask, patience_us: int = PATIENCE_US) -> int:
    """Settle what is open in a dead worker's epoch. How many attempts wait for an endpoint to be reached: for later.

    The shipper of the spool does it, nobody beside it. Raises StateConflictError where the worker lives, SpoolError.
    """
    resuming = asyncio.ensure_future(asyncio.to_thread(Spool.resume, folder))
    try:
        spool, left = await asyncio.shield(resuming)
    except asyncio.CancelledError:
        spool, _ = await resuming  # the thread goes on: nobody else would let go of the epoch
        await spool.close()
        raise
    try:
        waiting = 0
        away: set[str] = set()
        attempts = iter(left.open.values())
        while some := list(islice(attempts, AT_ONCE)):
            counts = await asyncio.gather(*(_asked(each, ask, away) for each in some))
            lost = [
                _lost(each, at_us, tokens)
                for each, tokens in zip(some, counts, strict=True)
                if tokens is not AWAY or at_us >= each.at_us + patience_us
            ]
            await asyncio.gather(*(spool.write(each) for each in lost))
            waiting += len(some) - len(lost)
        return waiting
    finally:
        await spool.close()


AWAY = Tokens(input_tokens=-1)
"""No count: the endpoint cannot be reached now."""


async def _asked(admitted: Admitted, ask: Ask, away: set[str]) -> Tokens | None:
    if admitted.endpoint in away:
        return AWAY
    try:
        return await ask(admitted.endpoint, admitted.upstream_id)
    except (ProviderError, OSError):  # a TimeoutError is one
        away.add(admitted.endpoint)
        return AWAY


def _lost(admitted: Admitted, at_us: int, tokens: Tokens | None) -> Settled:
    """Not chargeable: its client never had the end of the answer."""
    if tokens is None or tokens is AWAY:
        estimate = Tokens(input_tokens=admitted.reserved.input_tokens)
        return Settled(admitted.seq, at_us, "lost", 0, estimate, "estimate", chargeable=False)
    return Settled(admitted.seq, at_us, "lost", 0, tokens, "lookup", chargeable=False)
