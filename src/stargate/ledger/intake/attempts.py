"""Time on chips, from the broker's attempts: one event for each attempt and each hour that is over.

An attempt counts from the moment its engine has it until it ends, as the broker counts its cost. An hour is
counted when it has passed, so its event never says anything else later: the record may be read again from any
hour, in any portions, and gives the same events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from stargate.base.money import usd
from stargate.base.time import HOUR, SECOND, Instant
from stargate.broker import State
from stargate.broker.records import AttemptState
from stargate.ledger.record import UsageEvent


class OnChips(msgspec.Struct, frozen=True, gc=False):
    """An attempt's time on its chips, within whole hours that are over. It keeps no reference to a state."""

    attempt: str
    chips: int
    start: Instant
    end: Instant
    party: str
    provider: str
    """The provider's party."""
    price_micro_usd_per_chip_hour: int
    attributes: dict[str, str]

    def hours(self, source: str) -> Iterator[UsageEvent]:
        """One event for each hour."""
        hour = hour_of(self.start)
        while hour < self.end:
            start, stop = max(self.start, hour), min(self.end, hour.plus(HOUR))
            yield UsageEvent(
                source=source,
                key=f"{self.attempt}@{hour}",
                metric="chip_seconds",
                quantity=Decimal(self.chips * (stop - start)) / SECOND,
                start=start,
                end=stop,
                party=self.party,
                provider=self.provider,
                quoted_usd=usd(self.price_micro_usd_per_chip_hour),
                attributes=self.attributes,
            )
            hour = hour.plus(HOUR)


def chip_time(state: State, since: Instant, upto: Instant, source: str) -> Iterator[UsageEvent]:
    """The events of the hours that start at or after `since` and have passed by `upto`, in order of attempts.

    `state` must know all that happened before `upto`.
    """
    for found in on_chips(state, since, upto):
        yield from found.hours(source)


def on_chips(
    state: State, since: Instant, upto: Instant, attempts: Iterable[AttemptState] | None = None
) -> Iterator[OnChips]:
    """Who was on chips in those hours, of these attempts (default: all there ever were)."""
    first, last = hour_of(Instant(since + HOUR - 1)), hour_of(upto)
    for attempt in state.records.attempts.values() if attempts is None else attempts:
        begun = attempt.accepted_at
        if begun is None or begun >= last or (attempt.ended_at is not None and attempt.ended_at <= first):
            continue
        yield OnChips(
            attempt=attempt.id,
            chips=attempt.chips,
            start=max(begun, first),
            end=last if attempt.ended_at is None else min(attempt.ended_at, last),
            party=state.records.policy.lab,
            provider=_party(state, attempt.provider),
            price_micro_usd_per_chip_hour=attempt.price_micro_usd_per_chip_hour,
            attributes=_attributes(state, attempt),
        )


def hour_of(at: Instant) -> Instant:
    """The full hour that an instant lies in."""
    return Instant(at - at % HOUR)


def _party(state: State, provider: str) -> str:
    """The company behind a provider; the provider's own name where it is not in the catalog any more."""
    known = state.providers.get(provider)
    return provider if known is None else known.party


def _attributes(state: State, attempt: AttemptState) -> dict[str, str]:
    """What scopes and reports look at, as placement knew it. A lease that has ended still says what it was."""
    work = state.records.workloads[attempt.workload].workload
    lease, pool = state.sourcing.leases.get(attempt.supply), state.catalog_pools.get(attempt.pool)
    held = (pool.tenure, pool.agreement or "") if pool else ("", "")
    tenure, agreement = held if lease is None else (lease.kind, lease.agreement)
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
        "tenure": tenure,
        "agreement": agreement,
    }
    return {name: value for name, value in found.items() if value}
