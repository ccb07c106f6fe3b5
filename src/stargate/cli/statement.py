"""`stargate statement`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from stargate.agreements import ChargeLine
from stargate.base.errors import NotFoundError, UserError
from stargate.base.money import format_usd, usd
from stargate.cli.ledger.options import a_month, ledger_option, now, opened
from stargate.cli.output import count, dollars, json_option, print_json, say, table
from stargate.cli.usage import shown
from stargate.ledger import Entry, Ledger, Payable, UsageEvent
from stargate.ledger.record.month import month_of
from stargate.ledger.statement import Item, Statement

EVENTS_SHOWN = 50
INSTALMENTS_SHOWN = 12


@click.command("statement")
@click.argument("party")
@click.argument("other")
@click.option("--month", callback=a_month, metavar="MONTH", help="Which month.  [default: this one]")
@click.option("--as-of", type=click.IntRange(0), metavar="N", help="As it was with entry N of the record.")
@click.option("--line", type=click.IntRange(1), metavar="N", help="The entries and the usage behind line N.")
@click.option(
    "--csv", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write its lines here too."
)
@ledger_option
@json_option
def command(
    *,
    party: str,
    other: str,
    month: str | None,
    as_of: int | None,
    line: int | None,
    to: Path | None,
    ledger: str | None,
    data: Path,
    as_json: bool,
) -> None:
    """Show what PARTY and OTHER owe each other for a month, line by line, and what is due when.

    A month that is closed has one statement for ever. Of one that is open, what its clauses would come to by now
    is shown too, marked as not posted.
    """
    if party == other:
        raise UserError(f"{party} owes itself nothing", "name two parties")
    parties = (party, other)
    with opened(ledger, data) as store:
        books, at = Ledger(store), now()
        drawn = books.statement(parties, month or month_of(at), as_of)
        if line is not None:
            _drill(books, drawn, line, as_json=as_json)
            return
        ahead = (
            _ahead(books.preview(drawn.month, at), parties)
            if drawn.status != "closed" and as_of is None
            else ()
        )
        due = books.payables(parties, at) if as_of is None else ()
    if to is not None:
        _write(to, drawn)
    if as_json:
        print_json({"statement": drawn, "not_posted": ahead, "payables": due})
        return
    say(_told(drawn, ahead, due))


def _ahead(charges: Sequence[ChargeLine], parties: tuple[str, str]) -> tuple[ChargeLine, ...]:
    """What clauses would come to between the two, at present."""
    return tuple(
        one
        for one in charges
        if {one.payer, one.payee} == set(parties) and one.amount_micro_usd and one.basis != "net"
    )


def _told(drawn: Statement, ahead: Sequence[ChargeLine], due: Sequence[Payable]) -> Iterator[str]:
    one, other = drawn.parties
    yield f"{one} and {other}, {drawn.month} ({drawn.status}), as of entry {drawn.as_of_entry:,}"
    numbered = list(enumerate(drawn.items, 1))
    for title, corrects in (("", False), ("Corrections of closed months", True)):
        rows = [(number, *_row(item)) for number, item in numbered if bool(item.corrects) is corrects]
        if rows:
            yield f"\n{title}" if title else ""
            yield table(HEADS, rows)
    if not drawn.items:
        yield "\nnothing is booked between them in this month"
    yield ""
    for net in drawn.net:
        yield f"net: {net.payer} owes {net.payee} {_amount(net.amount_micro, net.unit)}"
    if any(item.quoted_micro_usd is not None for item in drawn.items):
        quoted = sum(item.quoted_micro_usd or 0 for item in drawn.items)
        charged = sum(item.amount_micro for item in drawn.items if item.quoted_micro_usd is not None)
        yield (
            f"use at the prices quoted: {format_usd(quoted)}; charged: {format_usd(charged)};"
            f" difference {format_usd(charged - quoted)}"
        )
    if ahead:
        yield "\nNot posted: what the clauses would come to with what is on record by now"
        rows = [
            (line.payer, line.clause, line.kind, format_usd(line.amount_micro_usd), line.says)
            for line in ahead
        ]
        yield table(("PAYER", "CLAUSE", "KIND", "AMOUNT", "BECAUSE"), rows)
    for payable in due:
        yield from _due(payable)
    yield f"digest {drawn.digest}"


HEADS = ("LINE", "PAYER", "CLAUSE", "KIND", "SPAN", "QUANTITY", "PRICE", "AMOUNT", "QUOTED", "BECAUSE")


def _row(item: Item) -> tuple[object, ...]:
    quantity = "" if item.quantity is None else f"{shown(item.quantity)} {item.measured_in}"
    span = f"{str(item.start)[:10]} to {str(item.end)[:10]}"
    clause = item.clause or "quoted price"
    return (
        item.payer,
        f"{clause} ({item.portion})" if item.portion else clause,
        item.kind,
        f"{span}, of {item.corrects}" if item.corrects else span,
        quantity,
        "" if item.price_usd is None else f"${item.price_usd:f}",
        _amount(item.amount_micro, item.unit),
        dollars(item.quoted_micro_usd),
        item.says,
    )


def _amount(micro: int, unit: str) -> str:
    return format_usd(micro) if unit == "usd" else f"{shown(usd(micro))} {unit}"


def _due(payable: Payable) -> Iterator[str]:
    yield (
        f"\n{payable.payer} to {payable.payee}: {format_usd(payable.owed_micro_usd)} in all,"
        f" {format_usd(payable.paid_micro_usd)} paid, {format_usd(payable.overdue_micro_usd)} due and not paid"
    )
    left = [one for one in payable.instalments if one.amount_micro_usd > one.paid_micro_usd]
    rows = [
        (
            str(one.due)[:10],
            one.clause or "quoted price",
            one.kind,
            one.month,
            format_usd(one.amount_micro_usd - one.paid_micro_usd),
        )
        for one in left[:INSTALMENTS_SHOWN]
    ]
    if rows:
        yield table(("DUE", "CLAUSE", "KIND", "OF", "AMOUNT"), rows)
    if len(left) > INSTALMENTS_SHOWN:
        yield f"and {count(len(left) - INSTALMENTS_SHOWN, 'more instalment')}; --json has them all"


# -- one line ------------------------------------------------------------------------------------------------------


def _drill(books: Ledger, drawn: Statement, number: int, *, as_json: bool) -> None:
    """The entries of a line, and what was counted for them. Raises NotFoundError."""
    if number > len(drawn.items):
        raise NotFoundError(
            f"the statement has {count(len(drawn.items), 'line')}", "name one of them with --line"
        )
    item = drawn.items[number - 1]
    entries = books.entries_of(drawn, item)
    events = books.usage_of(entries)
    if as_json:
        print_json({"item": item, "entries": entries, "usage": list(events)})
        return
    say(_drilled(item, entries, events))


def _drilled(item: Item, entries: Sequence[Entry], events: Iterator[UsageEvent]) -> Iterator[str]:
    owed = _amount(item.amount_micro, item.unit)
    yield f"{item.payer} to {item.payee}, {item.clause or 'at the price quoted'}: {owed}"
    if item.text_ref:
        yield f"see {item.text_ref}"
    rows = [
        (
            entry.seq,
            str(entry.recorded_at)[:19],
            str(entry.line.start)[:16],
            _amount(entry.amount_micro, entry.line.unit),
            entry.says,
        )
        for entry in entries[:EVENTS_SHOWN]
    ]
    yield "\n" + table(("ENTRY", "RECORDED", "FOR", "AMOUNT", "BECAUSE"), rows)
    if len(entries) > EVENTS_SHOWN:
        yield f"and {count(len(entries) - EVENTS_SHOWN, 'more entry', 'more entries')}; --json has them all"
    found = [event for event, _ in zip(events, range(EVENTS_SHOWN + 1), strict=False)]
    if found:
        used = [
            (event.source, event.key, str(event.start)[:16], shown(event.quantity), event.metric)
            for event in found[:EVENTS_SHOWN]
        ]
        yield "\n" + table(("SOURCE", "EVENT", "AT", "QUANTITY", "UNIT"), used)
    if len(found) > EVENTS_SHOWN:
        yield "and more; --json has them all"


def _write(to: Path, drawn: Statement) -> None:
    """The lines as CSV; amounts are exact."""
    with to.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        columns = [
            name for name in Item.__struct_fields__ if name not in ("amount_micro", "quoted_micro_usd")
        ]
        writer.writerow(("line", "parties", "month", "amount", "quoted_usd", *columns))
        for number, item in enumerate(drawn.items, 1):
            quoted = "" if item.quoted_micro_usd is None else usd(item.quoted_micro_usd)
            said = [_plain(getattr(item, name)) for name in columns]
            writer.writerow(
                (number, " ".join(drawn.parties), drawn.month, usd(item.amount_micro), quoted, *said)
            )


def _plain(value: Any) -> str:
    return "" if value is None else str(value)
