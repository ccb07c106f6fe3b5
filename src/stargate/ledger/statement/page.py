"""A statement as one HTML file, ready to be printed: what is owed, the lines, and what is behind each.

It says nothing that is not in the record up to the statement's entry, so it comes out the same whenever it is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from stargate.base.money import format_usd, usd
from stargate.base.page import bound
from stargate.base.table import Amount, Cell, Link, escaped, named, table
from stargate.base.time import Instant
from stargate.ledger.record.month import span_of
from stargate.ledger.statement.detail import USAGE_SHOWN, Detail, Wording
from stargate.ledger.statement.group import Group
from stargate.ledger.statement.statement import Item, Statement

LINES_LIMIT = 2_000
"""Lines that a page shows; the rest is counted, and is in JSON and CSV."""
_HEADS = ("Line", "Clause", "Kind", "From", "To", "Quantity", "Price", "Amount", "Quoted")


def page(
    drawn: Statement, details: Sequence[Detail], by: Sequence[str] = (), groups: Sequence[Group] = ()
) -> str:
    """The file. `details` belong to the first LINES_LIMIT items; `groups` are shown when `by` has names."""
    chapters = [("What is owed", _owed(drawn))]
    for title, corrects in (("Lines", False), ("Corrections of closed months", True)):
        if lines := list(_lines(drawn, corrects=corrects)):
            chapters.append((title, "\n".join(lines)))
    if by:
        chapters.append((f"By {', '.join(by)}", _grouped(by, groups)))
    if drawn.items:
        articles = [
            _article(drawn, number, item, detail)
            for number, (item, detail) in enumerate(zip(drawn.items[:LINES_LIMIT], details, strict=True), 1)
        ]
        chapters.append(("Behind each line", "\n".join(articles)))
    one, other = drawn.parties
    return bound(f"Statement {drawn.month}: {one} and {other}", _head(drawn), chapters)


def _head(drawn: Statement) -> str:
    span = span_of(drawn.month)
    return named(
        {
            "between": " and ".join(drawn.parties),
            "period": f"{_day(span.start)} to {_last_day(span.end)}, UTC",
            "the month is": drawn.status
            if drawn.status == "closed"
            else f"{drawn.status}: it may still change",
            "as of entry": f"{drawn.as_of_entry:,} of the ledger",
            "root of the month": drawn.root,
            "digest": drawn.digest,
        }
    )


def _owed(drawn: Statement) -> str:
    """Both directions and what is left of them, for each unit."""
    if not drawn.items:
        return "<p>Nothing is booked between them in this month.</p>"
    parts = []
    for net in drawn.net:
        owed = escaped(amount(net.amount_micro, net.unit))
        said = f"{escaped(net.payer)} owes {escaped(net.payee)} <strong>{owed}</strong>"
        parts.append(f'<p class="lead">{said if net.amount_micro else "Nothing is owed on balance."}</p>')
        rows: list[tuple[Cell, ...]] = []
        for payer, payee in ((net.payer, net.payee), (net.payee, net.payer)):
            lines = [item for item in drawn.items if (item.payer, item.unit) == (payer, net.unit)]
            if lines:
                gross = sum(item.amount_micro for item in lines)
                rows.append((f"{payer} to {payee}", len(lines), Amount(amount(gross, net.unit, exact=True))))
        rows.append(
            (f"net: {net.payer} to {net.payee}", "", Amount(amount(net.amount_micro, net.unit, exact=True)))
        )
        parts.append(table(f"Gross and net, in {net.unit}", ("Direction", "Lines", "Amount"), rows))
    quoted = [item for item in drawn.items if item.quoted_micro_usd is not None]
    if quoted:
        asked = sum(item.quoted_micro_usd or 0 for item in quoted)
        charged = sum(item.amount_micro for item in quoted)
        parts.append(
            f"<p>Use at the prices quoted: {escaped(format_usd(asked))}; charged: {escaped(format_usd(charged))};"
            f" difference: {escaped(format_usd(charged - asked))}.</p>"
        )
    return "\n".join(parts)


def _lines(drawn: Statement, *, corrects: bool) -> Iterator[str]:
    """The gross lines, one table for each direction."""
    numbered = [
        (number, item)
        for number, item in enumerate(drawn.items, 1)
        if bool(item.corrects) is corrects and number <= LINES_LIMIT
    ]
    for payer, payee in (drawn.parties, drawn.parties[::-1]):
        rows = [_row(number, item) for number, item in numbered if item.payer == payer]
        if rows:
            yield table(f"{payer} to {payee}", _HEADS, rows, limit=LINES_LIMIT)
    left = len(drawn.items) - LINES_LIMIT
    if left > 0 and numbered:
        yield f'<p class="more">{left:,} more lines are in the JSON and in the CSV.</p>'


def _row(number: int, item: Item) -> tuple[Cell, ...]:
    clause = item.clause or "quoted price"
    return (
        Link(str(number), f"line-{number}"),
        f"{clause} ({item.portion})" if item.portion else clause,
        f"{item.kind} of {item.corrects}" if item.corrects else item.kind,
        Amount(_day(item.start)),
        Amount(_last_day(item.end)),
        Amount("" if item.quantity is None else f"{plain(item.quantity)} {item.measured_in}"),
        Amount(price(item)),
        Amount(amount(item.amount_micro, item.unit, exact=True)),
        Amount("" if item.quoted_micro_usd is None else amount(item.quoted_micro_usd, "usd", exact=True)),
    )


def _grouped(by: Sequence[str], groups: Sequence[Group]) -> str:
    heads = (*by, "Payer", "Payee", "Quantity", "Amount")
    rows: list[tuple[Cell, ...]] = [
        (
            *(one.by[name] for name in by),
            one.payer,
            one.payee,
            Amount("" if one.quantity is None else f"{plain(one.quantity)} {one.measured_in}"),
            Amount(amount(one.amount_micro, one.unit, exact=True)),
        )
        for one in groups
    ]
    return table(f"By {', '.join(by)}", heads, rows, limit=LINES_LIMIT)


# -- behind a line -------------------------------------------------------------------------------------------------


def _article(drawn: Statement, number: int, item: Item, detail: Detail) -> str:
    title = f"Line {number}: {item.clause or 'quoted price'}, {item.kind}"
    owed = amount(item.amount_micro, item.unit, exact=True)
    facts = {
        "owed": f"{item.payer} to {item.payee}: {owed}",
        "because": item.says,
        "corrects": item.corrects,
        "due": "" if item.due is None else _day(item.due),
        "entries": f"{item.entries:,}, from {item.first_entry:,} to {item.last_entry:,}",
        "all of it": f"stargate statement {' '.join(drawn.parties)} --period {drawn.month}"
        f" --as-of {drawn.as_of_entry} --line {number} --json",
    }
    words = "\n".join(map(_wording, detail.wordings))
    parts = [named(facts), words]
    if detail.days:
        rows = [
            (one.day, Amount(plain(one.quantity)), Amount(amount(one.amount_micro, item.unit, exact=True)))
            for one in detail.days
        ]
        parts.append(table("Day by day", ("Day", item.measured_in or "Quantity", "Amount"), rows))
    if detail.usage:
        parts.append(_usage(item, detail))
    inside = "\n".join(part for part in parts if part)
    return f'<article id="line-{number}">\n<h3>{escaped(title)}</h3>\n{inside}\n</article>'


def _wording(wording: Wording) -> str:
    quote = f"<blockquote>{escaped(wording.quote)}</blockquote>\n" if wording.quote else ""
    said = {"clause": f"{wording.clause}, {wording.agreement}", "see": wording.text_ref}
    terms = {name.rstrip("_").replace("_", " "): in_words(value) for name, value in wording.terms.items()}
    return f"{named(said | terms)}\n{quote}"


def in_words(value: Any) -> str:
    """A field of a clause in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {in_words(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(in_words, value))
    return "yes" if value is True else "no" if value is False else str(value)


def _usage(item: Item, detail: Detail) -> str:
    rows = [
        (
            event.key,
            event.source,
            f"{str(event.start)[:16]}Z",
            Amount(f"{plain(event.quantity)} {event.metric}"),
            ", ".join(f"{name} {value}" for name, value in sorted(event.attributes.items())),
        )
        for event in detail.usage
    ]
    counted = "The usage" if detail.days else "Usage in the clause's scope"
    title = f"{counted}: the first {USAGE_SHOWN} events" if detail.more else counted
    return table(title, ("Event", "Source", "At", "Quantity", "Of"), rows)


def amount(micro: int, unit: str, *, exact: bool = False) -> str:
    """For people; `exact` writes all six places where the third is not the last."""
    if unit != "usd":
        return f"{plain(usd(micro))} {unit}"
    return (
        format_usd(micro) if not exact or micro % 10_000 == 0 else f"{'-' * (micro < 0)}${abs(usd(micro)):,f}"
    )


def price(item: Item) -> str:
    """Of a unit; of money, the rate."""
    if item.price_usd is None:
        return ""
    return f"{item.price_usd:f}" if item.measured_in == "usd" else f"${item.price_usd:f}"


def plain(quantity: Decimal) -> str:
    """A quantity for people: at most six places."""
    return f"{round(quantity, 6).normalize():,f}"


def _day(at: Instant) -> str:
    return str(at)[:10]


def _last_day(end: Instant) -> str:
    return _day(Instant(end - 1))
