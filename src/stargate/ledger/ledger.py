"""The ledger: usage in, charges and what clauses owe posted, months closed.

One rule throughout: what is owed for a month is a pure function of the record, and an entry is the difference to
what was posted.
So it does not matter in which order, in how many parts or how often usage arrives, or where a crash interrupts:
done again, the difference is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from stargate.agreements import Agreement, Book, ChargeLine, Usage, WorldFact
from stargate.agreements.period import add_months
from stargate.base.errors import StateConflictError
from stargate.base.time import DAY, Instant
from stargate.ledger.record import Line, Month, Rollup, UsageEvent
from stargate.ledger.record.month import after, month_of, span_of
from stargate.ledger.root import root_of
from stargate.ledger.settle.difference import difference, of_use
from stargate.ledger.settle.owed import as_charges, fields_counted, owed
from stargate.ledger.settle.prices import Prices, as_usage
from stargate.ledger.settle.rate import rated
from stargate.ledger.statement import Statement, draw
from stargate.ledger.store import Store, Taken, Terms, Writing

RATED = "rated"
"""The name under which the store remembers how far usage has been rated."""
REACH_MONTHS = 600
"""How far back usage counts towards a commitment's interval."""


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A month that was closed."""

    month: Month
    entries: int
    """Posted by closing it."""


class Ledger:
    """The operations on a store. Times are given: nothing here reads a clock."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # -- what comes in -----------------------------------------------------------------------------------------

    def take(self, events: Sequence[UsageEvent], at: Instant) -> Taken:
        """Put usage on record, each event once. See `Writing.take`."""
        with self.store.writing(at) as writing:
            return writing.take(events)

    def declare(self, agreements: Sequence[Agreement], facts: Sequence[WorldFact], at: Instant) -> None:
        """Put terms and facts on record. They count for months that are not closed, and for what comes late."""
        with self.store.writing(at) as writing:
            writing.declare(agreements)
            writing.learn(facts)

    # -- what follows from it ----------------------------------------------------------------------------------

    def rate(self, at: Instant) -> int:
        """Post charges for all usage that is on record. Gives how many entries that made."""
        with self.store.writing(at) as writing:
            return _rate(writing, at)

    def close(self, month: str, at: Instant) -> Closed:
        """Rate what is left, post what the clauses say, and seal the month; whatever comes later is booked later.

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
            entries = _rate(writing, at) + _settle(writing, month, at)
            now = writing.now
            closed = Month(
                name=month,
                status="closed",
                closed_at=at,
                entry_seq=now.entry_seq,
                usage_seq=now.usage_seq,
                terms_seq=now.terms_seq,
                root=root_of(writing, month, now.usage_seq),
            )
            writing.set_month(closed)
            return Closed(month=closed, entries=entries)

    def preview(self, month: str, at: Instant) -> tuple[ChargeLine, ...]:
        """What the clauses say of a month as far as it is on record, without posting anything."""
        with self.store.snapshot():
            return _owed(self.store, month, self.store.terms(), at)

    def statement(self, parties: tuple[str, str], month: str, as_of_entry: int | None = None) -> Statement:
        """What two parties owe each other for a month, by an entry (default: all there is).

        Of a month that is closed, what was booked up to then is all there will ever be.
        """
        with self.store.snapshot():
            state = self.store.month(month)
            last = state.entry_seq if state.status == "closed" else self.store.position().entry_seq
            upto = last if as_of_entry is None else min(as_of_entry, last)
            entries = self.store.entries(upto_seq=upto, month=month, parties=parties)
            return draw(entries, parties, month, status=state.status, as_of_entry=upto)


def _demand_closable(writing: Writing, month: str, at: Instant) -> None:
    span = span_of(month)
    if at < span.end:
        raise StateConflictError(f"{month} has not ended: it ends {span.end}", "Close it after that.")
    closed = [item.name for item in writing.months() if item.status == "closed"]
    first = after(max(closed)) if closed else writing.first_month()
    if first and month > first:
        raise StateConflictError(
            f"{first} is open, and months close in order", f"Run `stargate ledger close {first}` first."
        )


def _rate(writing: Writing, at: Instant) -> int:
    """Charges for what came since the last rating; all of the open months again where terms have changed."""
    done, note = writing.progress(RATED)
    now, terms = writing.now, writing.terms()
    months = writing.months_used(done, now.usage_seq)
    if note != str(terms.seq):
        months = sorted({*months, *writing.months_used(0, now.usage_seq)})
    entries = 0
    for month in months:
        state = writing.month(month)
        if state.status == "closed":
            entries += _rate_late(writing, state, done, at)
        else:
            entries += _rate_month(writing, month, terms, done if note == str(terms.seq) else None, at)
    writing.set_progress(RATED, now.usage_seq, str(terms.seq))
    return entries


def _rate_month(writing: Writing, month: str, terms: Terms, done: int | None, at: Instant) -> int:
    """One open month: what came after `done`, or (None) all of it against what stands."""
    span, upto = span_of(month), writing.now.usage_seq
    prices = Prices(Book(terms.agreements), terms.facts, span, max(span.end, at))
    counted = rated(writing.rollups(done or 0, upto, span), prices)
    standing = {line.key.id: line for line in writing.lines(month) if line.key.price_usd is not None}
    if done is None:
        return writing.post(of_use(counted, standing, whole=True), usage_seq=upto)
    return writing.post(of_use(counted, standing), usage_seq=upto)


def _rate_late(writing: Writing, month: Month, done: int, at: Instant) -> int:
    """What came late for a closed month, under the terms it was closed with; booked in the first open month."""
    terms = writing.terms(month.terms_seq)
    entries = _rate_month(writing, month.name, terms, max(done, month.usage_seq), month.closed_at or at)
    return entries + _settle(writing, month.name, month.closed_at or at, terms)


def _settle(writing: Writing, month: str, at: Instant, terms: Terms | None = None) -> int:
    """Post the difference between what a month's clauses say and what was posted for them."""
    charges = _owed(writing, month, writing.terms() if terms is None else terms, at)
    standing = [line for line in writing.lines(month) if not _at_a_price(line)]
    return writing.post(difference(charges, standing, month), usage_seq=writing.now.usage_seq)


