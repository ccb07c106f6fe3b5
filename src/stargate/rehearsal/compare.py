"""Two runs side by side: which figures and jobs differ, and the first decision on which they part, with both grounds.

A run is what was kept of it: see `outcome`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    Revised,
    RolloutEnded,
    Scaled,
    Started,
    Submitted,
    SupplyMarked,
    WorkloadEnded,
)
from stargate.broker.sourcing.fact import OfferAnswered, OfferReceived, QuoteReceived
from stargate.rehearsal import schedule
from stargate.rehearsal.outcome import Outcome
from stargate.rehearsal.report.headline import headlines
from stargate.rehearsal.report.summary import Identity, Summary

GIVEN: frozenset[type] = frozenset(
    {
        Declared, FactDeclared, SupplyMarked, CapacitySet, Repriced, Submitted, Accepted, Started, Checkpointed, Ended,
        CancelRequested, Scaled, Revised, RolloutEnded, WorkloadEnded, OfferAnswered, OfferReceived, QuoteReceived,
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
    first: Step | None
    second: Step | None
    first_on_second: Step | None = None
    """What the first decided about what the second decided about, if it did within AHEAD_LIMIT entries."""
    second_on_first: Step | None = None
    told_first: Step | None = None
    """What the first was told, and the second was not, or not then, before they parted."""
    told_second: Step | None = None


class Difference(msgspec.Struct, frozen=True):
    """A figure that is not the same."""

    path: str
    """As `work.wait_seconds.average`, `providers.azure.owed_micro_usd`."""
    first: float | None
    """None: that run does not have it."""
    second: float | None

    @property
    def change(self) -> float | None:
        """By how much the second is more than the first; None where one is missing."""
        return None if self.first is None or self.second is None else self.second - self.first

    @property
    def change_fraction(self) -> float | None:
        """The same as a fraction of the first; None where there is none."""
        return self.change / abs(self.first) if self.first and self.change is not None else None


class Jobs(msgspec.Struct, frozen=True):
    """Two schedules, job by job."""

    both: int
    """Jobs that both have."""
    differ: int
    """Of these, jobs that did not come, begin and end at the same seconds on as many chips."""
    only_first: int
    only_second: int
    first_difference: schedule.Difference | None
    """The earliest of all."""

    @property
    def equal(self) -> bool:
        """Every job of each is in the other, and alike."""
        return self.first_difference is None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs. A part is None where one of them has not kept what it takes."""

    first: Identity
    second: Identity
    equal: bool
    """Nothing of what could be compared differs."""
    jobs: Jobs | None
    headlines: tuple[Difference, ...] | None
    """The figures that stand first, whether they differ or not."""
    figures: tuple[Difference, ...] | None
    """Every figure that differs."""
    decisions: bool
    """Decisions were compared: both runs have a journal."""
    parting: Divergence | None
    """None: they decided the same, or decisions were not compared."""


def compare(first: Outcome, second: Outcome) -> Comparison:
    """Whatever both have kept. Raises JournalError where a journal cannot be read."""
    figures: tuple[Difference, ...] | None = None
    leading: tuple[Difference, ...] | None = None
    if first.summary is not None and second.summary is not None:
        figures = differences(first.summary, second.summary)
        one, other = headlines(first.summary), headlines(second.summary)
        leading = tuple(Difference(name, value, other[name]) for name, value in one.items())
    jobs = None
    if first.rows is not None and second.rows is not None:
        jobs = paired(first.rows, second.rows)
    parting = None
    decisions = first.journal is not None and second.journal is not None
    if decisions:
        with first.entries() as ours, second.entries() as theirs:
            parting = divergence(ours, theirs)
    return Comparison(
        first=first.identity,
        second=second.identity,
        equal=not figures and parting is None and (jobs is None or jobs.equal),
        jobs=jobs,
        headlines=leading,
        figures=figures,
        decisions=decisions,
        parting=parting,
    )


def paired(first: Sequence[schedule.Row], second: Sequence[schedule.Row]) -> Jobs:
    """Two schedules, counted."""
    found = schedule.differences(first, second)
    only_first = sum(each.second is None for each in found)
    only_second = sum(each.first is None for each in found)
    return Jobs(
        both=len(first) - only_first,
        differ=len(found) - only_first - only_second,
        only_first=only_first,
        only_second=only_second,
        first_difference=found[0] if found else None,
    )


def differences(first: Summary, second: Summary) -> tuple[Difference, ...]:
    """Every figure that differs, in the order of the summary; lists are matched by `id` or `clause`."""
    one, other = dict(_figures(wire.to_plain(first))), dict(_figures(wire.to_plain(second)))
    paths = [*one, *(path for path in other if path not in one)]
    return tuple(
        Difference(path, one.get(path), other.get(path)) for path in paths if one.get(path) != other.get(path)
    )


def divergence(first: Iterable[Entry], second: Iterable[Entry]) -> Divergence | None:
    """The first decision on which two streams of entries part; None: they decided the same at the same times.

    What the broker was told is not compared, nor are numbers, causes and grounds: two runs with different policies
    part where they first do something different. The streams are read once, and only as far as is needed.
    """
    one, other = _Stream(first), _Stream(second)
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
        first=None if mine is None else step(mine),
        second=None if yours is None else step(yours),
        first_on_second=None if yours is None else one.about(subject(yours.fact), mine),
        second_on_first=None if mine is None else other.about(subject(mine.fact), yours),
        told_first=told[0],
        told_second=told[1],
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
