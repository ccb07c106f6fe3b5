"""Two runs side by side: which figures differ, and the first decision on which they part, with both grounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import msgspec

from stargate.base import wire
from stargate.broker import Entry, Fact, Ground
from stargate.broker.fact import (
    Accepted,
    CancelRequested,
    CapacitySet,
    Checkpointed,
    Declared,
    Ended,
    FactDeclared,
    Repriced,
    Scaled,
    Started,
    Submitted,
    SupplyMarked,
    WorkloadEnded,
)
from stargate.broker.sourcing.fact import OfferAnswered, OfferReceived, QuoteReceived
from stargate.rehearsal.report.summary import Summary

GIVEN: frozenset[type] = frozenset(
    {
        Declared, FactDeclared, SupplyMarked, CapacitySet, Repriced, Submitted, Accepted, Started, Checkpointed, Ended,
        CancelRequested, Scaled, WorkloadEnded, OfferAnswered, OfferReceived, QuoteReceived,
    }
)  # fmt: skip
"""Facts that somebody told the broker, and ends that follow from them; all others it decided."""
AHEAD_LIMIT = 100_000
"""Entries that are searched for what became of the same thing in the other run."""
_SUBJECTS = ("workload", "attempt", "lease", "offer", "quote", "need", "waiver", "clause")
_APART = frozenset({"identity", "course", "happenings", "deals"})
"""Parts of a summary that are no figures, or are compared by their sums."""


class Step(msgspec.Struct, frozen=True):
    """An entry as a comparison shows it."""

    seq: int
    at: str
    kind: str
    subject: str
    """The workload, need, offer or lease it is about."""
    says: str
    """The fact in short, without its grounds."""
    grounds: tuple[Ground, ...]


class Divergence(msgspec.Struct, frozen=True):
    """Where two runs part. A side is None where that run has nothing more."""

    decisions: int
    """Decisions on which they had agreed until then."""
    before: Step | None
    """The last of these."""
    ours: Step | None
    theirs: Step | None
    ours_on_theirs: Step | None = None
    """What our run decided about what theirs decided about, if it did within AHEAD_LIMIT entries."""
    theirs_on_ours: Step | None = None
    told_ours: Step | None = None
    """The first thing that our run was told and the other was not, or not then, before they parted."""
    told_theirs: Step | None = None


class Difference(msgspec.Struct, frozen=True):
    """A figure that is not the same."""

    path: str
    """As `work.wait_seconds.average`, `providers.azure.owed_micro_usd`."""
    ours: float | None
    """None: that run does not have it."""
    theirs: float | None

    @property
    def change(self) -> float | None:
        """By how much theirs is more than ours; None where one is missing."""
        return None if self.ours is None or self.theirs is None else self.theirs - self.ours

    @property
    def change_fraction(self) -> float | None:
        """The same as a fraction of ours; None where there is none."""
        return self.change / abs(self.ours) if self.ours and self.change is not None else None


def differences(ours: Summary, theirs: Summary) -> tuple[Difference, ...]:
    """Every figure that differs, in the order of the summary; lists are matched by `id` or `clause`."""
    one, other = dict(_figures(wire.to_plain(ours))), dict(_figures(wire.to_plain(theirs)))
    paths = [*one, *(path for path in other if path not in one)]
    return tuple(
        Difference(path, one.get(path), other.get(path)) for path in paths if one.get(path) != other.get(path)
    )


def divergence(ours: Iterable[Entry], theirs: Iterable[Entry]) -> Divergence | None:
    """The first decision on which two streams of entries part; None: they decided the same at the same times.

    What the broker was told is not compared, nor are numbers, causes and grounds: two runs with different policies
    part where they first do something different. The streams are read once, and only as far as is needed.
    """
    one, other = _Stream(ours), _Stream(theirs)
    before: Entry | None = None
    agreed = 0
    while True:
        mine, yours = one.next(), other.next()
        if mine is None and yours is None:
            return None
        if mine is None or yours is None or mine.at != yours.at or _bare(mine.fact) != _bare(yours.fact):
            break
        before, agreed = mine, agreed + 1
    told = _told(one, other)
    return Divergence(
        decisions=agreed,
        before=None if before is None else step(before),
        ours=None if mine is None else step(mine),
        theirs=None if yours is None else step(yours),
        ours_on_theirs=None if yours is None else one.about(subject(yours.fact), mine),
        theirs_on_ours=None if mine is None else other.about(subject(mine.fact), yours),
        told_ours=told[0],
        told_theirs=told[1],
    )


def step(entry: Entry) -> Step:
    """An entry in short."""
    fact = entry.fact
    plain = wire.to_plain(fact)
    kind = plain.pop("type")
    grounds = plain.pop("grounds", ())
    says = ", ".join(f"{name}={_short(value)}" for name, value in plain.items())
    return Step(entry.seq, str(entry.at), kind, subject(fact), says, fact.grounds if grounds else ())


def subject(fact: Fact) -> str:
    """What a fact is about: a workload and slot, a need, an offer or a lease."""
    for name in _SUBJECTS:
        found = getattr(fact, name, None)
        if isinstance(found, str):
            return found.rpartition(".")[0] if name == "attempt" else _slotted(found, fact)
    return ""


def _slotted(workload: str, fact: Fact) -> str:
    slot = getattr(fact, "slot", None)
    return workload if slot is None else f"{workload}.{slot}"


class _Stream:
    """The decisions of one run, and what it was told in between."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries: Iterator[Entry] = iter(entries)
        self.told: list[Entry] = []
        """Since the last decision but one."""

    def next(self) -> Entry | None:
        """The next decision."""
        self.told.clear()
        for entry in self._entries:
            if type(entry.fact) not in GIVEN:
                return entry
            self.told.append(entry)
        return None

    def about(self, wanted: str, first: Entry | None) -> Step | None:
        """The next decision about something, from `first` on."""
        if not wanted:
            return None
        for entry in chain([] if first is None else [first], islice(self._entries, AHEAD_LIMIT)):
            if type(entry.fact) not in GIVEN and subject(entry.fact) == wanted:
                return step(entry)
        return None


def _told(one: _Stream, other: _Stream) -> tuple[Step | None, Step | None]:
    """The first difference in what both were told since they last agreed."""
    pairs = zip(one.told, other.told, strict=False)
    same = 0
    for mine, yours in pairs:
        if mine.at != yours.at or _bare(mine.fact) != _bare(yours.fact):
            break
        same += 1
    rest = [told[same:] for told in (one.told, other.told)]
    mine_first, yours_first = (step(part[0]) if part else None for part in rest)
    return mine_first, yours_first


def _bare(fact: Fact) -> Fact:
    return msgspec.structs.replace(fact, grounds=()) if fact.grounds else fact


def _short(value: Any) -> str:
    if isinstance(value, list) and len(value) > 6:
        return f"[{len(value)} of them]"
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _figures(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, int | float):
        yield path, value
    elif isinstance(value, dict):
        for name, inside in value.items():
            if path or name not in _APART:
                yield from _figures(inside, f"{path}.{name}" if path else name)
    elif not path.endswith(".quantiles"):
        for place, inside in enumerate(value):
            named = isinstance(inside, dict) and (inside.get("id") or inside.get("clause"))
            yield from _figures(inside, f"{path}.{named or place}")
