"""Commitments: what of them has started, what counts towards them, and where they stand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from stargate.agreements.accrue.line import ChargeLine, Usage
from stargate.agreements.accrue.reach import speaks
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Commitment, Portion, many
from stargate.agreements.condition import Comparison
from stargate.agreements.firing import absolute
from stargate.agreements.period import add_months
from stargate.agreements.present import Present
from stargate.agreements.scope import matches
from stargate.agreements.version import Version
from stargate.base.money import usd
from stargate.base.time import Instant

CommitmentStatus = Literal["Pending", "Active", "Completed", "Expired", "Canceled"]
"""FOCUS says Exhausted for Completed."""
NONE: Mapping[str, Decimal] = {}


class Run(NamedTuple):
    """A commitment, or one portion of it, that has started."""

    start: Instant
    end: Instant
    share: Decimal
    portion: str


def runs(version: Version, present: Present) -> tuple[Run, ...]:
    """What of a commitment has started, as far as is known: with delivery, each accepted portion by itself."""
    clause = version.clause
    assert isinstance(clause, Commitment), "asked of commitments only"
    end = present.until(version)
    if clause.start_on == "date":
        start = present.start(version)
        return (Run(start, end, Decimal(1), ""),) if present.horizon.reached(start) else ()
    found = []
    for portion in clause.portions:
        accepted = Comparison(accepted_fact(portion)).first(present.world, present.horizon)
        if accepted is not None:
            start = max(accepted.valid_from, present.start(version))
            last = end if clause.term_months is None else min(end, add_months(start, clause.term_months))
            found.append(Run(start, last, portion.share, portion.id))
    return tuple(found)


def accepted_fact(portion: Portion) -> str:
    """The fact by which a portion starts."""
    return portion.accepted_fact or f"accepted/{portion.id}"


def consumption(
    timeline: Timeline,
    usage: Sequence[Usage],
    lines: Sequence[ChargeLine] = (),
    prior: Mapping[str, Decimal] = NONE,
    due: Mapping[str, Decimal] = NONE,
) -> dict[str, Decimal]:
    """What counts towards each commitment in a period: each unit once, unless commitments share it.

    Use goes to the commitment of the highest priority, then to the one that ends first, up to its amount, then
    to the next. `lines` are charges that count as spend; `prior` is what counted before; `due` is what a part
    with `at_most` is a fraction of (default: the commitment's amount).
    """
    present = timeline.last
    versions = [
        item
        for item in timeline.book.chart.versions
        if isinstance(item.clause, Commitment) and timeline.spans(item)
    ]
    versions.sort(key=lambda item: (-item.clause.priority, present.until(item), item.ref))
    shared = _shared(versions)
    found = {item.ref: Decimal(0) for item in versions}
    parts: dict[tuple[str, int], Decimal] = {}
    for metric, quantity, at, seen in _spend(usage, lines, timeline.book.chart.masters):
        free, takers = quantity, set[str]()
        for version in versions:
            part = _eligible(timeline, version, metric, at, seen)
            if part is None or not part.share:
                continue
            with_others = bool(shared.get(version.ref, set()) & takers)
            key = (version.ref, part.number)
            room = min(
                _room(version, found[version.ref] + prior.get(version.ref, Decimal(0))),
                _part_room(version, part, due) - parts.get(key, Decimal(0)),
            )
            counted = min((quantity if with_others else free) * part.share, room)
            if counted > 0:
                found[version.ref] += counted
                parts[key] = parts.get(key, Decimal(0)) + counted
                takers.add(version.ref)
                free -= Decimal(0) if with_others else counted / part.share
    return found


def _shared(versions: Sequence[Version]) -> dict[str, set[str]]:
    """Commitments that count the same consumption, both ways."""
    found: dict[str, set[str]] = {}
    for version in versions:
        clause = version.clause
        assert isinstance(clause, Commitment), "asked of commitments only"
        for name in many(clause.shared_with):
            other = absolute(name, version.home.id)
            found.setdefault(version.ref, set()).add(other)
            found.setdefault(other, set()).add(version.ref)
    return found


def _spend(
    usage: Sequence[Usage], lines: Sequence[ChargeLine], orders: Collection[str]
) -> Iterator[tuple[str, Decimal, Instant, dict[str, object]]]:
    for item in usage:
        yield item.metric, item.quantity, item.start, item.seen()
    for line in lines:
        if line.kind in ("usage", "burst", "reservation"):
            seen: dict[str, object] = line.attributes | {
                "party": line.payer,
                "provider_party": line.payee,
                "metric": "spend_usd",
                "clause": line.clause,
            }
            home = line.clause.partition("/")[0]
            if home in orders:
                seen["agreement"] = home
            yield "spend_usd", usd(line.amount_micro_usd), line.period.start, seen


def metric_of(clause: Commitment) -> str:
    """Which usage counts."""
    return clause.metric or ("spend_usd" if clause.category == "Spend" else str(clause.unit))


class _Part(NamedTuple):
    """The part of what is eligible to which some use belongs."""

    number: int
    share: Decimal
    at_most: Decimal


def _eligible(
    timeline: Timeline, version: Version, metric: str, at: Instant, seen: dict[str, object]
) -> _Part | None:
    """How much of a unit of use counts, and as which part; None: it does not."""
    clause = version.clause
    assert isinstance(clause, Commitment), "asked of commitments only"
    if metric not in (metric_of(clause), *clause.excused):
        return None
    payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
    if seen.get("party", payer) != payer or seen.get("provider_party", payee) != payee:
        return None
    if not speaks(timeline, version, seen, at):
        return None
    if not clause.eligible:
        return _Part(0, Decimal(1), Decimal(1))
    parts = [
        _Part(index, item.share, item.at_most)
        for index, item in enumerate(clause.eligible)
        if matches(item.scope, seen)
    ]
    return max(parts, key=lambda part: part.share, default=None)


def _part_room(version: Version, part: _Part, due: Mapping[str, Decimal]) -> Decimal:
    whole = due.get(version.ref, getattr(version.clause, "amount", None))
    return Decimal("Infinity") if whole is None or part.at_most == 1 else whole * part.at_most


def _room(version: Version, counted: Decimal) -> Decimal:
    clause = version.clause
    assert isinstance(clause, Commitment), "asked of commitments only"
    return Decimal("Infinity") if clause.amount is None else max(Decimal(0), clause.amount - counted)


def status(version: Version, present: Present, consumed: Decimal) -> CommitmentStatus:
    """Where a commitment stands, given what counted towards it in all."""
    clause = version.clause
    assert isinstance(clause, Commitment), "asked of commitments only"
    if clause.amount is not None and consumed >= clause.amount:
        return "Completed"
    span = present.firing.span(version.home.id)
    terminated = span.terminated is not None and present.horizon.reached(span.terminated)
    if terminated or present.horizon.reached(version.removed):
        return "Canceled"
    if present.horizon.reached(present.until(version)):
        return "Expired"
    return "Active" if runs(version, present) else "Pending"
