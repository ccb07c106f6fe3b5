"""Amounts, fractions and percentages, with bounds that hold wherever they are written.

msgspec bounds only integers; a record that carries decimals checks them here when it is made.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta

Amount = Annotated[Decimal, Meta(extra={"most": None})]
"""Zero or more."""
Fraction = Annotated[Decimal, Meta(extra={"most": 1})]
"""0 to 1: 20 % is written 0.20."""
Percent = Annotated[Decimal, Meta(extra={"most": 100})]
"""0 to 100."""


@cache
def _bounded(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, int | None], ...]:
    """Name, written name and upper bound of each bounded field."""
    return tuple(
        (field.name, field.encode_name, meta.extra["most"])
        for field in msgspec.structs.fields(kind)
        for part in (field.type, *get_args(field.type))
        if get_origin(part) is Annotated
        for meta in part.__metadata__
        if isinstance(meta, Meta) and meta.extra is not None
    )


def check_amounts(record: msgspec.Struct) -> None:
    """Raise ValueError, naming the field, where an amount is negative or a fraction above its bound."""
    for name, written, most in _bounded(type(record)):
        value: Any = getattr(record, name)
        if value is None:
            continue
        if value < 0:
            raise ValueError(f"{written} is {value}, and cannot be negative")
        if most is not None and value > most:
            hint = "20 % is written 0.20" if most == 1 else "it is a percentage"
            raise ValueError(f"{written} is {value}, and at most {most}: {hint}")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A record inside a clause, strict and with its amounts checked."""

    def __post_init__(self) -> None:
        check_amounts(self)
        self.check()

    def check(self) -> None:
        """What a kind of part asks of its own fields. Raises ValueError."""
