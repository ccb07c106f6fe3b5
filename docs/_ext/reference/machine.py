"""The words of the machine: commands that ask, facts that happened, effects on the outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from docs._ext.reference.records import Record, section


def members(union: Any) -> dict[str, Record]:
    """The Structs of a union by their tag on the wire, in the order of the code."""
    return {str(kind.__struct_config__.tag): kind for kind in _flat(union)}


def _flat(union: Any) -> Iterator[Record]:
    parts = get_args(union)
    if parts:
        for part in parts:
            yield from _flat(part)
    elif isinstance(union, type) and issubclass(union, msgspec.Struct):
        yield union


def _chapter(union: Any, leave_out: frozenset[str] = frozenset()) -> str:
    return "\n\n".join(
        section(kind, title=f"`{name}`", leave_out=leave_out) for name, kind in members(union).items()
    )


def commands() -> str:
    """Every command of the broker."""
    from stargate.broker.command import Command

    return _chapter(Command)


def facts() -> str:
    """Every fact of the broker; the grounds, which all have, are left out of the tables."""
    from stargate.broker.fact import Fact

    return _chapter(Fact, frozenset({"grounds"}))


def effects() -> str:
    """Every effect of the broker."""
    from stargate.broker.effect import Effect

    return _chapter(Effect)