def _owed(reading: Store | Writing, month: str, terms: Terms, at: Instant) -> tuple[ChargeLine, ...]:
    book, span, upto = Book(terms.agreements), span_of(month), reading.position().usage_seq
    fields = fields_counted(book)
    charged = as_charges((line for line in reading.lines(month) if _at_a_price(line)), fields)
    prior: list[ChargeLine] = []
    for earlier in reading.months_with_lines(before=month):
        prior.extend(as_charges(reading.lines(earlier), fields))
    usage = _usage(reading.rollups(0, upto, span), fields)
    reach = msgspec.structs.replace(span, start=add_months(span.start, -REACH_MONTHS), end=span.start)
    usage += _usage(reading.rollups(0, upto, reach, grain=DAY), fields)
    return owed(book, terms.facts, usage, span, charged=charged, prior=prior, known_at=max(span.end, at))


def _usage(rollups: Iterable[Rollup], fields: frozenset[str]) -> list[Usage]:
    """Usage in the words of agreements, what clauses do not tell apart summed."""
    found: dict[tuple[object, ...], Rollup] = {}
    for used in rollups:
        seen = {name: value for name, value in used.attributes.items() if name in fields}
        key = (used.hour, used.metric, used.party, used.provider, tuple(sorted(seen.items())))
        before = found.get(key)
        micro = used.micro + (before.micro if before else 0)
        found[key] = msgspec.structs.replace(used, attributes=seen, quoted_usd=None, micro=micro)
    return [as_usage(used) for used in found.values()]


def _at_a_price(line: Line) -> bool:
    return line.key.kind == "usage" and line.key.price_usd is not None


__all__ = ["Closed", "Ledger", "month_of"]
