"""Time on chips, from the broker's attempts: one event for each attempt and each hour that is over.

An attempt counts from the moment its engine has it until it ends, as the broker counts its cost. An hour is
counted when it has passed, so its event never says anything else later: the record may be read again from any
hour, in any portions, and gives the same events.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from stargate.base.money import usd
from stargate.base.time import HOUR, SECOND, Instant
from stargate.broker import State
from stargate.broker.records import AttemptState
from stargate.ledger.record import UsageEvent


def chip_time(state: State, since: Instant, upto: Instant, source: str) -> Iterator[UsageEvent]:
    """The events of the hours that start at or after `since` and have passed by `upto`, in order of attempts.

    `state` must know all that happened before `upto`.
    """
    first, last = _hour(Instant(since + HOUR - 1)), _hour(upto)
    for attempt in state.records.attempts.values():
        begun = attempt.accepted_at
        if begun is None or begun >= last or (attempt.ended_at is not None and attempt.ended_at <= first):
            continue
        party, attributes = _party(state, attempt.provider), _attributes(state, attempt)
        hour = max(first, _hour(begun))
        end = last if attempt.ended_at is None else min(attempt.ended_at, last)
        while hour < end:
            start, stop = max(begun, hour), min(end, hour.plus(HOUR))
            yield UsageEvent(
                source=source,
                key=f"{attempt.id}@{hour}",
                metric="chip_seconds",
                quantity=Decimal(attempt.chips * (stop - start)) / SECOND,
                start=start,
                end=stop,
                party=state.records.policy.lab,
                provider=party,
                quoted_usd=usd(attempt.price_micro_usd_per_chip_hour),
                attributes=attributes,
            )
            hour = hour.plus(HOUR)


def _hour(at: Instant) -> Instant:
    return Instant(at - at % HOUR)


def _party(state: State, provider: str) -> str:
    """The company behind a provider; the provider's own name where it is not in the catalog any more."""
    known = state.providers.get(provider)
    return provider if known is None else known.party


def _attributes(state: State, attempt: AttemptState) -> dict[str, str]:
    """What scopes and reports look at, as placement knew it."""
    work = state.records.workloads[attempt.workload].workload
    supply, pool = state.supplies.by_id.get(attempt.supply), state.catalog_pools.get(attempt.pool)
    found = {
        "workload": attempt.workload,
        "kind": work.kind,
        "team": work.team,
        "product": work.product or "",
        "model": str(work.model or ""),
        "provider": attempt.provider,
        "pool": attempt.pool,
        "site": pool.site if pool else "",
        "chip": pool.chip if pool else "",
        "tenure": supply.kind.tenure if supply else "",
        "agreement": supply.kind.agreement if supply else "",
    }
    return {name: value for name, value in found.items() if value}
