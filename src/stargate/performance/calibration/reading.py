"""Rows of a table read one by one: those that cannot be are kept aside with the reason, and the rest go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from stargate.base.errors import InputError

Row = Mapping[str, str]
"""One row by its columns' names; what is not stated is empty."""
T = TypeVar("T")


def each_read(
    rows: Sequence[Row], read: Callable[[Row], T], id_column: str
) -> tuple[list[T], tuple[tuple[str, str], ...]]:
    """What `read` makes of the rows, in order; and the ids and reasons of those it raised InputError for."""
    found: list[T] = []
    refused: list[tuple[str, str]] = []
    for row in rows:
        try:
            found.append(read(row))
        except InputError as error:
            refused.append((row.get(id_column, ""), str(error)))
    return found, tuple(refused)
