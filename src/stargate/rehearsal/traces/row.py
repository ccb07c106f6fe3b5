"""Rows of a table as mappings from column to cell, and the loop that counts those that do not fit."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import LONGEST_LINE, Source

Row = Mapping[str, str]
T = TypeVar("T")


def cells(line: str) -> list[str]:
    """The cells of one line of comma-separated text. Quotes never reach over the line's end."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def rows(
    source: Source, skipped: Skipped, columns: tuple[str, ...] | None = None
) -> Iterator[tuple[int, Row]]:
    """Numbered rows of a table whose first line names its columns, or that has these columns and no header."""
    names = None if columns is None else list(columns)
    for line, text in source.lines():
        if not text.strip():
            continue
        if len(text) >= LONGEST_LINE:
            skipped.count("the line is longer than a mebibyte", line)
            continue
        found = cells(text)
        if names is None:
            names = [name.strip() for name in found]
        elif len(found) < len(names):
            skipped.count("the row has too few cells", line)
        else:
            yield line, dict(zip(names, found, strict=False))


def fitting(
    numbered: Iterable[tuple[int, Row]], make: Callable[[int, Row], T], skipped: Skipped
) -> Iterator[T]:
    """What `make` makes of each row; rows that it refuses with ValueError are counted."""
    for line, row in numbered:
        try:
            made = make(line, row)
        except ValueError as error:
            skipped.count(str(error), line)
        except KeyError:
            skipped.count("the table lacks a column", line)
        else:
            yield made
