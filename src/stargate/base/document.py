"""Strict YAML documents: every fault is named with file, line, field path and remedy.

Numbers with a point become Decimal, never float; dates stay text until a typed field reads them;
duplicate keys and unknown fields are errors; aliases, size and depth are bounded. `composer` reads the
text, `faults` says what a typed record lacks; this module joins the two.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from stargate.base.composer import Composer, Mark
from stargate.base.errors import InputError, Problem
from stargate.base.faults import faults, paper_hook

SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes of one text."""

T = TypeVar("T")


class Document(msgspec.Struct, frozen=True):
    """One YAML document: plain data, and where each part of it stands."""

    value: Any
    """dict, list, str, int, Decimal, bool or None. Aliased parts are shared: read, do not change."""
    file: str
    marks: Mark

    def line(self, path: str) -> int:
        """The nearest known line for a field path as `pools[2].chip`; 1-based."""
        return self.marks.find(path).line

    def problem(self, path: str, message: str, remedy: str) -> Problem:
        """A problem at a field of this document."""
        return Problem(message=message, remedy=remedy, file=self.file, line=self.line(path), path=path)


def parse(text: str, file: str = "<text>") -> tuple[Document, ...]:
    """Read YAML text. Raises InputError with every problem, each with its line; never anything else."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise _refused("the text holds half a surrogate pair", "Save it as UTF-8.", file, line) from None
    if size > SIZE_LIMIT:
        limit = SIZE_LIMIT // 1024**2
        raise _refused(f"the text is larger than {limit} MiB", "Split it into several files.", file)
    composer = Composer(text, file)
    documents = composer.compose()
    if composer.problems:
        raise InputError(tuple(composer.problems))
    return tuple(Document(value=value, file=file, marks=mark) for value, mark in documents)


def read(path: Path, file: str = "") -> tuple[Document, ...]:
    """Read a YAML file. Raises InputError, also where the file cannot be read or is not UTF-8."""
    name = file or str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(SIZE_LIMIT + 1)
        text = raw.decode("utf-8-sig") if len(raw) <= SIZE_LIMIT else " " * len(raw)
    except OSError as error:
        reason = (error.strerror or "it is unreadable").lower()
        raise _refused(
            f"the file cannot be read: {reason}", "Check the path and its permissions.", name
        ) from None
    except ValueError as error:
        line = raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise _refused("the file is not UTF-8 text", "Save it as UTF-8.", name, line) from None
    return parse(text, name)


def typed(document: Document, kind: type[T], at: str = "") -> T:
    """The value at a field path (default: the whole document) as a typed record.

    Raises InputError with every problem, up to a bound of 100: the field path in the names people write,
    what was expected and found, and a remedy (a near name for an unknown field, the allowed values, an
    example of a time).
    """
    value = document.value
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", at):
        try:
            value = value[int(index) if index else key]
        except (KeyError, IndexError, TypeError):
            raise InputError((document.problem(at, f"there is nothing at {at!r}", "Add it."),)) from None
    found = faults(value, kind, at)
    if found:
        raise InputError(tuple(document.problem(fault.path, fault.message, fault.remedy) for fault in found))
    return msgspec.convert(value, kind, dec_hook=paper_hook)


def yaml_files(path: Path) -> tuple[Path, ...]:
    """The file itself, or every `*.yaml` and `*.yml` below a folder in a stable order, hidden ones left out.

    Raises InputError where the path does not exist, or the folder holds no such file.
    """
    if not path.is_dir():
        if not path.exists():
            raise _refused("there is no such file or folder", "Check the path.", str(path))
        return (path,)
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix in (".yaml", ".yml")
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
        and file.is_file()
    )
    if not found:
        raise _refused("the folder holds no .yaml or .yml file", "Name another folder, or a file.", str(path))
    return tuple(found)


def _refused(message: str, remedy: str, file: str, line: int = 0) -> InputError:
    return InputError((Problem(message=message, remedy=remedy, file=file, line=line),))
