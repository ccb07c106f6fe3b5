"""Files of usage, openings and payments that people write: strict, each fault with file, line and field."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from stargate.base.document import Document, read, typed
from stargate.base.errors import InputError, Problem
from stargate.base.faults import did_you_mean, faults, paper_hook
from stargate.ledger import Opening, Payment, UsageEvent

PROBLEMS_LIMIT = 100
"""Reported at once."""
ROWS_LIMIT = 5_000_000
OWN = ("opening:", "payments:")
"""Sources that usage does not have: their events are made of openings and payments."""
ATTRIBUTE = "attributes."
"""What the columns of attributes begin with."""


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one file says."""

    usage: tuple[UsageEvent, ...] = ()
    openings: tuple[Opening, ...] = ()
    payments: tuple[Payment, ...] = ()

    def __post_init__(self) -> None:
        for event in self.usage:
            if event.source.startswith(OWN):
                raise ValueError(f"usage of {event.source!r:.60}: it comes under `openings` or `payments`")


def read_declared(path: Path) -> Declared:
    """The records of a file: CSV by its name, else YAML, of which JSON is a part. Raises InputError."""
    if path.suffix.lower() == ".csv":
        return Declared(usage=tuple(_rows(path)))
    found = [_declared(document) for document in read(path)]
    return Declared(
        usage=tuple(event for one in found for event in one.usage),
        openings=tuple(opening for one in found for opening in one.openings),
        payments=tuple(payment for one in found for payment in one.payments),
    )


def _declared(document: Document) -> Declared:
    if not isinstance(document.value, dict):
        message = "this is no mapping of usage, openings and payments"
        raise InputError((document.problem("", message, "Begin with `usage:` and a list below it."),))
    return typed(document, Declared)


def _rows(path: Path) -> Iterator[UsageEvent]:
    """One event a row; columns are its fields, and `attributes.NAME`. Raises InputError."""
    problems: list[Problem] = []
    events: list[UsageEvent] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            _demand_columns(reader.fieldnames or (), str(path))
            for row in reader:
                value = _event(row)
                found = faults(value, UsageEvent)
                problems += [
                    Problem(fault.message, fault.remedy, str(path), reader.line_num, fault.path)
                    for fault in found
                ]
                if len(problems) >= PROBLEMS_LIMIT or len(events) >= ROWS_LIMIT:
                    break
                if not found:
                    events.append(msgspec.convert(value, UsageEvent, dec_hook=paper_hook))
    except (UnicodeDecodeError, csv.Error) as error:
        problems.append(Problem(f"this is no CSV in UTF-8: {error}", "Save it as such.", str(path)))
    if len(events) >= ROWS_LIMIT:
        problems.append(Problem(f"more than {ROWS_LIMIT:,} rows", "Split the file.", str(path)))
    if problems:
        raise InputError(tuple(problems[:PROBLEMS_LIMIT]))
    yield from events


def _demand_columns(names: Any, file: str) -> None:
    known = UsageEvent.__struct_fields__
    strange = [name for name in names if name not in known and not name.startswith(ATTRIBUTE)]
    if strange:
        raise InputError(
            tuple(
                Problem(
                    f"there is no field {name!r}",
                    f"{did_you_mean(name, known)} An attribute is a column such as {ATTRIBUTE}{name or 'team'}.",
                    file,
                    1,
                    name,
                )
                for name in strange
            )
        )


def _event(row: dict[Any, Any]) -> dict[str, Any]:
    """A row as a record; empty cells are left out, cells beyond the last column are a fault of their own."""
    value: dict[str, Any] = {
        str(name): cell for name, cell in row.items() if cell and not str(name).startswith(ATTRIBUTE)
    }
    attributes = {
        str(name).removeprefix(ATTRIBUTE): cell
        for name, cell in row.items()
        if cell and str(name).startswith(ATTRIBUTE)
    }
    return value | ({"attributes": attributes} if attributes else {})
