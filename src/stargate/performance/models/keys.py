"""A mapping of someone else's making, read key by key: every fault is noted, none is raised on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stargate.base.composer import shown
from stargate.base.errors import Problem

LARGEST = 10**7
"""Counts and widths beyond this are a mistake."""


def _said(value: object) -> str:
    """A value in a message. Nested ones are named by their kind: spelling them out may take unbounded time."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and abs(value) > LARGEST**3:
        return "a number far too large"
    return shown(value)


class Keys:
    """One mapping. A key may go by several names; one that is null is as good as absent.

    After a fault a getter returns what its caller can go on with; look at `problems` before the result.
    """

    __slots__ = ("_file", "_path", "_values", "problems")

    def __init__(
        self, values: Mapping[str, Any], file: str, problems: list[Problem] | None = None, path: str = ""
    ) -> None:
        self._values = values
        self._file = file
        self._path = path
        self.problems = [] if problems is None else problems

    def note(self, message: str, remedy: str, name: str = "") -> None:
        """Note a fault, of one key or of the whole; the same one only once."""
        path = ".".join(part for part in (self._path, name) if part)
        problem = Problem(message=message, remedy=remedy, file=self._file, path=path)
        if problem not in self.problems:
            self.problems.append(problem)

    def named(self, *names: str) -> tuple[str, Any]:
        """The first of these keys that has a value, and the value; the first name and None otherwise."""
        for name in names:
            value = self._values.get(name)
            if value is not None:
                return name, value
        return names[0], None

    def has(self, *names: str) -> bool:
        """Whether one of these keys has a value."""
        return self.named(*names)[1] is not None

    def count(self, *names: str, default: int | None = None, least: int = 1, most: int = LARGEST) -> int:
        """A whole number under the first of these keys that has a value; without a default, one is required."""
        name, value = self.named(*names)
        if value is None:
            if default is None:
                others = f" (or {', '.join(names[1:])})" if names[1:] else ""
                self.note(f"{names[0]!r}{others} is missing", "Add it: a whole number.", names[0])
            return default or 0
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.note(f"{name!r} is {_said(value)}", f"Write a whole number from {least} to {most}.", name)
            return default or 0
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        _, value = self.named(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.note(f"{name!r} is {_said(value)}", "Write true or false.", name)
            return default
        return value

    def text(self, *names: str) -> str:
        """Text, empty where there is none or it is something else: nothing is computed from texts."""
        _, value = self.named(*names)
        return value if isinstance(value, str) else ""

    def items(self, *names: str, length: int = 0) -> Sequence[Any] | None:
        """A list of at least `length`, cut to it (0: as it is); None where there is none."""
        name, value = self.named(*names)
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            self.note(f"{name!r} is {_said(value)}", "Write a list, one item a layer.", name)
            return None
        if len(value) < length:
            self.note(f"{name!r} has {len(value)} items for {length} layers", "Give one item a layer.", name)
            return None
        return value[:length] if length else value

    def numbers(self, name: str) -> frozenset[int]:
        """The whole numbers in a list; empty where there is none."""
        return frozenset(item for item in self.items(name) or () if isinstance(item, int))

    def part(self, name: str) -> Keys:
        """A mapping inside this one; an empty one where there is none."""
        _, value = self.named(name)
        if value is not None and not isinstance(value, Mapping):
            self.note(f"{name!r} is {_said(value)}", "Write a mapping.", name)
            value = None
        path = f"{self._path}.{name}" if self._path else name
        return Keys(value or {}, self._file, self.problems, path)

    def names(self) -> list[str]:
        """Keys that have a value, in their order."""
        return [str(name) for name, value in self._values.items() if value is not None]
