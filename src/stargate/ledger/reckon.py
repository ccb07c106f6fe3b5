"""From the record to entries: what usage costs, what clauses say of a month, and the difference to what stands.

A month that is closed keeps the agreements it was closed with. What becomes known of it later, late usage or facts
that were so by then, still counts: its lines are reckoned again, and with them those of the closed months
after it, for caps, tiers and commitments go on from month to month. What changes is booked in the first open month.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from stargate.agreements import Book, ChargeLine, Period, Usage
from stargate.agreements.accrue import Timeline, edges
from stargate.agreements.clause import ServiceLevel
from stargate.agreements.period import calendar_parts
from stargate.base.time import DAY, HOUR, Instant
from stargate.ledger.record import Draft, Month, Rollup
from stargate.ledger.record.month import month_of, span_of
from stargate.ledger.record.opening import as_consumed, as_prior
from stargate.ledger.settle.commitment import CommitmentState, commitments
from stargate.ledger.settle.difference import difference, of_use
from stargate.ledger.settle.owed import as_charges, as_spend, fields_counted, metrics_counted, owed
from stargate.ledger.settle.prices import Prices, as_usage
from stargate.ledger.settle.rate import rated
from stargate.ledger.store import Terms, Writing
from stargate.ledger.store.reading import Reading
from stargate.ledger.store.writing import BATCH_LIMIT
from stargate.ledger.tell import Tell, quiet

RATED = "rated"
"""The name under which the store remembers how far usage has been rated."""
PORTION = 20_000
"""Events that are rated at once; an hour that has more is one portion."""


def rate(writing: Writing, at: Instant, tell: Tell = quiet) -> int:
    """Charges for what came since the last rating; all of the open months again where terms have changed."""
    done, note = writing.progress(RATED)
    now, terms = writing.now, writing.terms()
    if (done, note) == (now.usage_seq, str(terms.seq)):
        return 0
    fresh = _months_used(writing, done, now.usage_seq)
    closed = [month for month in writing.months() if month.status == "closed"]
    last = closed[-1].name if closed else ""
    changed = note != str(terms.seq)
    again = _months_of_facts(writing, int(note or 0), terms) if changed else ""
    entries = _reckon_closed(writing, closed, [name for name in fresh if name <= last], again, done, at)
    months = _months_used(writing, 0, now.usage_seq) if changed else fresh
    for name in months:
        if name > last:
            entries += _rate_month(writing, name, terms, None if changed else done, at, tell)
    writing.set_progress(RATED, now.usage_seq, str(terms.seq))
    return entries


def settle(writing: Writing, month: str, at: Instant, terms: Terms) -> int:
    """Post the difference between what a month's clauses say and what was posted for them."""
    charges = owed_by_clauses(writing, month, terms, at)
    standing = writing.lines(month, of_clauses=True)
    return _post(writing, difference(charges, standing, month))


def _post(writing: Writing, drafts: Sequence[Draft]) -> int:
    upto = writing.now.usage_seq
    parts = (drafts[first : first + BATCH_LIMIT] for first in range(0, len(drafts), BATCH_LIMIT))
    return sum(writing.post(part, usage_seq=upto) for part in parts)


def _months_of_facts(writing: Writing, known: int, terms: Terms) -> str:
    """The first month of which facts that came after `known` say something; empty: of none."""
    fresh = terms.facts[len(writing.terms(known).facts) :]
    return min((month_of(fact.valid_from) for fact in fresh), default="")


def _reckon_closed(
    writing: Writing, closed: Sequence[Month], late: Sequence[str], again: str, done: int, at: Instant
) -> int:
    """Months that are closed, from the first of which something new is known.

    Usage from before the first closed month is rated by the terms that one was closed with; what clauses say
    of such a month was reckoned elsewhere, before these books began.
    """
    if not closed:
        return 0
    facts = writing.terms().facts
    entries = 0
    for name in late:
        if name < closed[0].name:
            terms = writing.terms(closed[0].terms_seq)._replace(facts=facts)
            entries += _rate_month(writing, name, terms, done, at)
    first = min([*late, *([again] if again else [])], default="9999-99")
    for month in closed:
        if month.name < first:
            continue
        terms = writing.terms(month.terms_seq)._replace(facts=facts)
        if again and month.name >= again:
            entries += _rate_month(writing, month.name, terms, None, at)
        elif month.name in late:
            entries += _rate_month(writing, month.name, terms, max(done, month.usage_seq), at)
        entries += settle(writing, month.name, at, terms)
    return entries


def _months_used(writing: Writing, after: int, upto: int) -> list[str]:
    """The months in which usage lies that came after one number and up to another, in order."""
    return sorted({month_of(hour) for hour, _ in writing.hours_used(after, upto)})


def _rate_month(
    writing: Writing, month: str, terms: Terms, done: int | None, at: Instant, tell: Tell = quiet
) -> int:
    """One month: what came after `done`, or (None) all of it against what stands."""
    span, upto = span_of(month), writing.now.usage_seq
    prices = Prices(Book(terms.agreements), terms.facts, span, max(span.end, at))
    hours = writing.hours_used(done or 0, upto, span)
    entries, counted, total = 0, 0, sum(events for _, events in hours)
    for part, events in portions(span, hours):
        tell(f"rating {month}", counted, total)
        entries += _rate_part(writing, part, prices, done)
        counted += events
    return entries


