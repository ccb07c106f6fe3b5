"""A statement by what its lines say: team, day, product, whatever attributes use carries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from stargate.base.time import DAY
from stargate.ledger.record import LineKey, unit_of
from stargate.ledger.record.booked import Moved
from stargate.ledger.statement.statement import at_a_price

FIELDS = ("agreement", "clause", "kind", "day", "month", "metric", "payer", "payee", "party", "provider")
"""What lines say beside the attributes of the use; `party` and `provider` are payer and payee, unless an attribute
says more. `day` is empty for what clauses say of more than one."""


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lines of a statement that are alike in what was asked for, in one direction."""

    by: dict[str, str]
    """Each name that was asked for, with its value; empty where the lines say nothing of it."""
    payer: str
    payee: str
    amount_micro: int
    """In millionths of `unit`. Over all groups these add up to the statement."""
    unit: str
    quantity: Decimal | None = None
    """Used at a price, where it is all of one metric."""
    measured_in: str = ""
    entries: int


def grouped(moved: Iterable[Moved], by: Sequence[str]) -> tuple[Group, ...]:
    """What was booked, in groups, in their order. It must come with attributes, and by day where that is asked."""
    groups: dict[tuple[str, ...], _Sum] = {}
    days: dict[int, str] = {}
    by_day = "day" in by
    key, said = None, {}
    for one in moved:
        if not one.amount_micro and not one.micro:
            continue
        if one.key is not key:
            key, said = one.key, _said(one.key)
        if by_day:
            day = one.start // DAY
            name = days.get(day) or days.setdefault(day, str(one.start)[:10])
            said["day"] = name if day == (one.end - 1) // DAY else ""
        values = tuple([said.get(name, "") for name in by])
        group = (*values, key.payer, key.payee, key.unit)
        found = groups.get(group)
        if found is None:
            found = groups[group] = _Sum()
        found.add(one)
    return tuple(total.group(by, name) for name, total in sorted(groups.items(), key=lambda item: item[0]))


class _Sum:
    """What is added up for a group."""

    __slots__ = ("amount_micro", "entries", "metrics", "micro")

    def __init__(self) -> None:
        self.amount_micro, self.micro, self.entries = 0, 0, 0
        self.metrics: set[str] = set()

    def add(self, one: Moved) -> None:
        """More of it."""
        self.amount_micro += one.amount_micro
        self.entries += one.entries
        if at_a_price(one.key):
            self.metrics.add(one.key.metric)
            self.micro += one.micro

    def group(self, by: Sequence[str], name: tuple[str, ...]) -> Group:
        """As it is shown."""
        *values, payer, payee, unit = name
        measured_in, per = unit_of(next(iter(self.metrics))) if len(self.metrics) == 1 else ("", 0)
        return Group(
            by=dict(zip(by, values, strict=True)),
            payer=payer,
            payee=payee,
            amount_micro=self.amount_micro,
            unit=unit,
            quantity=Decimal(self.micro).scaleb(-6) / per if per else None,
            measured_in=measured_in,
            entries=self.entries,
        )


def _said(key: LineKey) -> dict[str, str]:
    return {
        "party": key.payer,
        "provider": key.payee,
        **key.attributes,
        "agreement": key.clause.partition("/")[0] or key.attributes.get("agreement", ""),
        "clause": key.clause,
        "kind": key.kind,
        "month": key.month,
        "metric": key.metric,
        "payer": key.payer,
        "payee": key.payee,
    }
