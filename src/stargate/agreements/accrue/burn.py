"""Burn-down: which commitment each unit of consumption counts towards, in order of time, each unit once.

Where several commitments apply, use goes to the one of the highest priority, then to the one that ends first. It
fills what that one lacks until its next deadline, then what the next one lacks; what is left when all have
their minimum goes the same way, up to each one's amount. Commitments that share consumption count it all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from stargate.agreements.accrue.commitment import NONE, Run, drawn, metric_of, runs
from stargate.agreements.accrue.deadline import Deadline, deadline_at, deadlines
from stargate.agreements.accrue.line import CHARGED, SHORT, ChargeLine, Usage
from stargate.agreements.accrue.reach import speaks
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Commitment, many
from stargate.agreements.firing import absolute
from stargate.agreements.period import Period
from stargate.agreements.scope import matches
from stargate.agreements.version import Version
from stargate.agreements.world import WorldFact
from stargate.base.money import usd
from stargate.base.time import FOREVER, Instant

NOTHING, ENDLESS = Decimal(0), Decimal("Infinity")
CONSUMED = "opening_consumed"
"""The metric of what had counted before the record began: it names its `commitment`, and perhaps its `portion`."""


class Part(NamedTuple):
    """The part of what is eligible to which some use belongs."""

    number: int
    share: Decimal
    at_most: Decimal


class Item(NamedTuple):
    """Something that may count."""

    metric: str
    quantity: Decimal
    at: Instant
    seen: Mapping[str, object]


class _Taker:
    """A commitment, or one portion of it, while it is counted towards. Wordings of one clause count together."""

    def __init__(self, version: Version, run: Run, group: int, due: Decimal | None) -> None:
        self.version, self.run, self.group, self._due = version, run, group, due
        clause = version.clause
        assert isinstance(clause, Commitment), "commitments are counted towards"
        self.clause = clause
        self.counted = NOTHING
        self.times: list[Instant] = []
        self.amounts: list[Decimal] = []
        self._parts: dict[tuple[object, int], Decimal] = {}
        self._within: dict[Period, Decimal] = {}
        self._carried: dict[Period, Decimal] = {}
        self._next: Deadline | None = None
        self.wordings: Sequence[_Taker] = (self,)
        """Of the same clause, in order of time."""
        self.paid: list[tuple[Instant, Decimal]] = []
        """What was reckoned as short, when: it need not be made good twice."""

    def deadline(self, at: Instant) -> Deadline | None:
        if self._next is None or not self._next.over.holds(at):
            self._next = deadline_at(self.clause, self.run, at)
        return self._next

    def lacks(self, at: Instant) -> Decimal:
        """What is still to be consumed by the next deadline."""
        room = self.room()
        found = self.deadline(at)
        if found is None:
            return room if self.run.end >= FOREVER and self.clause.amount is not None else NOTHING
        if found.cumulative:
            paid = sum((amount for when, amount in self.paid if when <= at), NOTHING)
            return min(room, max(NOTHING, found.minimum - self.counted - paid))
        counted = self._within.get(found.over, NOTHING) + self.carried(found)
        return min(room, max(NOTHING, found.minimum - counted))

    def carried(self, deadline: Deadline) -> Decimal:
        """What earlier intervals consumed beyond their minimum, where it rolls over."""
        clause, run, start = self.clause, self.run, deadline.over.start
        if clause.rollover == "none" or deadline.cumulative or start <= run.start:
            return NOTHING
        kept = self._carried.get(deadline.over)
        if kept is None:
            kept = NOTHING
            before = self._ended(Period(run.start, start))
            for earlier in before if clause.rollover == "until_end" else before[-1:]:
                kept = max(NOTHING, kept + self.within(earlier.over) - earlier.minimum)
            self._carried[deadline.over] = kept
        return kept

    def _ended(self, within: Period) -> list[Deadline]:
        """Intervals that ended within a span, each with the minimum of the wording that stood when it ended."""
        return [
            deadline
            for same in self.wordings
            for deadline in deadlines(same.clause, same.run, within)
            if same.version.added < deadline.over.end <= same.version.removed
        ]

    def room(self) -> Decimal:
        """What is left of the amount."""
        amount = self.clause.amount
        return ENDLESS if amount is None else max(NOTHING, amount * self.run.share - self.counted)

    def part_room(self, part: Part, at: Instant) -> Decimal:
        """What may still count of a part that counts up to a fraction of what is due."""
        if part.at_most == 1:
            return ENDLESS
        found = self.deadline(at)
        whole = self._due
        if whole is None:
            amount = None if self.clause.amount is None else self.clause.amount * self.run.share
            whole = amount if found is None else found.minimum
        if whole is None:
            return ENDLESS
        return whole * part.at_most - self._parts.get((self._span(found), part.number), NOTHING)

    def take(self, amount: Decimal, part: Part | None, at: Instant) -> None:
        found = self.deadline(at)
        self.counted += amount
        self.times.append(at)
        self.amounts.append(amount)
        if found is not None and not found.cumulative:
            self._within[found.over] = self._within.get(found.over, NOTHING) + amount
        if part is not None and part.at_most != 1:
            key = (self._span(found), part.number)
            self._parts[key] = self._parts.get(key, NOTHING) + amount

    def within(self, over: Period) -> Decimal:
        return sum(
            self.amounts[bisect_left(self.times, over.start) : bisect_left(self.times, over.end)], NOTHING
        )

    @staticmethod
    def _span(deadline: Deadline | None) -> Period | None:
        return None if deadline is None or deadline.cumulative else deadline.over


class Burn:
    """What counted towards each commitment over a period.

    `lines` are charges that count as spend, and what was reckoned as short; `prior` is what counted before, by
    clause; `due` is what a part with `at_most` is a fraction of (default: what is due at the next deadline).
    """

    def __init__(
        self,
        timeline: Timeline,
        usage: Sequence[Usage],
        lines: Sequence[ChargeLine] = (),
        prior: Mapping[str, Decimal] = NONE,
        due: Mapping[str, Decimal] = NONE,
    ) -> None:
        self._timeline = timeline
        self._takers = _takers(timeline, due)
        self._by_name: dict[tuple[str, str], list[_Taker]] = {}
        for taker in self._takers:
            self._by_name.setdefault((taker.version.ref, taker.run.portion), []).append(taker)
            taker.counted = prior.get(taker.version.ref, NOTHING)
        for same in self._by_name.values():
            for taker in same:
                taker.wordings = sorted(same, key=_added)
        self._heed_paid(lines)
        items = [item for item in items_of(usage, lines, timeline.book.chart.masters) if _counts(item)]
        for item in sorted(items, key=_order):
            if timeline.period.holds(item.at):
                self._count(item)

    def counted(self, ref: str, portion: str, over: Period) -> Decimal:
        """How much counted towards a commitment, or a portion of it, within a span."""
        return sum((taker.within(over) for taker in self._by_name.get((ref, portion), ())[:1]), NOTHING)

    def carried(self, ref: str, portion: str, deadline: Deadline) -> Decimal:
        """What rolls over into the interval of a deadline."""
        takers = self._by_name.get((ref, portion), ())
        return max(takers, key=_added).carried(deadline) if takers else NOTHING

    def lacking(self, ref: str, portion: str, at: Instant) -> Decimal:
        """What is still to be consumed by the next deadline after an instant."""
        takers = self._by_name.get((ref, portion), ())
        return max(takers, key=_added).lacks(at) if takers else NOTHING

    def turns(self) -> list[tuple[str, str]]:
        """Commitments and their portions, in the order in which use is offered to them."""
        return list(self._by_name)

    def total(self, ref: str, over: Period) -> Decimal:
        """How much counted towards a commitment and all its portions within a span."""
        return sum((self.counted(*name, over) for name in self._by_name if name[0] == ref), NOTHING)

    def totals(self) -> dict[str, Decimal]:
        """What counted towards each commitment in all."""
        return {ref: self.total(ref, self._timeline.period) for ref, _ in self._by_name}

    def _heed_paid(self, lines: Sequence[ChargeLine]) -> None:
        """What was charged as short counts as consumed; what of it was credited back since, counts as use itself."""
        for line in lines:
            back = line.kind == "prepayment_credit"
            if back or line.kind in (*SHORT, "prepayment"):
                for taker in self._by_name.get((line.clause, line.portion), ()):
                    amount = -drawn(taker.clause, line.amount_micro_usd) if back else line.quantity or NOTHING
                    taker.paid.append((line.period.end, amount))

    def _count(self, item: Item) -> None:
        """Give an item to those that lack something, then what is left of it to those that have room."""
        if item.metric == CONSUMED:
            name = (str(item.seen.get("commitment", "")), str(item.seen.get("portion", "")))
            for taker in self._by_name.get(name, ())[:1]:
                self._take(taker, item.quantity, None, item.at)
            return
        eligible = [
            (taker, part)
            for taker in self._takers
            if (part := _eligible(self._timeline, taker, item)) is not None and part.share
        ]
        taken: dict[tuple[int, int], Decimal] = {}
        for filling in (True, False):
            for number, (taker, part) in enumerate(eligible):
                free = (item.quantity - _used(taken, number, taker.group)) * part.share
                room = min(taker.lacks(item.at) if filling else taker.room(), taker.part_room(part, item.at))
                amount = min(free, room)
                # What is taken back takes back what it counted for first.
                if amount > 0 or (item.quantity < 0 and filling and not taken):
                    amount = free if item.quantity < 0 else amount
                    self._take(taker, amount, part, item.at)
                    taken[taker.group, number] = (
                        taken.get((taker.group, number), NOTHING) + amount / part.share
                    )

    def _take(self, taker: _Taker, amount: Decimal, part: Part | None, at: Instant) -> None:
        """All wordings of one clause know of it."""
        for same in self._by_name[taker.version.ref, taker.run.portion]:
            same.take(amount, part, at)


class Counting:
    """Which commitments something may count towards, whatever is left of them."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._takers = _takers(timeline, NONE)

    def of(self, item: Item) -> tuple[tuple[str, str], ...]:
        """Those commitments and their portions, in the order in which it is offered to them."""
        found = (
            (taker.version.ref, taker.run.portion)
            for taker in self._takers
            if (part := _eligible(self._timeline, taker, item)) is not None and part.share
        )
        return tuple(dict.fromkeys(found))


