"""The ledger: usage in, charges and what clauses owe posted, months closed.

One rule throughout: what is owed for a month is a pure function of the record, and an entry is the difference to
what was posted.
So it does not matter in which order, in how many parts or how often usage arrives, or where a crash interrupts:
done again, the difference is nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice

import msgspec

from stargate.agreements import Agreement, Book, ChargeLine, Period, WorldFact
from stargate.agreements.lint import circling_shares
from stargate.base.errors import InputError, StateConflictError
from stargate.base.time import DAY, FOREVER, HOUR, Instant
from stargate.ledger.reckon import commitments_at, owed_by_clauses, rate, settle
from stargate.ledger.record import Budget, Entry, LineKey, Month, Opening, Payment, UsageEvent
from stargate.ledger.record.booked import Moved
from stargate.ledger.record.month import after, month_of, span_of
from stargate.ledger.root import root_of
from stargate.ledger.settle.budget import BudgetState, budget_states
from stargate.ledger.settle.commitment import CommitmentState
from stargate.ledger.settle.payable import Payable, payables
from stargate.ledger.statement import Group, Item, Statement, Used, behind, by_item, draw, grouped, used
from stargate.ledger.statement.detail import USAGE_SHOWN, Clauses, Detail, Wording, day_of
from stargate.ledger.statement.statement import at_a_price
from stargate.ledger.store import Store, Taken, Writing
from stargate.ledger.tell import Tell, quiet

FIRST_ENTRIES = 10_000
"""Numbers of the record that are looked through at first."""
WHOLE = 1 << 60
"""Microseconds: all of a month in one."""


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A month that was closed."""

    month: Month
    entries: int
    """Posted by closing it."""


