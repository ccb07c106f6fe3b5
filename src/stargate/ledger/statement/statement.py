"""A statement: the entries between two parties booked in a month, gathered line by line.

It is drawn from entries and nothing else, so it can be drawn again at any time, for any month, as of any entry,
and comes out the same. Each item says under which clause it is owed and which entries made it; each entry says
how far usage was counted, so that the way leads down to the single event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from hashlib import blake2b

import msgspec

from stargate.base.time import Instant
from stargate.base.wire import pack
from stargate.ledger.record import Entry, unit_of
from stargate.ledger.settle.rate import amount_of


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is owed under one clause for one kind of thing."""

    clause: str
    """Empty: at the price that was quoted."""
    kind: str
    payer: str
    payee: str
    amount_micro: int
    """In millionths of `unit`; below zero: less than was stated before."""
    unit: str
    start: Instant
    end: Instant
    """Of the span it is for."""
    quantity: Decimal | None = None
    """Counted, in `measured_in`."""
    measured_in: str = ""
    price_usd: Decimal | None = None
    quoted_micro_usd: int | None = None
    """What the same use would have come to at the price that was quoted."""
    portion: str = ""
    corrects: str = ""
    """The closed month that it corrects."""
    says: str = ""
    text_ref: str = ""
    due: Instant | None = None
    entries: int = 0
    first_entry: int = 0
    last_entry: int = 0


class Net(msgspec.Struct, frozen=True):
    """What is left of both directions."""

    unit: str
    payer: str
    payee: str
    amount_micro: int


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """Between two parties, for a month, as of an entry."""

    parties: tuple[str, str]
    month: str
    status: str
    """Of the month: what is open may still change."""
    as_of_entry: int
    items: tuple[Item, ...]
    net: tuple[Net, ...]
    """One for each unit; gross items are kept above it."""
    digest: str
    """Of all the rest: the same record gives the same statement."""


def draw(
    entries: Iterable[Entry], parties: tuple[str, str], month: str, *, status: str, as_of_entry: int
) -> Statement:
    """The statement. Entries of other parties, months or later numbers are passed over."""
    sums: dict[tuple[object, ...], _Sum] = {}
    for entry in _between(entries, parties, month, as_of_entry):
        group = _group(entry)
        found = sums.get(group)
        if found is None:
            found = sums[group] = _Sum(entry, entry.line.month if entry.line.month != month else "")
        found.add(entry)
    items = tuple(one.item() for one in sums.values() if one.amount_micro or one.micro)
    ordered = tuple(sorted(items, key=_place))
    said = (sorted(parties), month, status, as_of_entry, [pack(item) for item in ordered])
    return Statement(
        parties=parties,
        month=month,
        status=status,
        as_of_entry=as_of_entry,
        items=ordered,
        net=_net(ordered, parties),
        digest=blake2b(pack(said), digest_size=32, person=b"stargate.state.1").hexdigest(),
    )


def behind(entries: Iterable[Entry], drawn: Statement, item: Item) -> list[Entry]:
    """The entries that made an item of a statement, of those it was drawn from."""
    group, found = None, []
    for entry in _between(entries, drawn.parties, drawn.month, drawn.as_of_entry):
        if entry.seq == item.first_entry:
            group = _group(entry)
        if group is not None and _group(entry) == group:
            found.append(entry)
    return found


def _between(entries: Iterable[Entry], parties: tuple[str, str], month: str, last: int) -> Iterator[Entry]:
    for entry in entries:
        key = entry.line
        if entry.month == month and entry.seq <= last and {key.payer, key.payee} == set(parties):
            yield entry


def _group(entry: Entry) -> tuple[object, ...]:
    """What entries of one item have in common."""
    key = entry.line
    late = key.month if key.month != entry.month else ""
    span = () if key.price_usd is not None and key.kind == "usage" else (key.start, key.end)
    return (
        late, key.clause, key.kind, key.payer, key.payee, key.unit, key.metric, key.price_usd, key.quoted_usd,
        key.portion, span,
    )  # fmt: skip


class _Sum:
    """Entries that make one item."""

    def __init__(self, first: Entry, late: str) -> None:
        self.first, self.last, self.late = first, first, late
        self.start, self.end = first.line.start, first.line.end
        self.amount_micro, self.micro, self.entries = 0, 0, 0

    def add(self, entry: Entry) -> None:
        """One more."""
        self.amount_micro += entry.amount_micro
        self.micro += entry.micro
        self.entries += 1
        self.last = entry
        self.start, self.end = min(self.start, entry.line.start), max(self.end, entry.line.end)

    def item(self) -> Item:
        """What they come to."""
        key = self.first.line
        unit, per = unit_of(key.metric)
        use = key.price_usd is not None and key.kind == "usage"
        quoted = None
        if use and key.quoted_usd is not None:
            at_quote = msgspec.structs.replace(key, price_usd=key.quoted_usd)
            quoted = amount_of(at_quote, self.micro)
        return Item(
            clause=key.clause,
            kind=key.kind,
            payer=key.payer,
            payee=key.payee,
            amount_micro=self.amount_micro,
            unit=key.unit,
            start=self.start,
            end=self.end,
            quantity=Decimal(self.micro).scaleb(-6) / per if self.micro else None,
            measured_in=unit if use else key.metric,
            price_usd=key.price_usd,
            quoted_micro_usd=quoted,
            portion=key.portion,
            corrects=self.late,
            says="" if use else self.last.says,
            text_ref=self.last.text_ref,
            due=self.last.due,
            entries=self.entries,
            first_entry=self.first.seq,
            last_entry=self.last.seq,
        )


def _place(item: Item) -> tuple[object, ...]:
    """Where an item stands: by direction, clause, kind, span."""
    price = Decimal(0) if item.price_usd is None else item.price_usd
    return (
        item.corrects, item.payer, item.payee, item.clause, item.kind, item.start, item.portion, item.measured_in,
        price, item.quoted_micro_usd or 0, item.first_entry,
    )  # fmt: skip


def _net(items: Sequence[Item], parties: tuple[str, str]) -> tuple[Net, ...]:
    one, other = parties
    owed: dict[str, int] = {}
    for item in items:
        sign = 1 if item.payer == one else -1
        owed[item.unit] = owed.get(item.unit, 0) + sign * item.amount_micro
    return tuple(
        Net(unit, one, other, amount) if amount >= 0 else Net(unit, other, one, -amount)
        for unit, amount in sorted(owed.items())
    )