def _added(taker: _Taker) -> Instant:
    return taker.version.added


def _used(taken: Mapping[tuple[int, int], Decimal], number: int, group: int) -> Decimal:
    """How much of an item is used up for one that asks: what others took, and what it took itself.

    Those that share count the same units; of a group as a whole the most that one of them took is gone.
    """
    most: dict[int, Decimal] = {}
    own = NOTHING
    for (taken_by, who), amount in taken.items():
        if taken_by != group:
            most[taken_by] = max(most.get(taken_by, NOTHING), amount)
        elif who == number:
            own = amount
    return own + sum(most.values(), NOTHING)


def _takers(timeline: Timeline, due: Mapping[str, Decimal]) -> list[_Taker]:
    present = timeline.last
    versions = [
        item
        for item in timeline.book.chart.versions
        if isinstance(item.clause, Commitment) and timeline.spans(item)
    ]
    groups = _groups(versions)
    found = [
        _Taker(version, run, groups[version.ref], due.get(version.ref))
        for version in versions
        for run in runs(version, present)
    ]
    found.sort(
        key=lambda taker: (
            -taker.clause.priority,
            present.until(taker.version),
            taker.version.ref,
            taker.run.portion,
        )
    )
    return found


def _groups(versions: Sequence[Version]) -> dict[str, int]:
    """Commitments that count the same consumption have the same number."""
    found = {ref: number for number, ref in enumerate(dict.fromkeys(item.ref for item in versions))}
    for version in versions:
        clause = version.clause
        assert isinstance(clause, Commitment), "asked of commitments only"
        for name in many(clause.shared_with):
            one, other = found[version.ref], found.get(absolute(name, version.home.id))
            if other is not None:
                found = {
                    ref: min(one, other) if group in (one, other) else group for ref, group in found.items()
                }
    return found


