"""Where every commitment stands: what was promised, what counted towards it, and what is due next.

The words are those of FOCUS Contract Commitment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from stargate.agreements import Book, ChargeLine, Period, Usage, WorldFact
from stargate.agreements.accrue import Burn, Run, Timeline, runs, status
from stargate.agreements.accrue.burn import reaching
from stargate.agreements.accrue.deadline import deadline_at
from stargate.agreements.accrue.line import SHORT
from stargate.agreements.accrue.shortfall import banked
from stargate.agreements.clause import Commitment, Interval, Prepayment, many
from stargate.agreements.condition import day
from stargate.agreements.firing import absolute
from stargate.agreements.present import Present
from stargate.agreements.version import Version
from stargate.base.time import FOREVER, Instant

LifecycleStatus = Literal["Proposed", "Pending", "Active", "Exhausted", "Expired", "Canceled", "Superseded"]
"""As FOCUS has them. Exhausted: all of it was consumed; Proposed: in a paper that nobody signed."""
NOTHING = Decimal(0)


class Lot(msgspec.Struct, frozen=True):
    """Paid for as short, and not taken yet."""

    quantity: Decimal
    expires: Instant | None
    """None: never."""


class CommitmentState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A commitment, or one portion of it, at an instant. Amounts are in `unit`."""

    clause: str
    portion: str = ""
    payer: str
    payee: str
    category: Literal["Spend", "Usage"]
    unit: str
    """usd for Spend."""
    status: LifecycleStatus
    offer: Literal["Negotiated", "Public"]
    start: Instant | None = None
    """None: it is not known yet."""
    end: Instant | None = None
    """None: without end."""
    committed: Decimal | None = None
    """In all; None: only minimums are agreed."""
    consumed: Decimal = NOTHING
    remaining: Decimal | None = None
    interval: Interval
    """How often something is due."""
    deadline: Instant | None = None
    """When it is due next."""
    due: Decimal | None = None
    """How much must have been consumed then: in the interval, or for milestones since the start."""
    lacking: Decimal = NOTHING
    """What is still missing for that."""
    shortfall: str
    """What becomes of what is short: pay, forfeit, convert_to_prepayment or make_up."""
    short: Decimal = NOTHING
    """What was short so far, and was charged."""
    short_micro_usd: int = 0
    bank: tuple[Lot, ...] = ()
    """make_up: what may still be taken."""
    credit_micro_usd: int = 0
    """convert_to_prepayment: what of the credit is left."""
    upfront_percent: Decimal = NOTHING
    order: int = 0
    """Which in turn is counted towards, of those of the same parties and unit; 1 is first."""
    why: str = ""
    """What gave it that place."""
    shares_with: tuple[str, ...] = ()
    """Commitments that the same consumption fulfils too."""
    text_ref: str = ""


def commitments(
    book: Book, facts: Sequence[WorldFact], usage: Sequence[Usage], lines: Sequence[ChargeLine], at: Instant
) -> tuple[CommitmentState, ...]:
    """Every commitment that was signed or proposed by `at`, with its portions, in order of payer, payee and turn.

    `usage` and `lines` are all there is before `at`, from the beginning.
    """
    timeline = reaching(Timeline(book, facts, Period(Instant(at - 1), at), at), facts, usage, lines)
    burn = Burn(timeline, usage, lines)
    view = _View(timeline.last, burn, lines, at)
    found = [
        state
        for version in book.chart.versions
        if isinstance(version.clause, Commitment)
        if timeline.last.standing(version) is not None and not timeline.last.replaced(version)
        for state in view.states(version)
    ]
    found.extend(_proposed(book))
    return tuple(_in_turn(found, burn))


