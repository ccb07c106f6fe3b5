"""What was used in a month: quantities, what they come to at the prices quoted, and what was charged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from stargate.base.time import Instant
from stargate.ledger.record import Rollup, UseCharged, unit_of
from stargate.ledger.record.line import plain
from stargate.ledger.record.opening import PREFIX
from stargate.ledger.record.payment import PAID

FIELDS = ("metric", "party", "provider", "day")
"""What events say beside their attributes; `provider` is the party with whom, unless an attribute says more."""
_EARNED = "_usd"


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """Use that is alike in what was asked for."""

    by: dict[str, str]
    """Each name that was asked for, with its value; empty where the use says nothing of it."""
    unit: str
    """What was counted, as chip_hours."""
    quantity: Decimal
    quoted_micro_usd: int
    """What it comes to at the prices that were quoted when it was decided."""
    charged_micro_usd: int
    """What was charged for it, by the unit."""
    unpriced: Decimal = Decimal(0)
    """So much of the quantity has no charge by the unit: it has no price, or goes by tiers or a reservation."""


def used(rollups: Iterable[Rollup], charged: Iterable[UseCharged], by: Sequence[str]) -> tuple[Used, ...]:
    """The use of a span, in groups. What was earned and paid is left out: it is not used.

    Charges are those of lines of use at a price, summed as they are stored. Where `by` names the day, both must be
    summed by day; else over any span.
    """
    groups: dict[tuple[str, ...], _Sum] = {}
    for roll in rollups:
        if roll.metric.startswith(PREFIX) or roll.metric == PAID:
            continue
        group = groups.setdefault(
            _group(roll.metric, roll.party, roll.provider, roll.hour, roll.attributes, by), _Sum()
        )
        alike = (roll.metric, tuple(sorted(roll.attributes.items())))
        group.counted[alike] = group.counted.get(alike, 0) + roll.micro
        if roll.quoted_usd is not None:
            group.quoted += roll.quoted_usd * roll.micro / unit_of(roll.metric)[1]
    for line in charged:
        group = groups.setdefault(
            _group(line.metric, line.payer, line.payee, line.start, line.attributes, by), _Sum()
        )
        alike = (line.metric, tuple(sorted(line.attributes.items())))
        group.priced[alike] = group.priced.get(alike, 0) + line.micro
        group.charged += line.posted_micro
    return tuple(group.used(name, by) for name, group in sorted(groups.items()))


_Alike = tuple[str, tuple[tuple[str, str], ...]]


class _Sum:
    """What is added up for a group."""

    __slots__ = ("charged", "counted", "priced", "quoted")

    def __init__(self) -> None:
        self.counted: dict[_Alike, int] = {}
        self.priced: dict[_Alike, int] = {}
        self.quoted = Decimal(0)
        self.charged = 0

    def used(self, name: tuple[str, ...], by: Sequence[str]) -> Used:
        """As it is shown."""
        metric, *values = name
        unit, per = unit_of(metric)
        left = sum(max(0, micro - self.priced.get(alike, 0)) for alike, micro in self.counted.items())
        priceless = metric.endswith(_EARNED)
        return Used(
            by=dict(zip(by, values, strict=True)),
            unit=unit,
            quantity=_quantity(sum(self.counted.values()), per),
            quoted_micro_usd=int(self.quoted.to_integral_value(rounding=ROUND_HALF_EVEN)),
            charged_micro_usd=self.charged,
            unpriced=Decimal(0) if priceless else _quantity(left, per),
        )


def _group(
    metric: str, party: str, provider: str, at: Instant, attributes: dict[str, str], by: Sequence[str]
) -> tuple[str, ...]:
    said = {"party": party, "provider": provider, **attributes, "metric": metric, "day": str(at)[:10]}
    return (metric, *(said.get(name, "") for name in by))


def _quantity(micro: int, per: int) -> Decimal:
    return Decimal(plain(Decimal(micro).scaleb(-6) / per) or 0)
