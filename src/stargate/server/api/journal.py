"""The journal: entries as they were written, and a check of all of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar.params import QueryParameter

from stargate.base import wire
from stargate.base.time import Instant
from stargate.broker import Entry
from stargate.server.api.page import Limit
from stargate.server.api.route import Here, reading

FACT_LIMIT_BYTES = 65_536
"""A larger fact (a declaration) is named by its size only."""


class EntryView(msgspec.Struct, frozen=True):
    """A fact in its place."""

    seq: int
    at: Instant
    cause: str
    """The id of the command: whose key asked, or which engine reported."""
    kind: str
    fact: dict[str, Any]
    """As it was recorded, with its grounds; `omitted_bytes` alone where it is too large for a page."""


class EntryPage(msgspec.Struct, frozen=True):
    """Entries in order."""

    items: tuple[EntryView, ...]
    total: int
    """Entries in the whole journal."""
    next: int | None
    head: str
    """The last entry and its hash; worth noting elsewhere, as it pins all history before it."""


class Check(msgspec.Struct, frozen=True):
    """What checking every hash found."""

    ok: bool
    head: str
    """The last entry that verifies."""
    first_bad: int | None
    problem: str
    snapshots: tuple[int, ...]
    warnings: tuple[str, ...]


@reading("/v1/journal", "journal.read")
async def list_entries(
    house: Here,
    limit: Limit = 50,
    after: Annotated[int, QueryParameter(ge=0, le=2**62, description="Entries after this one.")] = 0,
) -> EntryPage:
    """Entries of the journal, in order."""
    head = house.driver.head
    entries = await house.history.entries(after, limit)
    last = entries[-1].seq if entries else 0
    return EntryPage(tuple(map(_view, entries)), head.seq, last if 0 < last < head.seq else None, str(head))


@reading("/v1/journal/verify", "journal.read")
async def verify_journal(house: Here) -> Check:
    """Check the hash of every entry and every snapshot. Takes a few seconds for each million entries."""
    found = await house.history.verify()
    return Check(
        ok=found.ok,
        head=str(found.head),
        first_bad=found.first_bad,
        problem=found.problem,
        snapshots=found.snapshots,
        warnings=found.warnings,
    )


def _view(entry: Entry) -> EntryView:
    fact = wire.to_plain(entry.fact)
    size = len(wire.to_json(fact))
    shown = fact if size <= FACT_LIMIT_BYTES else {"type": fact["type"], "omitted_bytes": size}
    return EntryView(entry.seq, entry.at, entry.cause, fact["type"], shown)


ROUTES: tuple[Any, ...] = (list_entries, verify_journal)
