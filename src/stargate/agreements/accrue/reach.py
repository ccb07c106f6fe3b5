"""Which money clause speaks of which use: its scope, its agreement, and what silences it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.scope import matches
from stargate.agreements.version import Version
from stargate.base.time import Instant


def speaks(timeline: Timeline, version: Version, seen: Mapping[str, Any], at: Instant) -> bool:
    """Whether a clause is in force at `at`, covers what was used, and no exception or order form precedes it there.

    Use that names an agreement counts under that agreement and its master, and under no other order of theirs.
    """
    return _speaks(timeline, version, seen, at, frozenset())


def _speaks(
    timeline: Timeline, version: Version, seen: Mapping[str, Any], at: Instant, above: frozenset[str]
) -> bool:
    if not _covers(timeline, version, seen, at):
        return False
    # Exceptions in a circle silence nobody; `lint` reports them.
    return not any(
        type(other.clause) is type(version.clause)
        and other.ref not in above
        and _speaks(timeline, other, seen, at, above | {version.ref})
        for other in timeline.book.precedence.silencers.get(version.ref, ())
    )


def _covers(timeline: Timeline, version: Version, seen: Mapping[str, Any], at: Instant) -> bool:
    named = seen.get("agreement")
    home = version.home
    if home.master and named not in (None, home.id):
        return False
    if id(version) in timeline.book.precedence.orders and named != home.id:
        return False
    if not matches(version.clause.scope, seen) or _excepted(timeline, version, seen, at):
        return False
    return any(span.holds(at) for span in timeline.spans(version))


def _excepted(timeline: Timeline, version: Version, seen: Mapping[str, Any], at: Instant) -> bool:
    """Whether a labelled exception of the clause itself takes this use out."""
    firing, home = timeline.last.firing, version.home.id
    for carve in version.clause.exceptions:
        start = None if carve.from_ is None else firing.resolve(carve.from_, home)
        end = None if carve.until is None else firing.resolve(carve.until, home)
        begun = carve.from_ is None or (start is not None and start <= at)
        if begun and (end is None or at < end) and matches(carve.scope, seen):
            return True
    return False
