"""YAML text to plain data, strictly: the part that reads libyaml's events and keeps every position.

The scalars follow the core schema of YAML 1.2, not 1.1: `NO` is Norway and `yes` is a word; only
`true` and `false` are truth values. Numbers with a point become Decimal. Dates stay text. Keys are
always text. Merge keys (`<<`) and aliases work, within bounds. Nothing here builds an object of any
other kind, and no input ends in anything but data or problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from stargate.base.errors import Problem

DEPTH_LIMIT = 64
KEY_LIMIT = 1_024
"""Characters of a key."""
NODES_LIMIT = 250_000
"""Keys and values in one text, counting again whatever an alias repeats."""
PROBLEMS_LIMIT = 100
DIGITS_LIMIT = 40
"""Digits of a number, and the largest power of ten it may carry."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_RADIX = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_DECIMAL = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {None, "!", f"{_TAG}map", f"{_TAG}seq"}


class Mark:
    """Where a value stands, and where its parts do."""

    __slots__ = ("line", "parts")

    def __init__(self, line: int) -> None:
        self.line = line
        """1-based line of the key, or of the value where there is no key."""
        self.parts: dict[str | int, Mark] = {}

    def find(self, path: str) -> Mark:
        """The nearest known mark for a field path as `pools[2].chip`."""
        mark, rest = self, path
        while rest and mark.parts:
            found = _first_part(mark, rest)
            if found is None:
                break
            mark, rest = found
        return mark


def _first_part(mark: Mark, path: str) -> tuple[Mark, str] | None:
    """Step into the first part of a path. Keys may hold dots: the shortest that exists is taken."""
    if path.startswith("["):
        index, _, rest = path[1:].partition("]")
        found = mark.parts.get(int(index)) if index.isdigit() else None
        return None if found is None else (found, rest)
    path = path.removeprefix(".")
    for end in [*(match.start() for match in re.finditer(r"[.\[]", path)), len(path)]:
        found = mark.parts.get(path[:end])
        if found is not None:
            return found, path[end:]
    return None


class TooManyProblemsError(Exception):
    """Enough is known to be wrong; reading on would help nobody."""


