"""Rating: usage at a price, and money paid, become lines, one for each hour and each kind of use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from stargate.base.time import HOUR, Instant
from stargate.ledger.record import LineKey, Rollup, unit_of
from stargate.ledger.record.month import month_of
from stargate.ledger.record.opening import BALANCE
from stargate.ledger.record.payment import PAID
from stargate.ledger.settle.prices import Prices, Rate

MONEY = {PAID: ("payment", Decimal(-1)), BALANCE: ("opening", Decimal(1))}
"""What is money already: the kind of line it becomes, and its sign. What was paid is owed no more."""


class Counted(NamedTuple):
    """So much more was counted for a line."""

    key: LineKey
    micro: int
    text_ref: str


def rated(rollups: Iterable[Rollup], prices: Prices) -> Iterator[Counted]:
    """What each rollup adds to which line. What has no price adds to none."""
    alike: dict[tuple[object, ...], tuple[object, list[tuple[LineKey, str]]]] = {}
    hour, month, end = None, "", Instant(0)
    for used in rollups:
        if used.hour != hour:
            hour, month, end = used.hour, month_of(used.hour), Instant(used.hour - used.hour % HOUR + HOUR)
        # Rollups of one stream share their attributes. What is found holds on to these, so that they stay apart.
        seen = (
            id(used.attributes), used.metric, used.party, used.provider, used.quoted_usd, month, prices.span(hour),
        )  # fmt: skip
        found = alike.get(seen)
        if found is None:
            found = alike[seen] = (used.attributes, _keys(used, month, end, prices))
        for key, text_ref in found[1]:
            yield Counted(key.over(used.hour, end), used.micro, text_ref)


def _keys(used: Rollup, month: str, end: Instant, prices: Prices) -> list[tuple[LineKey, str]]:
    """The lines that some use adds to, for its hour, each with the place in the agreement's text."""
    kind, sign = MONEY.get(used.metric, ("usage", None))
    return [
        (
            LineKey(
                kind=kind,
                payer=rate.payer,
                payee=rate.payee,
                month=month,
                start=used.hour,
                end=end,
                clause=rate.clause,
                metric=used.metric,
                price_usd=rate.price_usd,
                quoted_usd=used.quoted_usd,
                attributes=used.attributes,
            ),
            rate.text_ref,
        )
        for rate in (prices.of(used) if sign is None else _money(used, sign))
    ]


def _money(used: Rollup, sign: Decimal) -> tuple[Rate, ...]:
    return (Rate(used.attributes.get("clause", ""), used.party, used.provider, sign),)


def amount_of(key: LineKey, micro: int) -> int:
    """What a line at a price comes to in micro-USD: of all that was counted for it, rounded once, half to even.

    However the use arrived, in parts or in any order, the parts' amounts add up to this: each entry posts the
    difference to what was posted before it, so no fraction is lost or charged twice.
    """
    assert key.price_usd is not None, "a line of use has a price"
    per = unit_of(key.metric)[1]
    exact = key.price_usd * Decimal(micro)  # micro-units x USD = micro-USD
    whole = exact / per if per != 1 else exact
    return int(whole.to_integral_value(rounding=ROUND_HALF_EVEN))