class Ledger:
    """The operations on a store. Times are given: nothing here reads a clock."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._kept: tuple[tuple[str, int], Clauses] | None = None

    # -- what comes in -----------------------------------------------------------------------------------------

    def take(self, events: Sequence[UsageEvent], at: Instant, mark: tuple[str, int] | None = None) -> Taken:
        """Put usage on record, each event once. See `Writing.take`.

        `mark`: the name of another record that was read, and how far: it moves with the events, or not at all.
        """
        with self.store.writing(at) as writing:
            taken = writing.take(events)
            if mark is not None:
                writing.set_progress(*mark)
            return taken

    def open(self, openings: Sequence[Opening], at: Instant) -> Taken:
        """Put on record what other books hold of agreements that began before these. See `record/opening.py`.

        Raises StateConflictError once a month is closed: what came before is part of what it came to.
        """
        with self.store.writing(at) as writing:
            if closed := [month.name for month in writing.months() if month.status == "closed"]:
                raise StateConflictError(
                    f"{closed[0]} is closed already", "Bring what came before into books of their own."
                )
            return writing.take([opening.event() for opening in openings])

    def pay(self, payments: Sequence[Payment], at: Instant) -> Taken:
        """Put payments on record. They lower what is owed when they are rated, as usage raises it."""
        return self.take([payment.event() for payment in payments], at)

    def declare(self, agreements: Sequence[Agreement], facts: Sequence[WorldFact], at: Instant) -> None:
        """Put terms and facts on record. Agreements count for months that are not closed yet.

        Facts count from when they are so, also in a closed month: what that changes is booked in the first open one.

        Raises InputError where revenue shares are taken of one another in a circle: nothing is put on record.
        """
        if problems := circling_shares(agreements):
            raise InputError(problems)
        with self.store.writing(at) as writing:
            writing.declare(agreements)
            writing.learn(facts)

    def allow(self, budget: Budget, at: Instant) -> None:
        """Put a team's budget on record: from here on it counts."""
        with self.store.writing(at) as writing:
            writing.allow(budget)

    # -- what follows from it ----------------------------------------------------------------------------------

    def rate(self, at: Instant) -> int:
        """Post charges for all usage that is on record. Gives how many entries that made."""
        with self.store.writing(at) as writing:
            return rate(writing, at)

    def close(self, month: str, at: Instant, tell: Tell = quiet) -> Closed:
        """Rate what is left, post what the clauses say, and seal the month; whatever comes later is booked later.

        `tell` hears how far that is.
        Raises StateConflictError when the month has not ended, or one before it is open.
        """
        with self.store.writing(at) as writing:
            _demand_closable(writing, month, at)
            if writing.month(month).status == "open":
                writing.set_month(Month(name=month, status="closing"))
        with self.store.writing(at) as writing:
            found = writing.month(month)
            if found.status == "closed":
                return Closed(month=found, entries=0)
            entries = rate(writing, at, tell)
            tell(f"reckoning what clauses say of {month}", 0, 0)
            entries += settle(writing, month, at, writing.terms())
            tell(f"sealing {month}", 0, 0)
            now = writing.now
            closed = Month(
                name=month,
                status="closed",
                closed_at=at,
                entry_seq=now.entry_seq,
                usage_seq=now.usage_seq,
                terms_seq=now.terms_seq,
                root=root_of(writing, month, now.entry_seq, now.usage_seq),
            )
            writing.set_month(closed)
            return Closed(month=closed, entries=entries)

    def preview(self, month: str, at: Instant) -> tuple[ChargeLine, ...]:
        """What the clauses say of a month as far as it is on record, without posting anything."""
        with self.store.snapshot():
            return owed_by_clauses(self.store, month, self.store.terms(), at)

    def commitments(self, at: Instant) -> tuple[CommitmentState, ...]:
        """Where every commitment stands at an instant, in the words of FOCUS. Usage must have been rated."""
        with self.store.snapshot():
            return commitments_at(self.store, at)

    def budgets(self, month: str, at: Instant) -> tuple[BudgetState, ...]:
        """How each team with a limit stands in a month. Usage must have been rated."""
        with self.store.snapshot():
            spent: dict[str, int] = {}
            for used in self.store.use_charged(month, grain=WHOLE):
                team = used.attributes.get("team", "")
                spent[team] = spent.get(team, 0) + used.posted_micro
            return budget_states(self.store.budgets(), spent, month, at)

    def used(self, month: str, by: Sequence[str]) -> tuple[Used, ...]:
        """What was used in a month, by attributes, and what was charged for it. It must have been rated."""
        with self.store.snapshot():
            upto = self.store.position().usage_seq
            grain = DAY if "day" in by else WHOLE
            rollups = self.store.rollups(0, upto, span_of(month), grain=grain)
            return used(rollups, self.store.use_charged(month, grain=grain), by)

    def payables(self, parties: tuple[str, str], at: Instant) -> tuple[Payable, ...]:
        """What two parties owe each other by when, in each direction, and what was paid of it."""
        with self.store.snapshot():
            book = Book(self.store.terms().agreements)
            return payables(self.store.entries(parties=parties), book, at)

    def statement(self, parties: tuple[str, str], month: str, as_of_entry: int | None = None) -> Statement:
        """What two parties owe each other for a month, by an entry (default: all there is).

        Of a month that is closed, what was booked up to then is all there will ever be.
        """
        with self.store.snapshot():
            state = self.store.month(month)
            last = state.entry_seq if state.status == "closed" else self.store.position().entry_seq
            upto = last if as_of_entry is None else min(as_of_entry, last)
            moved = list(self.store.moved(month, parties, upto))
            now = upto == last
            return draw(
                moved,
                self.store.words([one.last_entry for one in moved]),
                parties,
                month,
                as_of_entry=upto,
                status=state.status if now else "open",
                root=state.root.hex() if now else "",
            )

    def grouped(self, drawn: Statement, by: Sequence[str]) -> tuple[Group, ...]:
        """What a statement comes to by attributes of the use, day, clause and so on: see `statement/group.py`."""
        days = "day" in by
        with self.store.snapshot():
            moved = self.store.moved(
                drawn.month, drawn.parties, drawn.as_of_entry, days=days, attributes=True
            )
            return grouped(moved, by)

    def entries_of(self, drawn: Statement, item: Item) -> Iterator[Entry]:
        """The entries that made an item of a statement, in order."""
        return behind(self._between(drawn, item.first_entry - 1, item.last_entry), drawn, item)

    def _between(self, drawn: Statement, after: int, upto: int) -> Iterator[Entry]:
        """A statement's entries, a part at a time: who wants the first ones does not wait for millions."""
        width = FIRST_ENTRIES
        while after < upto:
            part = min(after + width, upto)
            yield from self.store.entries(after, part, month=drawn.month, parties=drawn.parties)
            after, width = part, 8 * width

    def usage_of(self, drawn: Statement, item: Item, entries: Sequence[Entry]) -> Iterator[UsageEvent]:
        """The usage that was counted for entries of an item; for a line of a clause, what lies in its scope."""
        if not entries:
            return
        upto = max(entry.usage_seq for entry in entries)
        if not at_a_price(entries[0].line):
            clauses = self._clauses(drawn, item)
            counted, parties = clauses.metrics(item.clause), (item.payer, item.payee)
            span = Period(item.start, item.end)
            for event in self.store.usage(span, upto, counted):
                if clauses.covers(item.clause, parties, event):
                    yield event
            return
        wanted: dict[tuple[object, ...], list[LineKey]] = {}
        for entry in entries:
            key = entry.line
            alike = _alike(key.metric, key.quoted_usd, key.attributes, key.start)
            wanted.setdefault(alike, []).append(key)
        span = Period(min(entry.line.start for entry in entries), max(entry.line.end for entry in entries))
        for event in self.store.usage(span, upto, {entries[0].line.metric}):
            keys = wanted.get(_alike(event.metric, event.quoted_usd, event.attributes, event.start), ())
            if any(_counts(event, key) for key in keys):
                yield event

    def wordings(self, drawn: Statement, item: Item) -> tuple[Wording, ...]:
        """What the clause of an item says, as it was on record with the statement's last entry."""
        return self._clauses(drawn, item).wordings(item.clause, Period(item.start, item.end))

    def details(self, drawn: Statement, limit: int) -> tuple[Detail, ...]:
        """What is behind each of the first items of a statement."""
        with self.store.snapshot():
            days = self.store.moved(drawn.month, drawn.parties, drawn.as_of_entry, days=True)
            parts = by_item(days)
            items = drawn.items[:limit]
            return tuple(self._detail(drawn, item, parts[item.first_entry]) for item in items)

    def _detail(self, drawn: Statement, item: Item, days: Sequence[Moved]) -> Detail:
        entries = list(islice(self.entries_of(drawn, item), USAGE_SHOWN + 1))
        usage = tuple(islice(self.usage_of(drawn, item, entries), USAGE_SHOWN + 1))
        return Detail(
            wordings=self.wordings(drawn, item),
            days=tuple(day_of(one) for one in days if at_a_price(one.key)),
            usage=usage[:USAGE_SHOWN],
            more=len(usage) > USAGE_SHOWN,
        )

    def _clauses(self, drawn: Statement, item: Item) -> Clauses:
        """Those of the month that owes an item; a month that is closed keeps the terms it was closed with."""
        found = (item.corrects or drawn.month, drawn.as_of_entry)
        if self._kept is None or self._kept[0] != found:
            month, terms = self.store.month(item.corrects), self.store.terms_with(drawn.as_of_entry)
            if month.status == "closed":
                terms = self.store.terms(month.terms_seq)._replace(facts=terms.facts)
            clauses = Clauses(terms.agreements, terms.facts, span_of(found[0]), FOREVER)
            self._kept = (found, clauses)
        return self._kept[1]


def _alike(
    metric: str, quoted_usd: Decimal | None, attributes: dict[str, str], at: Instant
) -> tuple[object, ...]:
    return (metric, quoted_usd, tuple(sorted(attributes.items())), at // HOUR)


def _counts(event: UsageEvent, key: LineKey) -> bool:
    return (
        key.start <= event.start < key.end
        and event.party in ("", key.payer)
        and event.provider in ("", key.payee)
    )


def _demand_closable(writing: Writing, month: str, at: Instant) -> None:
    span = span_of(month)
    if at < span.end:
        raise StateConflictError(f"{month} has not ended: it ends {span.end}", "Close it after that.")
    closed = [item.name for item in writing.months() if item.status == "closed"]
    if closed and month < min(closed):
        raise StateConflictError(
            f"{month} lies before {min(closed)}, with which these books began to be closed",
            f"Close {after(max(closed))} next: what became known of {month} since is booked there.",
        )
    first = after(max(closed)) if closed else writing.first_month()
    if first and month > first:
        raise StateConflictError(
            f"{first} is open, and months close in order", f"Run `stargate ledger close {first}` first."
        )


__all__ = ["Closed", "Ledger", "month_of"]