class _View:
    """What is needed to say where one stands."""

    def __init__(self, present: Present, burn: Burn, lines: Sequence[ChargeLine], at: Instant) -> None:
        self._present, self._burn, self._lines, self._at = present, burn, lines, at

    def states(self, version: Version) -> Iterator[CommitmentState]:
        """One for the commitment, or one for each portion, started or not."""
        clause = version.clause
        assert isinstance(clause, Commitment), "asked of commitments only"
        begun = {run.portion: run for run in runs(version, self._present)}
        if clause.start_on == "date":
            yield self._state(version, clause, "", Decimal(1), begun.get(""))
            return
        for portion in clause.portions:
            yield self._state(version, clause, portion.id, portion.share, begun.get(portion.id))

    def _state(
        self, version: Version, clause: Commitment, portion: str, share: Decimal, run: Run | None
    ) -> CommitmentState:
        burn, at, present = self._burn, self._at, self._present
        whole = _whole(clause)
        committed = None if whole is None else whole * share
        consumed = burn.counted(version.ref, portion, Period(Instant(min(0, at - 1)), at))
        start = present.start(version) if run is None else run.start
        end = present.until(version) if run is None else run.end
        now = self._status(version, run, committed, consumed, end)
        deadline = None
        if run is not None and now in ("Active", "Exhausted"):
            deadline = deadline_at(clause, run, at)
        mine = [line for line in self._lines if (line.clause, line.portion) == (version.ref, portion)]
        short = [
            line
            for line in mine
            if line.kind in (*SHORT, "prepayment") and line.payer == version.party("payer", "customer")
        ]
        return msgspec.structs.replace(
            _promised(
                version.ref, clause, version.party("payer", "customer"), version.party("payee", "supplier")
            ),
            portion=portion,
            status=now,
            start=None if start >= FOREVER or (run is None and clause.start_on == "delivery") else start,
            end=None if end >= FOREVER else end,
            committed=committed,
            consumed=consumed,
            remaining=None if committed is None else max(NOTHING, committed - consumed),
            deadline=None if deadline is None else deadline.over.end,
            due=None if deadline is None else deadline.minimum,
            lacking=NOTHING if deadline is None else burn.lacking(version.ref, portion, at),
            short=sum((line.quantity or NOTHING for line in short), NOTHING),
            short_micro_usd=sum(line.amount_micro_usd for line in short),
            bank=tuple(
                Lot(quantity, None if expires >= FOREVER else expires)
                for expires, quantity in banked(version, clause, portion, mine)
                if quantity and expires >= at
            ),
            credit_micro_usd=sum(line.amount_micro_usd * _CREDIT.get(line.kind, 0) for line in mine),
            upfront_percent=_upfront(version, present),
            shares_with=tuple(absolute(name, version.home.id) for name in many(clause.shared_with)),
            why=_why(clause, end),
        )

    def _status(
        self, version: Version, run: Run | None, committed: Decimal | None, consumed: Decimal, end: Instant
    ) -> LifecycleStatus:
        word = status(version, self._present, NOTHING)
        if word == "Canceled":
            # A paper that replaces another is named by its id, an amendment by that of its clause.
            replaced = version.removed_by and "/" not in version.removed_by
            return "Superseded" if replaced else "Canceled"
        if committed is not None and consumed >= committed:
            return "Exhausted"
        if word == "Expired" or end <= self._at:
            return "Expired"
        return "Pending" if run is None or word == "Pending" else "Active"


_CREDIT = {"prepayment": 1, "prepayment_credit": -1}


def _promised(ref: str, clause: Commitment, payer: str, payee: str) -> CommitmentState:
    """What the clause itself says."""
    return CommitmentState(
        clause=ref,
        payer=payer,
        payee=payee,
        category=clause.category,
        unit="usd" if clause.category == "Spend" else str(clause.unit),
        status="Proposed",
        offer=clause.offer,
        committed=_whole(clause),
        interval=clause.fulfillment_interval,
        shortfall=clause.shortfall,
        text_ref=clause.text_ref,
    )


def _whole(clause: Commitment) -> Decimal | None:
    """What is committed in all: the amount, or the last milestone."""
    if clause.amount is None and clause.milestones:
        return clause.milestones[-1].amount
    return clause.amount


def _upfront(version: Version, present: Present) -> Decimal:
    """What of it is paid in advance."""
    for other in present.chart.versions:
        clause = other.clause
        if not isinstance(clause, Prepayment) or not present.in_force(other):
            continue
        if absolute(clause.of, other.home.id) == version.ref:
            return clause.percent or NOTHING
    return NOTHING


def _why(clause: Commitment, end: Instant) -> str:
    ends = "it has no end" if end >= FOREVER else f"it ends on {day(end)}"
    return f"priority {clause.priority}; {ends}" if clause.priority else ends


def _proposed(book: Book) -> Iterator[CommitmentState]:
    """Those of papers that bind nobody."""
    for paper in book.agreements:
        for clause in () if paper.binds else paper.clauses:
            if isinstance(clause, Commitment):
                ref = absolute(clause.id, paper.id)
                yield _promised(ref, clause, clause.payer or paper.customer, clause.payee or paper.supplier)


def _in_turn(found: Sequence[CommitmentState], burn: Burn) -> Iterator[CommitmentState]:
    """In the order in which the same use counts towards them, numbered among those of a unit."""
    turn = {name: number for number, name in enumerate(burn.turns())}
    last = len(turn)
    counts: dict[tuple[str, str, str], int] = {}
    for state in sorted(
        found, key=lambda one: (one.payer, one.payee, turn.get((one.clause, one.portion), last), one.clause)
    ):
        rivals = (state.payer, state.payee, state.unit)
        if (state.clause, state.portion) not in turn or state.status not in ("Active", "Exhausted"):
            yield msgspec.structs.replace(state, why="")
            continue
        counts[rivals] = counts.get(rivals, 0) + 1
        yield msgspec.structs.replace(state, order=counts[rivals])
