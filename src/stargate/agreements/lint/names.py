"""Names that lead nowhere: clauses, agreements, calendars, attributes."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence

from stargate.agreements.agreement import Agreement
from stargate.agreements.clause import (
    CapacityReservation,
    ClauseBase,
    Commitment,
    ConditionPrecedent,
    FirstRefusal,
    Netting,
    Prepayment,
    Price,
    RevenueShare,
    Survival,
    Termination,
    Trigger,
    Waiver,
    many,
)
from stargate.agreements.condition import Moment, moments_in
from stargate.agreements.firing import absolute
from stargate.agreements.judge import BENCHES
from stargate.agreements.lint.entry import Entry
from stargate.agreements.scope import fields_of
from stargate.base.errors import Problem
from stargate.base.faults import did_you_mean

ATTRIBUTES = frozenset(
    {
        "action", "agreement", "asset", "chip", "chips", "clause", "country", "customer", "emergency", "ends",
        "jurisdiction", "kind", "model", "mw", "need", "party", "pool", "product", "provider", "provider_party",
        "refused", "renewal", "site", "team", "tenure", "tranche",
    }
)  # fmt: skip
"""What requests usually say. Other attributes are allowed; names close to one of these are typing mistakes."""

Named = tuple[str, str, tuple[type, ...]]
"""Field, name, kinds it may be (empty: any)."""


def wrong_names(agreements: Sequence[Agreement], entries: Sequence[Entry]) -> Iterator[Problem]:
    """Clauses and agreements that are named and do not exist, or are of the wrong kind; and names used twice."""
    ids = {agreement.id for agreement in agreements}
    yield from _twice(agreements)
    kinds: dict[str, set[type]] = {}
    for entry in entries:
        kinds.setdefault(entry.ref, set()).add(type(entry.clause))
    for agreement in agreements:
        if agreement.master and agreement.master not in ids:
            yield Problem(
                f"{agreement.id}: there is no master agreement {agreement.master!r}",
                did_you_mean(agreement.master, ids),
                path=f"{agreement.id}.master",
            )
    for entry in entries:
        for field, name, allowed in _named(entry.clause):
            ref = absolute(name, entry.home.id)
            if ref not in kinds:
                near = [known.partition("/")[2] for known in kinds if known.startswith(f"{entry.home.id}/")]
                yield entry.problem(f"there is no clause {name!r}", did_you_mean(name, near), field)
            elif allowed and not kinds[ref] & set(allowed):
                words = " or ".join(str(kind.__struct_config__.tag) for kind in allowed)  # type: ignore[attr-defined]
                yield entry.problem(f"{name!r} is no {words}", f"Name a {words}.", field)


def _twice(agreements: Sequence[Agreement]) -> Iterator[Problem]:
    for name, times in Counter(agreement.id for agreement in agreements).items():
        if times > 1:
            yield Problem(f"{times} agreements are called {name!r}", "Give each an id of its own.", path=name)
    for agreement in agreements:
        if agreement.binds:
            continue  # those that bind are checked where amendments are applied
        for name, times in Counter(clause.id for clause in agreement.clauses).items():
            if times > 1:
                yield Problem(
                    f"{agreement.id}: {times} clauses are called {name!r}",
                    "Give each an id of its own.",
                    path=agreement.id,
                )


def _named(clause: ClauseBase) -> Iterator[Named]:
    for name in many(clause.exception_to):
        yield "exception_to", name, ()
    for name in many(clause.requires):
        yield "requires", name, (ConditionPrecedent, Trigger)
    for field in ("from_", "until", "expiry", "exercisable_from", "accrue_until", "due"):
        moment: Moment | None = getattr(clause, field, None)
        for when in moments_in(moment):
            if when.trigger:
                yield field.rstrip("_"), when.trigger, (Trigger,)
    yield from _named_by_kind(clause)


_SINGLE: dict[type, tuple[str, type]] = {
    Prepayment: ("of", Commitment),
    Price: ("reservation", CapacityReservation),
}
_SEVERAL = (ConditionPrecedent, Survival, Waiver, Termination, Netting)


def _named_by_kind(clause: ClauseBase) -> Iterator[Named]:
    if isinstance(clause, Trigger):
        yield from (
            ("effects", name, ()) for effect in clause.effects for name in getattr(effect, "clauses", ())
        )
    elif isinstance(clause, _SEVERAL):
        yield from (("clauses", name, ()) for name in clause.clauses)
    elif isinstance(clause, Commitment):
        yield from (("shared_with", name, (Commitment,)) for name in many(clause.shared_with))
    elif isinstance(clause, RevenueShare):
        yield from (("base.includes_shares", name, (RevenueShare,)) for name in clause.base.includes_shares)
    elif type(clause) in _SINGLE:
        field, kind = _SINGLE[type(clause)]
        name = getattr(clause, field)
        if name:
            yield field, name, (kind,)


def wrong_calendars(agreements: Sequence[Agreement], entries: Sequence[Entry]) -> Iterator[Problem]:
    """Windows in business days, or in a calendar, that no calendar defines."""
    known = {calendar.name for agreement in agreements for calendar in agreement.calendars}
    for entry in entries:
        clause = entry.clause
        if not isinstance(clause, FirstRefusal):
            continue
        if clause.calendar and clause.calendar not in known:
            yield entry.problem(
                f"no calendar is called {clause.calendar!r}",
                f"Define it under `calendars:` with its time_zone and holidays. {did_you_mean(clause.calendar, known)}",
                "calendar",
            )
        elif not clause.calendar and clause.window.unit == "business_days":
            yield entry.problem(
                "its window counts business days, and no calendar says which those are",
                "Name one in `calendar`, and define it under `calendars:`.",
                "window",
            )


def odd_attributes(entries: Sequence[Entry]) -> Iterator[Problem]:
    """Attributes in scopes that look like a mistyped known one: such a filter would never match."""
    for entry in entries:
        if type(entry.clause) not in BENCHES:
            continue
        scopes = [("scope", entry.clause.scope)]
        scopes += [(f"exceptions[{n}].scope", carve.scope) for n, carve in enumerate(entry.clause.exceptions)]
        for field, scope in scopes:
            for name in sorted(fields_of(scope) - ATTRIBUTES):
                alike = [known for known in ATTRIBUTES if abs(len(known) - len(name)) <= 1]
                near = difflib.get_close_matches(name, alike, n=1, cutoff=0.75)
                if near:
                    yield entry.problem(
                        f"no request has an attribute {name!r}",
                        f"Did you mean {near[0]!r}? Else prefix it with x_.",
                        field,
                    )
