"""What everything cost: our own months and the bills of other providers, in one report."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from typing import Literal

import msgspec

from stargate.base.time import Instant
from stargate.ledger.focus.export import Export
from stargate.ledger.record.imported import Sum
from stargate.ledger.store.reading import Reading

Source = Literal["ledger", "import"]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider bills for one month, in one currency."""

    provider: str
    """ServiceProviderName, as it is written: names of other files are not put right."""
    month: str
    """Empty: the file does not say."""
    currency: str
    source: Source
    rows: int
    billed: Decimal
    effective: Decimal
    """Exact, in the currency."""


def costs(reading: Reading, first: str, last: str, at: Instant) -> tuple[Cost, ...]:
    """Of the months from `first` to `last`, in order of months and providers. Use it within `reading.snapshot()`.

    Files are added up as they are: the same charge in two files counts twice, as it would on two bills.
    """
    found: dict[tuple[str, str, str, Source], Sum] = {}
    for source, one in chain(_ours(reading, first, last, at), _theirs(reading, first, last)):
        key = (one.month, one.provider, one.currency, source)
        before = found.get(key)
        found[key] = one if before is None else before.plus(one)
    return tuple(
        Cost(
            provider=one.provider,
            month=one.month,
            currency=one.currency,
            source=key[3],
            rows=one.rows,
            billed=one.billed,
            effective=one.effective,
        )
        for key, one in sorted(found.items(), key=lambda item: item[0])
    )


def _ours(reading: Reading, first: str, last: str, at: Instant) -> Iterator[tuple[Source, Sum]]:
    for row in Export(reading, first, last, at).rows("Cost and Usage"):
        billed, effective = Decimal(row["BilledCost"]), Decimal(row["EffectiveCost"])
        month = row["BillingPeriodStart"][:7]
        yield "ledger", Sum(row["ServiceProviderName"], month, row["BillingCurrency"], 1, billed, effective)


def _theirs(reading: Reading, first: str, last: str) -> Iterator[tuple[Source, Sum]]:
    for _, one in reading.imported_sums():
        if not one.month or first <= one.month <= last:
            yield "import", one
