"""How results look: aligned columns for people, JSON for scripts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from stargate.base import wire
from stargate.base.money import format_usd
from stargate.base.time import DAY, HOUR, MINUTE, SECOND, Instant


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that every command has."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(record: Any) -> None:
    """One JSON document on stdout."""
    import msgspec

    click.echo(msgspec.json.format(wire.to_json(record), indent=2).decode())


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns as wide as they must be; the last one is cut at the width of the terminal."""
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [
        max([len(heading), *(len(row[column]) for row in texts)]) for column, heading in enumerate(headings)
    ]
    width = shutil.get_terminal_size((0, 0)).columns if sys.stdout.isatty() else 0
    lines = []
    for row in [[*headings], *texts]:
        line = "  ".join(text.ljust(size) for text, size in zip(row, widths, strict=True)).rstrip()
        lines.append(f"{line[: width - 1]}…" if width and len(line) > width else line)
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return clean(" ".join(str(value).split()))


def clean(text: str) -> str:
    """Without control characters: what others wrote must not steer somebody's terminal."""
    return (
        text
        if text.isprintable()
        else "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)
    )


def say(lines: Iterable[str]) -> None:
    """Lines for people, on stdout."""
    for line in lines:
        click.echo(clean(line))


def dollars(micro_usd: int | None) -> str:
    """`$12.34`; nothing where nothing is known."""
    return "" if micro_usd is None else format_usd(micro_usd)


def moment(text: str | None) -> str:
    """ISO 8601 to the second."""
    if not text:
        return ""
    return f"{text[:19].removesuffix('Z')}Z" if "T" in text else text


def age(text: str | None, now: Instant) -> str:
    """How long ago: `3m`, `2h`, `5d`."""
    if not text:
        return ""
    passed = max(0, now - Instant.parse(text))
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if passed >= 2 * unit:
            return f"{passed // unit}{letter}"
    return f"{passed // SECOND}s"


def count(number: int, one: str, many: str = "") -> str:
    """`1 pool`, `3 pools`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