def items_of(usage: Sequence[Usage], lines: Sequence[ChargeLine], orders: Collection[str]) -> Iterator[Item]:
    """What may count: use, and charges as spend."""
    for item in usage:
        yield Item(item.metric, item.quantity, item.start, item.seen())
    for line in lines:
        if line.kind in CHARGED:
            seen: dict[str, object] = line.attributes | {
                "party": line.payer,
                "provider_party": line.payee,
                "metric": "spend_usd",
                "clause": line.clause,
            }
            home = line.clause.partition("/")[0]
            if home in orders:
                seen["agreement"] = home
            yield Item("spend_usd", usd(line.amount_micro_usd), line.period.start, seen)


def _counts(item: Item) -> bool:
    return bool(item.quantity)


def _order(item: Item) -> tuple[Instant, bool, str, list[tuple[str, str]]]:
    """By time, what is taken back last; then by what is known of it: never by how it came."""
    named = sorted((name, str(value)) for name, value in item.seen.items())
    return item.at, item.quantity < 0, item.metric, named


def _eligible(timeline: Timeline, taker: _Taker, item: Item) -> Part | None:
    """How much of a unit of use counts, and as which part; None: it does not."""
    version, clause, run, seen = taker.version, taker.clause, taker.run, item.seen
    if item.metric not in (metric_of(clause), *clause.excused) or not run.start <= item.at < run.end:
        return None
    if run.portion and seen.get("portion", seen.get("site")) != run.portion:
        return None
    payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
    if seen.get("party", payer) != payer or seen.get("provider_party", payee) != payee:
        return None
    if not speaks(timeline, version, seen, item.at):
        return None
    if not clause.eligible:
        return Part(0, Decimal(1), Decimal(1))
    parts = [
        Part(index, part.share, part.at_most)
        for index, part in enumerate(clause.eligible)
        if matches(part.scope, seen)
    ]
    return max(parts, key=lambda part: part.share, default=None)


def reaching(
    timeline: Timeline, facts: Sequence[WorldFact], usage: Sequence[Usage], lines: Sequence[ChargeLine]
) -> Timeline:
    """The same view, from the first use or charge on."""
    starts = [*(item.start for item in usage), *(line.period.start for line in lines)]
    first = min(starts, default=timeline.period.start)
    if first >= timeline.period.start:
        return timeline
    return Timeline(timeline.book, facts, Period(first, timeline.period.end), timeline.known_at)


def consumption(
    timeline: Timeline,
    usage: Sequence[Usage],
    lines: Sequence[ChargeLine] = (),
    prior: Mapping[str, Decimal] = NONE,
    due: Mapping[str, Decimal] = NONE,
) -> dict[str, Decimal]:
    """What counts towards each commitment in a period, by clause. See `Burn`."""
    return Burn(timeline, usage, lines, prior, due).totals()


__all__ = ["CONSUMED", "Burn", "Item", "consumption", "items_of", "reaching"]
