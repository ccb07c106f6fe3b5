"""Lists come in pages: bounded, with a total, and the place where the next page begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

from litestar.params import HeaderParameter, PathParameter, QueryParameter

from stargate.base.errors import InputError, Problem
from stargate.server.api.body import shortened

PAGE_LIMIT = 200
PAGE = 50

T = TypeVar("T")

Limit = Annotated[
    int, QueryParameter(ge=1, le=PAGE_LIMIT, description=f"Most items in the answer, 1 to {PAGE_LIMIT}.")
]
After = Annotated[
    str,
    QueryParameter(
        max_length=256, description="Where to go on: `next` of the page before. Empty: the beginning."
    ),
]
Id = Annotated[str, PathParameter(max_length=256)]
IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        required=False,
        max_length=128,
        pattern=r"^[!-~]*$",
        description="The same key with the same body is the same command: it is done once, however often it is sent.",
    ),
]


def cut(
    items: Iterable[T],
    limit: int,
    after: str,
    id_of: Callable[[T], str],
    keep: Callable[[T], bool] | None = None,
) -> tuple[tuple[T, ...], int, str | None]:
    """One page of what is kept, the total of it, and where the next page begins (None: this was the last).

    `after` may name an item that is no longer kept. Raises InputError where it names none at all.
    """
    found: list[T] = []
    total, more, seen = 0, False, not after
    for item in items:
        if keep is None or keep(item):
            total += 1
            if seen and len(found) < limit:
                found.append(item)
            elif seen:
                more = True
        if not seen and id_of(item) == after:
            seen = True
    if not seen:
        raise InputError(
            (Problem(f"nothing here is called {shortened(after)!r}", "Use `next` of a page.", path="after"),)
        )
    return tuple(found), total, id_of(found[-1]) if more else None