class Composer:
    """Reads one text: `compose` gives the data and marks of each document, `problems` what is wrong."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._path: list[str | int] = []
        self._anchors: dict[str, tuple[Any, Mark, int] | None] = {}
        """Each anchor's value, mark and size; None while the value is still being read."""
        self._nodes = 0
        self.problems: list[Problem] = []

    def compose(self) -> list[tuple[Any, Mark]]:
        """Every document in the text. The list is complete only if `problems` is empty."""
        documents: list[tuple[Any, Mark]] = []
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    self._anchors.clear()
                    documents.append(self._node(next(self._events)))
        except yaml.YAMLError as error:
            self._not_yaml(error)
        except TooManyProblemsError:
            pass
        return documents

    def _problem(self, line: int, message: str, remedy: str, *, fatal: bool = False) -> None:
        self.problems.append(
            Problem(message=message, remedy=remedy, file=self._file, line=line, path=path_text(self._path))
        )
        if fatal or len(self.problems) >= PROBLEMS_LIMIT:
            raise TooManyProblemsError

    def _not_yaml(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark is not None else 0
        what = getattr(error, "problem", None) or "the text cannot be read"
        remedy = "Check indentation, quotes, colons and brackets here and just above"
        if "cannot start any token" in what:
            remedy = (
                "Indent with spaces, and put quotes around text that starts with a sign such as @, % or `"
            )
        elif isinstance(error, yaml.reader.ReaderError):
            what, remedy = (
                "the text holds a control character",
                "Remove it, or write it as an escape in quotes",
            )
            line = self._text.encode()[: error.position].count(b"\n") + 1
        self.problems.append(
            Problem(message=f"not valid YAML: {what}", remedy=f"{remedy}.", file=self._file, line=line)
        )

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > NODES_LIMIT:
            self._problem(
                line,
                f"more than {NODES_LIMIT:,} keys and values, counting what aliases repeat",
                "Split the file, or write out less with aliases.",
                fatal=True,
            )

    def _node(self, event: Any) -> tuple[Any, Mark]:
        line = event.start_mark.line + 1
        self._count(1, line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, line)
        if len(self._path) > DEPTH_LIMIT:
            self._problem(
                line, f"nested deeper than {DEPTH_LIMIT} levels", "Flatten the structure.", fatal=True
            )
        before = self._nodes
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        mark = Mark(line)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, line)
        else:
            if event.tag not in _PLAIN_TAGS:
                self._bad_tag(event.tag, line)
            is_list = isinstance(event, yaml.SequenceStartEvent)
            value = self._sequence(mark) if is_list else self._mapping(mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, mark, self._nodes - before)
        return value, mark

    def _alias(self, name: str | None, line: int) -> tuple[Any, Mark]:
        assert name is not None, "an alias has a name"
        known = self._anchors.get(name)
        if known is None:
            inside = name in self._anchors
            self._problem(
                line,
                f"alias *{name} stands inside what it names"
                if inside
                else f"alias *{name} names nothing above it",
                f"Write the value out, or mark it with &{name} before it is used.",
            )
            return None, Mark(line)
        value, mark, size = known
        self._count(size, line)
        return value, mark

    def _sequence(self, mark: Mark) -> list[Any]:
        items: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            self._path.append(len(items))
            value, part = self._node(event)
            self._path.pop()
            mark.parts[len(items)] = part
            items.append(value)
        return items

    def _mapping(self, mark: Mark) -> dict[str, Any]:
        table: dict[str, Any] = {}
        merged: list[tuple[Any, Mark, int]] = []
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line = event.start_mark.line + 1
            key = self._key(event, line)
            self._path.append(key)
            value, part = self._node(next(self._events))
            if key == "<<" and event.implicit[0]:
                merged.append((value, part, line))
            elif key in mark.parts:
                self._problem(
                    line,
                    f"the key {shown(key)} is written twice; first on line {mark.parts[key].line}",
                    "Keep one of them.",
                )
            else:
                table[key] = value
                mark.parts[key] = at_line(part, line)
            self._path.pop()
        for value, part, line in merged:
            self._merge(table, mark, value, part, line)
        return table

    def _key(self, event: Any, line: int) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._problem(line, "a key must be plain text", "Write `name: value`.", fatal=True)
        key: str = event.value
        if len(key) > KEY_LIMIT:
            self._problem(line, f"a key is longer than {KEY_LIMIT:,} characters", "Shorten it.", fatal=True)
        if "\0" in key:
            self._problem(line, "a key holds a NUL character", "Remove it.")
        self._count(1, line)
        return key

    def _merge(self, table: dict[str, Any], mark: Mark, value: Any, part: Mark, line: int) -> None:
        """`<<: *base`: take what is not written here. A list of bases: the first that has a key wins."""
        sources = [(value, part)]
        if isinstance(value, list):
            sources = [(item, part.parts[index]) for index, item in enumerate(value)]
        for source, source_mark in sources:
            if not isinstance(source, dict):
                self._problem(
                    line, "`<<` takes a mapping or a list of mappings", "Name one with an alias: `<<: *base`."
                )
                continue
            self._count(len(source), line)
            for key, inherited in source.items():
                if key not in table:
                    table[key] = inherited
                    mark.parts[key] = source_mark.parts[key]

    def _scalar(self, event: Any, line: int) -> Any:
        text: str = event.value
        if "\0" in text:
            self._problem(line, "the text holds a NUL character", "Remove it.")
        if event.tag in (f"{_TAG}str", "!"):
            return text
        if event.tag is not None:
            self._bad_tag(event.tag, line)
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            self._problem(line, f"{text} is not a number", "Write a finite number, or leave the field out.")
            return None
        if text[0] in "+-.0123456789":
            return self._number(text, line)
        return text

    def _number(self, text: str, line: int) -> int | Decimal | str | None:
        """A whole number or a Decimal. What only begins like one (a date, a version, 007) stays text."""
        whole: int | None = None
        if len(text) > DIGITS_LIMIT and _DECIMAL.fullmatch(text):
            return self._too_large(text, line)
        if _INT.fullmatch(text):
            whole = int(text)
        elif _RADIX.fullmatch(text):
            whole = int(text, 0)
        elif _DECIMAL.fullmatch(text):
            exact = Decimal(text)
            exponent = exact.as_tuple().exponent
            if abs(exact.adjusted()) > DIGITS_LIMIT or (
                isinstance(exponent, int) and abs(exponent) > DIGITS_LIMIT
            ):
                return self._too_large(text, line)
            return exact
        if whole is not None and not -(2**63) <= whole < 2**63:
            return self._too_large(text, line)
        return text if whole is None else whole

    def _too_large(self, text: str, line: int) -> int:
        self._problem(
            line,
            f"the number {shown(text)} is out of range",
            f"Keep to {DIGITS_LIMIT} digits, and whole numbers to 64 bits; quote it if it is text.",
        )
        return 0

    def _bad_tag(self, tag: str, line: int) -> None:
        self._problem(line, f"the tag {shown(tag)} is not known here", "Remove it; plain YAML is enough.")


def at_line(mark: Mark, line: int) -> Mark:
    """The same parts, standing on the line of their key."""
    if mark.line == line:
        return mark
    moved = Mark(line)
    moved.parts = mark.parts
    return moved


def path_text(path: list[str | int]) -> str:
    """`["pools", 2, "chip"]` as `pools[2].chip`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def shown(value: object, limit: int = 60) -> str:
    """A value in a message: quoted where it is text, and never long."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
