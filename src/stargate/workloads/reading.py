"""What is wrong with one document, gathered while it is read: a reader goes on after a fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from stargate.base import wire
from stargate.base.document import Document
from stargate.base.errors import InputError, Problem
from stargate.workloads.workload import OPTIONS_LIMIT, SCRIPT_LIMIT

T = TypeVar("T")

FILL_LIMIT = 1_048_576
"""Characters that variables may add to one document."""

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


class Reading:
    """One document on its way to a record."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._added = 0

    def fault(self, path: str, message: str, remedy: str) -> None:
        """Note what is wrong at a field, and go on. One line is not told the same thing twice."""
        problem = self.document.problem(path, message, remedy)
        if all((known.line, known.message) != (problem.line, message) for known in self.problems):
            self.problems.append(problem)

    def attempt(self, path: str, read: Callable[[Any], T], value: Any, otherwise: T) -> T:
        """`read(value)`; where that raises ValueError ("what; way out"), a fault and `otherwise`."""
        try:
            return read(value)
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            self.fault(path, message, f"{remedy[:1].upper()}{remedy[1:]}." if remedy else "Change it.")
            return otherwise

    def finish(self) -> None:
        """Raise InputError if anything was wrong."""
        if self.problems:
            raise InputError(tuple(self.problems))

    def fill(self, value: Any, envs: Mapping[str, str]) -> Any:
        """Plain data with `$NAME` and `${NAME}` replaced where `envs` knows the name. Raises ValueError."""
        if isinstance(value, str):
            return self._fill_text(value, envs)
        if isinstance(value, list):
            return [self.fill(item, envs) for item in value]
        if isinstance(value, dict):
            return {self._fill_text(key, envs): self.fill(item, envs) for key, item in value.items()}
        return value

    def _fill_text(self, text: str, envs: Mapping[str, str]) -> str:
        if "$" not in text:
            return text
        for match in _VARIABLE.finditer(text):
            self._added += len(envs.get(match[1] or match[2], ""))
        if self._added > FILL_LIMIT:
            raise ValueError("variables make this document too long; use shorter values or fewer of them")
        return _VARIABLE.sub(lambda match: envs.get(match[1] or match[2], match[0]), text)


def plain(value: Any) -> Any:
    """Data that is carried unread: as YAML had it, with exact decimals as floating point."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def carried(value: Any) -> dict[str, Any]:
    """A mapping that is carried unread, bounded in size. Raises ValueError."""
    mapping: dict[str, Any] = plain(value)
    if len(wire.to_json(mapping)) > OPTIONS_LIMIT:
        raise ValueError(f"more than {OPTIONS_LIMIT // 1024} KiB are carried here; shorten it")
    return mapping


def scalar_text(value: object) -> str:
    """A scalar as the text that people mean by it; what SkyPilot makes of it. Raises ValueError."""
    if isinstance(value, str):
        text = value
    elif value is None or isinstance(value, dict | list):
        raise ValueError("expected text; put it in quotes")
    else:
        text = str(value)
    if len(text) > SCRIPT_LIMIT:
        raise ValueError(f"the text is longer than {SCRIPT_LIMIT:,} characters; put it in a file")
    return text
