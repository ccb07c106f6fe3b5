"""Why: every candidate of a decision with its score or what excluded it, and the grounds on record."""

from __future__ import annotations

from typing import Any

import msgspec

from stargate.base.time import Instant
from stargate.broker import Candidate, Entry, Explanation, Ground, State, explain
from stargate.broker.fact import Ended, Placed, Requeued, Stopping
from stargate.broker.sourcing.fact import NeedOpened
from stargate.server.access import not_found
from stargate.server.api.page import PAGE_LIMIT, Id, Limit
from stargate.server.api.route import Here, reading
from stargate.server.house import House


class ExplanationView(msgspec.Struct, frozen=True):
    """The whole answer for one decision, or for one workload that waits."""

    subject: str
    at: Instant
    seq: int
    """The journal entry that is explained; 0: the present is."""
    kind: str
    """What that entry records, as `placed`; empty for the present."""
    summary: str
    grounds: tuple[Ground, ...]
    """As recorded when it was decided, with the clauses it rests on."""
    workload: str
    slot: int
    candidates: tuple[Candidate, ...]
    """Best first, then possible by score, busy, excluded. Empty where the decision was not about a place."""
    candidates_total: int


@reading("/v1/explain/{subject:str}", "explain.read")
async def explain_subject(house: Here, subject: Id, limit: Limit = PAGE_LIMIT) -> ExplanationView:
    """Explain a journal entry (by its number) or a workload (by its id).

    An entry is explained with what was known before it. A workload that waits is explained with what is known now;
    one that was placed, by its last placement.
    """
    if subject.isascii() and subject.isdigit() and len(subject) < 19:
        return await _entry(house, subject, int(subject), limit)
    now = house.driver.now()

    def view(state: State) -> tuple[int, Explanation | None]:
        holder = state.records.workloads.get(subject)
        if holder is None:
            raise not_found("workload", subject)
        number = next((n for n, slot in enumerate(holder.slots) if slot.status == "waiting"), None)
        if number is not None:
            return 0, explain(state, subject, number, now)
        placed = [state.records.attempts[slot.attempt].placed_seq for slot in holder.slots if slot.attempt]
        return max(placed, default=holder.seq), None

    seq, found = await house.driver.read(view)
    if found is None:
        return await _entry(house, subject, seq, limit)
    return _view(subject, found, limit)


async def _entry(house: House, subject: str, seq: int, limit: int) -> ExplanationView:
    entry = await house.history.entry(seq)
    found = await house.history.before(seq, lambda state: _explained(state, entry))
    if found is not None:
        return _view(subject, found, limit, entry)
    fact = entry.fact
    summary = (
        "; ".join(ground.says for ground in fact.grounds) or "this entry records what was asked or reported"
    )
    return ExplanationView(
        subject=subject,
        at=entry.at,
        seq=entry.seq,
        kind=_kind(entry),
        summary=summary,
        grounds=fact.grounds,
        workload=str(getattr(fact, "workload", None) or ""),
        slot=0,
        candidates=(),
        candidates_total=0,
    )


def _explained(state: State, entry: Entry) -> Explanation | None:
    """The candidates, where the entry is about a place for a workload that was known before it."""
    about = _about(state, entry)
    if about is None or about[0] not in state.records.workloads:
        return None
    return explain(state, *about, entry.at)


def _about(state: State, entry: Entry) -> tuple[str, int] | None:
    fact = entry.fact
    if isinstance(fact, Placed | Requeued):
        return fact.workload, fact.slot
    if isinstance(fact, Stopping | Ended):
        attempt = state.records.attempts.get(fact.attempt)
        return (attempt.workload, attempt.slot) if attempt is not None else None
    if isinstance(fact, NeedOpened) and fact.workload:
        return fact.workload, 0
    return None


def _view(subject: str, found: Explanation, limit: int, entry: Entry | None = None) -> ExplanationView:
    return ExplanationView(
        subject=subject,
        at=found.at,
        seq=entry.seq if entry is not None else 0,
        kind=_kind(entry) if entry is not None else "",
        summary=found.summary,
        grounds=entry.fact.grounds if entry is not None else found.grounds,
        workload=found.workload,
        slot=found.slot,
        candidates=found.candidates[:limit],
        candidates_total=len(found.candidates),
    )


def _kind(entry: Entry) -> str:
    return str(entry.fact.__struct_config__.tag)


ROUTES: tuple[Any, ...] = (explain_subject,)
