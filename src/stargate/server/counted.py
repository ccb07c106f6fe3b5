"""From an attempt at a gateway to usage events of the ledger.

Each token counts under one metric: what was read from a cache is not among `input_tokens`, reasoning is not among
`output_tokens`. So prices can be put on each of them, and nothing is charged twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from stargate.base.time import Instant
from stargate.gateway.record import Tokens
from stargate.ledger import UsageEvent
from stargate.server.api.terms import demand_time
from stargate.server.request_log import Filed

QUANTITY_LIMIT = 10**12
"""Tokens of one attempt."""
TIME_LIMIT_US = 2**62
TEXT_LIMIT = 256
"""Characters of what an attempt names."""


def fault(filed: Filed) -> str:
    """Why an attempt can never be counted as it was told; empty: it can."""
    admitted, settled, tokens = filed.admitted, filed.settled, filed.settled.tokens
    if admitted.seq != settled.seq or admitted.seq < 1:
        return f"number {settled.seq} is settled, and {admitted.seq} was admitted"
    named = (admitted.request, admitted.application, admitted.model, admitted.endpoint, admitted.why)
    if any(len(text) > TEXT_LIMIT + 64 or not text.isprintable() for text in named):
        return "a name in it is too long, or cannot be read"
    if not admitted.request:
        return "it names no request"
    counts = (*parts(tokens).values(), tokens.input_tokens, tokens.output_tokens, admitted.nth)
    if not all(0 <= count <= QUANTITY_LIMIT for count in counts):
        return "a count in it is below zero or beyond reason"
    if not 0 <= admitted.lease_us <= TIME_LIMIT_US:
        return "it names a lease that never was"
    try:
        demand_time(Instant(admitted.at_us))
        demand_time(Instant(settled.at_us))
    except ValueError as error:
        return str(error)
    return ""


def parts(tokens: Tokens) -> dict[str, int]:
    """Tokens by metric, each token once."""
    return {
        "input_tokens": max(0, tokens.input_tokens - tokens.cached_tokens),
        "cached_tokens": tokens.cached_tokens,
        "output_tokens": max(0, tokens.output_tokens - tokens.reasoning_tokens),
        "reasoning_tokens": tokens.reasoning_tokens,
    }


def events(filed: Filed) -> Iterator[UsageEvent]:
    """One event for the attempt itself, and one for each kind of token that it used."""
    admitted, settled = filed.admitted, filed.settled
    start = Instant(admitted.at_us)
    end = Instant(max(admitted.at_us, settled.at_us))
    attributes = _attributes(filed)
    for metric, quantity in {"requests": 1, **parts(settled.tokens)}.items():
        if quantity:
            yield UsageEvent(
                source=filed.source,
                key=f"{filed.epoch}/{admitted.seq}/{metric}",
                metric=metric,
                quantity=Decimal(quantity),
                start=start,
                end=end,
                party=filed.scope.party or filed.lab,
                provider=filed.where.party or filed.where.provider,
                attributes=attributes,
            )


def _attributes(filed: Filed) -> dict[str, str]:
    """What scopes and reports look at. What is not known is left out."""
    admitted, settled, scope, where = filed.admitted, filed.settled, filed.scope, filed.where
    found = {
        "kind": "serve",
        "model": admitted.model,
        "product": scope.product,
        "team": scope.team,
        "customer": scope.customer,
        "key": filed.key_name or admitted.application,
        "provider": where.provider,
        "workload": where.service,
        "pool": where.pool,
        "site": where.site,
        "chip": where.chip,
        "tenure": where.tenure,
        "agreement": where.agreement,
        "count_source": settled.counted,
        "outcome": settled.outcome,
        "chargeable": "yes" if settled.chargeable else "no",
    }
    return {name: value[:TEXT_LIMIT] for name, value in found.items() if value}