def _rate_part(writing: Writing, span: Period, prices: Prices, done: int | None) -> int:
    upto = writing.now.usage_seq
    rollups = (
        used for part in cut(span, prices.edges, HOUR) for used in writing.rollups(done or 0, upto, part)
    )
    counted = list(rated(rollups, prices))
    if done is None:
        standing = {line.key.id: line for line in writing.lines_at_a_price(span)}
    else:
        standing = writing.standing({item.key.id: item.key for item in counted})
    return _post(writing, of_use(counted, standing, whole=done is None))


def portions(span: Period, hours: Iterable[tuple[Instant, int]]) -> Iterator[tuple[Period, int]]:
    """A span, cut between hours into parts of so many events that they may be in memory at once; with their number."""
    start, events = span.start, 0
    for hour, count in hours:
        if events and events + count > PORTION:
            yield Period(start, hour), events
            start, events = hour, 0
        events += count
    yield Period(start, span.end), events


def owed_by_clauses(reading: Reading, month: str, terms: Terms, at: Instant) -> tuple[ChargeLine, ...]:
    """What clauses say of a month, with all that is on record of it and of what lies before."""
    book, span = Book(terms.agreements), span_of(month)
    known_at = max(span.end, at)
    usage, charged, prior = _gathered(reading, book, terms, span, known_at)
    return owed(book, terms.facts, usage, span, charged=charged, prior=prior, known_at=known_at)


def commitments_at(reading: Reading, at: Instant) -> tuple[CommitmentState, ...]:
    """Where every commitment stands with what is on record from before an instant."""
    terms = reading.terms()
    book, span = Book(terms.agreements), span_of(month_of(Instant(at - 1)))
    usage, charged, prior = _gathered(reading, book, terms, Period(span.start, at), at)
    standing = reading.lines(month_of(span.start), of_clauses=True)
    settled = [line for line in as_charges(standing) if line.period.end <= at]
    return commitments(book, terms.facts, usage, (*prior, *charged, *settled), at)


def _gathered(
    reading: Reading, book: Book, terms: Terms, span: Period, known_at: Instant
) -> tuple[list[Usage], list[ChargeLine], list[ChargeLine]]:
    """Usage up to the end of a span, charges for use within it, and the lines of the months before it."""
    upto, month = reading.position().usage_seq, month_of(span.start)
    fields, months = fields_counted(book), reading.months_with_lines(before=month)
    before = Period(_first(reading, months, span), span.end)
    cuts = (*edges(Timeline(book, terms.facts, before, known_at)), span.end)
    charged = [line for line in _spent(reading, month, fields, cuts) if line.period.start < span.end]
    brought = tuple(reading.openings())
    prior = [line for event in brought if (line := as_prior(event)) is not None]
    for name in months:
        prior += as_charges(reading.lines(name, of_clauses=True))
        prior += _spent(reading, name, fields, cuts)
    usage = [use for event in brought if (use := as_consumed(event)) is not None]
    points = sorted({*cuts, *(part.start for part in calendar_parts(before, "Monthly"))})
    counted = metrics_counted(book, earlier=False)
    levels = {one.clause.metric for one in book.chart.versions if isinstance(one.clause, ServiceLevel)}
    for part in cut(span, cuts, HOUR):
        usage += as_used(reading.rollups(0, upto, part, metrics=counted), fields, points, levels)
    counted = metrics_counted(book, earlier=True)
    earlier = cut(Period(before.start, span.start), cuts, DAY) if before.start < span.start else ()
    for part in earlier:
        usage += as_used(reading.rollups(0, upto, part, DAY, counted), fields, points, levels)
    return usage, charged, prior


def _spent(reading: Reading, month: str, fields: frozenset[str], cuts: Sequence[Instant]) -> list[ChargeLine]:
    """What was charged for use in a month, cut where clauses tell it apart."""
    span = span_of(month)
    inside = cuts[bisect_left(cuts, span.start) : bisect_left(cuts, span.end)]
    by_day = not any(point % DAY for point in inside)
    return as_spend(reading.use_charged(month, grain=DAY if by_day else 1), fields, cuts)


def _first(reading: Reading, months: Sequence[str], span: Period) -> Instant:
    """Where the record begins, or the span, whichever is earlier."""
    first = min([month_of(span.start), *months, *filter(None, [reading.first_month()])])
    return min(span.start, span_of(first).start)


def cut(span: Period, points: Iterable[Instant], grain: int) -> list[Period]:
    """A span, cut at those points that do not lie on the grain by which use is summed."""
    inside = [point for point in points if point % grain and span.start < point < span.end]
    starts = [span.start, *inside]
    return [Period(one, other) for one, other in zip(starts, [*inside, span.end], strict=True)]


def as_used(
    rollups: Iterable[Rollup],
    fields: frozenset[str],
    points: Sequence[Instant] | None = None,
    levels: Collection[str] = (),
) -> list[Usage]:
    """Usage in the words of agreements, what clauses do not tell apart summed: over each hour, or between points.

    As charges are, it is summed in one way however long ago it was, and what was taken back is gone before it counts.
    `levels`: metrics that are measured and no sums.
    """
    found: dict[tuple[object, ...], Rollup] = {}
    for used in rollups:
        seen = {name: value for name, value in used.attributes.items() if name in fields}
        span = used.hour if points is None or used.metric in levels else bisect_right(points, used.hour)
        key = (span, used.metric, used.party, used.provider, tuple(sorted(seen.items())))
        before = found.get(key, used)
        micro = used.micro + (before.micro if before is not used else 0)
        found[key] = msgspec.structs.replace(before, attributes=seen, quoted_usd=None, micro=micro)
    return [as_usage(used) for used in found.values()]
