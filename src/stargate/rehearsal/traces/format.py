"""What a trace format is to the rest of the house: its name, how it is recognised, how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from stargate.rehearsal.traces.row import cells
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source


@dataclass(frozen=True)
class Options:
    """What a reader may be told."""

    seed: int = 0
    """For formats that publish distributions instead of rows (ServeGen)."""
    share: float = 1.0
    """For the same formats: the fraction of the requests to give."""
    chipless: bool = False
    """Whether to give jobs that hold no accelerator, which are otherwise counted as skipped."""
    verbatim: bool = False
    """Of SWF: whether every row counts as plain simulators count it, see `formats.swf`."""


@dataclass(frozen=True)
class Format:
    """One published format."""

    name: str
    about: str
    """Whose it is and which files it comes in, for messages."""
    expects: str
    """What a file has to hold, for messages."""
    files: str
    """A pattern for the publisher's file names, without `.gz`."""
    fits: Callable[[str], bool]
    """Whether the beginning of a file looks like it."""
    read: Callable[[Source, Skipped, Options], Iterator[Any]]
    gives: Literal["jobs", "requests"]
    ordered: bool = True
    """Whether its rows come in the order of submission; others are read whole and sorted."""
    relative: bool = True
    """Whether its times are already counted from the trace's start."""
    inside: str = ""
    """Where it is many files: a pattern for those inside the folder or archive."""

    def named(self, name: str) -> bool:
        """Whether a file is called as the publisher calls it."""
        return re.fullmatch(self.files, name, re.IGNORECASE) is not None

    def holds(self, names: tuple[str, ...]) -> bool:
        """Whether a folder or archive of these files is one."""
        return bool(self.inside) and any(re.search(self.inside, name) for name in names)


def has_columns(*columns: str) -> Callable[[str], bool]:
    """A test whether the first line of a table names these columns."""

    def fits(head: str) -> bool:
        first = head.lstrip("\r\n").partition("\n")[0]
        return set(columns) <= {name.strip() for name in cells(first.rstrip("\r"))}

    return fits


def first_rows(head: str, most: int = 20) -> list[str]:
    """The first whole lines that hold anything."""
    whole = head.splitlines()
    if len(head) > 1 and not head.endswith("\n") and len(whole) > 1:
        whole = whole[:-1]
    return [line for line in whole if line.strip()][:most]


def mostly(rows: list[str], fits: Callable[[str], bool]) -> bool:
    """Whether at least half of some rows fit, and one does: a bad first row does not hide what a file is."""
    return 0 < len(rows) <= 2 * sum(map(fits, rows))
