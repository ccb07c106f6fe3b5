"""Tables and figures as HTML text. Whatever others named is escaped here, and nowhere else."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from stargate.base.money import MICRO_PER_USD

ROWS_LIMIT = 200
"""Rows that a page shows; the rest is counted, and is in the JSON."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


class Amount(msgspec.Struct, frozen=True):
    """A number in a cell as it is to be written, perhaps with a bar beside it."""

    text: str
    share: float | None = None
    """Length of the bar, 0 to 1."""


class Link(msgspec.Struct, frozen=True):
    """Text that leads to another place of the page."""

    text: str
    to: str
    """The place's id, which is ours."""


Cell = str | Amount | Link | int | float


def escaped(text: str) -> str:
    """Text from outside, safe in content and in quoted attributes; what cannot be shown is replaced."""
    return html.escape(_CONTROL.sub("�", text))


def number(value: float) -> str:
    """With thousands separated: whole, or with the digits that say something."""
    if isinstance(value, int) or value == round(value):
        return f"{value:,.0f}"
    size = abs(value)
    return f"{value:,.0f}" if size >= 1_000 else f"{value:,.1f}" if size >= 100 else f"{value:,.4g}"


def percent(share: float) -> str:
    """A share as `12.3 %`."""
    return f"{share * 100:.1f} %"


def money(micro_usd: int) -> str:
    """USD, short where it is much."""
    size = abs(micro_usd) / MICRO_PER_USD
    for least, letter in ((1e9, "B"), (1e6, "M")):
        if size >= least:
            return f"${micro_usd / MICRO_PER_USD / least:,.2f} {letter}"
    return f"${micro_usd / MICRO_PER_USD:,.2f}"


def span(seconds: float) -> str:
    """A length of time for people."""
    for least, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= least:
            return f"{seconds / least:,.1f} {unit}"
    return f"{number(round(seconds, 3))} s"


def named(values: Mapping[str, str]) -> str:
    """Short facts as a list of terms."""
    listed = "".join(
        f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in values.items() if value
    )
    return f"<dl>{listed}</dl>"


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, limit: int = ROWS_LIMIT
) -> str:
    """A table; the first cell of a row names it. Text is escaped, numbers stand to the right."""
    listed = list(rows)
    text = [isinstance(cell, str | Link) for cell in listed[0]] if listed else [True] * len(heads)
    head = "".join(
        f'<th scope="col"{"" if left or not place else " class=n"}>{escaped(each)}</th>'
        for place, (each, left) in enumerate(zip(heads, text, strict=True))
    )
    body = "\n".join(_row(row) for row in listed[:limit])
    more = len(listed) - limit
    rest = f'<p class="more">{more:,} more rows are in the JSON.</p>' if more > 0 else ""
    return (
        f'<div class="wide" role="region" aria-label="{escaped(caption)}" tabindex="0">'
        f"<table><caption>{escaped(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>{rest}"
    )


def _row(row: Sequence[Cell]) -> str:
    first, *others = row
    cells = "".join(_cell(each) for each in others)
    name = _linked(first) if isinstance(first, Link) else escaped(str(first))
    return f'<tr><th scope="row">{name}</th>{cells}</tr>'


def _cell(cell: Cell) -> str:
    if isinstance(cell, Amount):
        bar = ""
        if cell.share is not None:
            length = min(1.0, max(0.0, cell.share)) * 100
            bar = f' <span class="track"><span class="bar" style="width:{length:.1f}%"></span></span>'
        return f'<td class="n">{escaped(cell.text)}{bar}</td>'
    if isinstance(cell, Link):
        return f"<td>{_linked(cell)}</td>"
    if isinstance(cell, str):
        return f"<td>{escaped(cell)}</td>"
    return f'<td class="n">{number(cell)}</td>'


def _linked(link: Link) -> str:
    return f'<a href="#{link.to}">{escaped(link.text)}</a>'


def details(summary: str, inside: str, *, shown: bool = False) -> str:
    """Something that opens."""
    return f"<details{' open' if shown else ''}><summary>{escaped(summary)}</summary>\n{inside}\n</details>"


def figure(drawing: str, caption: str, names: Sequence[tuple[str, str]], beside: str) -> str:
    """A plot with its legend (colour, name) and, folded, its table."""
    legend = "".join(
        f'<li><span class="key" style="background:{colour}"></span>{escaped(name)}</li>'
        for colour, name in names
    )
    listed = f'<ul class="legend">{legend}</ul>' if names else ""
    return (
        f"<figure><figcaption>{escaped(caption)}</figcaption>\n{listed}{drawing}\n"
        f"{details('As a table', beside)}</figure>"
    )
