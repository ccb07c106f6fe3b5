"""How far long work has come, for whoever wants to hear it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
Tell = Callable[[str, int, int], object]
"""Hears what is being done, how much of it is, and how much it is in all (0: nobody knows)."""
EVERY = 10_000
"""Items between two words."""


def quiet(what: str, done: int, total: int) -> None:
    """Nothing is said."""


def told(items: Iterable[T], tell: Tell, what: str, total: int = 0) -> Iterator[T]:
    """Items as they pass, with a word at the beginning and now and then."""
    tell(what, 0, total)
    for count, item in enumerate(items, 1):
        yield item
        if not count % EVERY:
            tell(what, count, total)
