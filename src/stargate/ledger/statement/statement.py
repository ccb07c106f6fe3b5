"""A statement: the entries between two parties booked in a month, gathered line by line.

It is drawn from entries and nothing else, so it can be drawn again at any time, for any month, as of any entry,
and comes out the same. Each item says under which clause it is owed and which entries made it; each entry says
how far usage was counted, so that the way leads down to the single event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b

import msgspec

from stargate.base.time import Instant
from stargate.base.wire import pack
from stargate.ledger.record import Entry, LineKey, unit_of
from stargate.ledger.record.booked import Moved, Words
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
    """Of the month, with that entry: what is open may still change."""
    root: str = ""
    """Of the month, in hexadecimal, where it is closed: over all its lines, and the usage counted for them."""
    as_of_entry: int
    items: tuple[Item, ...]
    net: tuple[Net, ...]
    """One for each unit; gross items are kept above it."""
    digest: str
    """Of parties, month, entry and items: the same record gives the same one."""


def draw(
    moved: Iterable[Moved],
    words: Mapping[int, Words],
    parties: tuple[str, str],
    month: str,
    *,
    as_of_entry: int,
    status: str = "open",
    root: str = "",
) -> Statement:
    """The statement of what was booked between two parties in a month, by an entry.

    `words` holds at least what the last entry of each says.
    """
    items = (_item(one, month, words[one.last_entry]) for one in moved if one.amount_micro or one.micro)
    ordered = tuple(sorted(items, key=_place))
    said = (sorted(parties), month, as_of_entry, [pack(item) for item in ordered])
    return Statement(
        parties=parties,
        month=month,
        status=status,
        root=root,
        as_of_entry=as_of_entry,
        items=ordered,
        net=_net(ordered, parties),
        digest=blake2b(pack(said), digest_size=32, person=b"stargate.state.1").hexdigest(),
    )


def behind(entries: Iterable[Entry], drawn: Statement, item: Item) -> Iterator[Entry]:
    """The entries that made an item of a statement, of those between the two in order, its first among them."""
    group = None
    for entry in entries:
        if entry.seq == item.first_entry:
            group = _group(entry.line)
        if entry.month == drawn.month and entry.seq <= item.last_entry and _group(entry.line) == group:
            yield entry


def by_item(moved: Iterable[Moved]) -> dict[int, list[Moved]]:
    """Parts of the items of a statement, by the first entry of each item."""
    groups: dict[tuple[object, ...], list[Moved]] = {}
    for one in moved:
        groups.setdefault(_group(one.key), []).append(one)
    return {min(one.first_entry for one in parts): parts for parts in groups.values()}


def at_a_price(key: LineKey) -> bool:
    """Whether it is for use, by the unit; what clauses say of a whole month is not."""
    return key.kind == "usage" and key.price_usd is not None


def _group(key: LineKey) -> tuple[object, ...]:
    """What lines of one item have in common."""
    span = () if at_a_price(key) else (key.start, key.end)
    return (
        key.month, key.clause, key.kind, key.payer, key.payee, key.unit, key.metric, key.price_usd, key.quoted_usd,
        key.portion, span,
    )  # fmt: skip


def _item(moved: Moved, month: str, words: Words) -> Item:
    key = moved.key
    unit, per = unit_of(key.metric)
    use = at_a_price(key)
    quoted = None
    if use and key.quoted_usd is not None:
        quoted = amount_of(msgspec.structs.replace(key, price_usd=key.quoted_usd), moved.micro)
    return Item(
        clause=key.clause,
        kind=key.kind,
        payer=key.payer,
        payee=key.payee,
        amount_micro=moved.amount_micro,
        unit=key.unit,
        start=moved.start,
        end=moved.end,
        quantity=Decimal(moved.micro).scaleb(-6) / per if moved.micro else None,
        measured_in=unit if use else key.metric,
        price_usd=key.price_usd,
        quoted_micro_usd=quoted,
        portion=key.portion,
        corrects="" if key.month == month else key.month,
        says="" if use else words.says,
        text_ref=words.text_ref,
        due=words.due,
        entries=moved.entries,
        first_entry=moved.first_entry,
        last_entry=moved.last_entry,
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
