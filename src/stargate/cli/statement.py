"""`stargate statement`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import click

from stargate.agreements import ChargeLine
from stargate.base.errors import NotFoundError, UserError
from stargate.base.money import format_usd, usd
from stargate.cli.ledger.options import a_month, ledger_option, now, opened
from stargate.cli.output import count, dollars, json_option, print_json, say, table
from stargate.cli.usage import names_of, shown
from stargate.ledger import Entry, Ledger, Payable, UsageEvent
from stargate.ledger.record.month import month_of
from stargate.ledger.statement import Group, Item, Statement
from stargate.ledger.statement.detail import Wording
from stargate.ledger.statement.group import FIELDS
from stargate.ledger.statement.page import LINES_LIMIT, in_words, page, price

EVENTS_SHOWN = 50
INSTALMENTS_SHOWN = 12


@click.command("statement")
@click.argument("party")
@click.argument("other")
@click.option(
    "--period",
    "--month",
    "month",
    callback=a_month,
    metavar="MONTH",
    help="Which month.  [default: this one]",
)
@click.option("--as-of", type=click.IntRange(0), metavar="N", help="As it was with entry N of the record.")
@click.option(
    "--by",
    default="",
    help="What to tell apart, with commas: clause, kind, day, metric, agreement, payer, or an attribute of the use, as"
    " team, product, model, provider, workload, site.",
)
@click.option(
    "--line", type=click.IntRange(1), metavar="N", help="The clause, the entries and the usage behind line N."
)
@click.option(
    "--csv",
    "sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write its lines here too; with --by, the groups.",
)
@click.option(
    "--html",
    "paper",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it here too, as one page to read or print, with what is behind each line.",
)
@ledger_option
@json_option
def command(
    *,
    party: str,
    other: str,
    month: str | None,
    as_of: int | None,
    by: str,
    line: int | None,
    sheet: Path | None,
    paper: Path | None,
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
    names = names_of(by) if by else ()
    with opened(ledger, data) as store:
        books, at = Ledger(store), now()
        drawn = books.statement(parties, month or month_of(at), as_of)
        if line is not None:
            _drill(books, drawn, line, as_json=as_json)
            return
        groups = _grouped(books, drawn, names) if names else ()
        if sheet is not None:
            _write(sheet, drawn, names, groups)
        if paper is not None:
            paper.write_text(
                page(drawn, books.details(drawn, LINES_LIMIT), names, groups), encoding="utf-8", newline="\n"
            )
        ahead = (
            _ahead(books.preview(drawn.month, at), parties)
            if drawn.status != "closed" and as_of is None
            else ()
        )
        due = books.payables(parties, at) if as_of is None else ()
    if as_json:
        said = {"groups": groups} if names else {}
        print_json({"statement": drawn, **said, "not_posted": ahead, "payables": due})
        return
    say(_by(drawn, names, groups) if names else _told(drawn, ahead, due))


def _grouped(books: Ledger, drawn: Statement, names: Sequence[str]) -> tuple[Group, ...]:
    """Raises UserError for a name of which no line says anything."""
    groups = books.grouped(drawn, names)
    for name in names if groups else ():
        if name not in FIELDS and not any(one.by[name] for one in groups):
            raise UserError(
                f"no line of the statement says anything of {name!r}",
                f"leave it out, or use {', '.join(FIELDS)}, or an attribute that the use carries, as team",
            )
    return groups


def _by(drawn: Statement, names: Sequence[str], groups: Sequence[Group]) -> Iterator[str]:
    yield _title(drawn)
    rows = [
        (
            *(one.by[name] for name in names),
            one.payer,
            one.payee,
            "" if one.quantity is None else f"{shown(one.quantity)} {one.measured_in}",
            _amount(one.amount_micro, one.unit),
        )
        for one in groups
    ]
    heads = (*(name.upper() for name in names), "PAYER", "PAYEE", "QUANTITY", "AMOUNT")
    yield table(heads, rows) if rows else "\nnothing is booked between them in this month"
    yield ""
    yield from _nets(drawn)
    yield f"digest {drawn.digest}"


def _title(drawn: Statement) -> str:
    one, other = drawn.parties
    return f"{one} and {other}, {drawn.month} ({drawn.status}), as of entry {drawn.as_of_entry:,}"


def _nets(drawn: Statement) -> Iterator[str]:
    for net in drawn.net:
        yield f"net: {net.payer} owes {net.payee} {_amount(net.amount_micro, net.unit)}"


def _ahead(charges: Sequence[ChargeLine], parties: tuple[str, str]) -> tuple[ChargeLine, ...]:
    """What clauses would come to between the two, at present."""
    return tuple(
        one
        for one in charges
        if {one.payer, one.payee} == set(parties) and one.amount_micro_usd and one.basis != "net"
    )


def _told(drawn: Statement, ahead: Sequence[ChargeLine], due: Sequence[Payable]) -> Iterator[str]:
    yield _title(drawn)
    numbered = list(enumerate(drawn.items, 1))
    for title, corrects in (("", False), ("Corrections of closed months", True)):
        rows = [(number, *_row(item)) for number, item in numbered if bool(item.corrects) is corrects]
        if rows:
            yield f"\n{title}" if title else ""
            yield table(HEADS, rows)
    if not drawn.items:
        yield "\nnothing is booked between them in this month"
    yield ""
    yield from _nets(drawn)
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
        price(item),
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
    entries = list(books.entries_of(drawn, item))
    clause, events = books.wordings(drawn, item), books.usage_of(drawn, item, entries)
    if as_json:
        print_json({"item": item, "clause": clause, "entries": entries, "usage": list(events)})
        return
    say(_drilled(item, clause, entries, events))


def _drilled(
    item: Item, clause: Sequence[Wording], entries: Sequence[Entry], events: Iterator[UsageEvent]
) -> Iterator[str]:
    owed = _amount(item.amount_micro, item.unit)
    yield f"{item.payer} to {item.payee}, {item.clause or 'at the price quoted'}: {owed}"
    for one in clause:
        yield f"\n{one.clause}" + (f", see {one.text_ref}" if one.text_ref else "")
        if one.quote:
            yield f"  “{one.quote}”"
        yield from (f"  {name}: {in_words(value)}" for name, value in one.terms.items())
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
    found = list(islice(events, EVENTS_SHOWN + 1))
    if found:
        used = [
            (event.source, event.key, str(event.start)[:16], shown(event.quantity), event.metric)
            for event in found[:EVENTS_SHOWN]
        ]
        if item.kind != "usage" or item.price_usd is None:
            yield "\nusage in the clause's scope:"
        yield "\n" + table(("SOURCE", "EVENT", "AT", "QUANTITY", "UNIT"), used)
    if len(found) > EVENTS_SHOWN:
        yield "and more; --json has them all"


def _write(to: Path, drawn: Statement, names: Sequence[str], groups: Sequence[Group]) -> None:
    """The lines, or the groups, as CSV; amounts are exact, in the unit beside them."""
    with to.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        about = (" ".join(drawn.parties), drawn.month, drawn.as_of_entry)
        if names:
            columns = ("payer", "payee", "unit", "quantity", "measured_in", "entries")
            writer.writerow(("parties", "month", "as_of_entry", *names, "amount", *columns))
            for group in groups:
                said = [_plain(getattr(group, name)) for name in columns]
                values = [group.by[name] for name in names]
                writer.writerow((*about, *values, usd(group.amount_micro), *said))
            return
        kept = [name for name in Item.__struct_fields__ if name not in ("amount_micro", "quoted_micro_usd")]
        writer.writerow(("line", "parties", "month", "as_of_entry", "amount", "quoted_usd", *kept))
        for number, item in enumerate(drawn.items, 1):
            quoted = "" if item.quoted_micro_usd is None else usd(item.quoted_micro_usd)
            said = [_plain(getattr(item, name)) for name in kept]
            writer.writerow((number, *about, usd(item.amount_micro), quoted, *said))


def _plain(value: Any) -> str:
    return "" if value is None else format(value, "f") if isinstance(value, Decimal) else str(value)
