"""What agreements say of charges, as FOCUS asks: which commitments they count for, what was held and used."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from stargate.agreements import Book, ChargeLine, Period, Usage, WorldFact
from stargate.agreements.accrue import Timeline, edges
from stargate.agreements.accrue.burn import Counting, items_of
from stargate.agreements.accrue.price import used_of_reserved
from stargate.agreements.clause import Commitment, Price
from stargate.agreements.firing import absolute
from stargate.base.time import Instant
from stargate.ledger.record import LineKey, unit_of


class Held(NamedTuple):
    """What a reservation's price covers."""

    reservation: str
    """The clause of the reservation."""
    used: Decimal | None
    """How much of it was used, in the unit of the price; None: nothing that was counted tells."""


class Contracts:
    """The agreements of one month, with which it was closed or, while it is open, as they are.

    `usage` is that of the month; `with_room` names the commitments that are not used up by its end.
    """

    def __init__(
        self,
        book: Book,
        facts: Sequence[WorldFact],
        month: Period,
        known_at: Instant,
        usage: Sequence[Usage] = (),
        with_room: frozenset[str] = frozenset(),
    ) -> None:
        timeline = Timeline(book, facts, month, known_at)
        self._counting = Counting(timeline)
        self._edges = edges(timeline)
        self._masters = book.chart.masters
        self._with_room = with_room
        self._partial: set[str] = set()
        self._memo: dict[tuple[object, ...], tuple[str, ...]] = {}
        self._used = used_of_reserved(timeline, usage)
        self._payers: dict[str, str] = {}
        self._categories: dict[str, str] = {}
        self._reservations: dict[str, str] = {}
        for version in book.chart.versions:
            clause = version.clause
            if isinstance(clause, Commitment):
                self._payers[version.ref] = version.party("payer", "customer")
                self._categories[version.ref] = clause.category
                if any(part.share != 1 or part.at_most != 1 for part in clause.eligible):
                    self._partial.add(version.ref)
            elif isinstance(clause, Price) and clause.reservation:
                self._reservations[version.ref] = absolute(clause.reservation, version.home.id)

    def payer(self, clause: str) -> str:
        """Who promised a commitment; empty: the clause is none."""
        return self._payers.get(clause, "")

    def category(self, clause: str) -> str:
        """`Spend` or `Usage`; empty: the clause is no commitment."""
        return self._categories.get(clause, "")

    def held(self, clause: str, unit: str) -> Held | None:
        """What a price of a reservation covers; None: it is the price of something else."""
        reservation = self._reservations.get(clause)
        if reservation is None:
            return None
        used = self._used.get(clause)
        return Held(reservation, used if used or unit == "chip_hours" else None)

    def counts_all(self, commitment: str) -> bool:
        """Whether all that is eligible counts for it: wholly, and it has room at the end of the month."""
        return commitment in self._with_room and commitment.partition("#")[0] not in self._partial

    def commitments(self, key: LineKey) -> tuple[str, ...]:
        """The commitments that a charge for use may count towards, those of a portion as `CLAUSE#PORTION`."""
        span = bisect_right(self._edges, key.start)
        alike = (span, key.payer, key.payee, key.clause, key.metric, tuple(sorted(key.attributes.items())))
        found = self._memo.get(alike)
        if found is None:
            used, spent = _alone(key)
            items = items_of([used], [spent], self._masters)
            both = (one for item in items for one in self._counting.of(item))
            named = (commitment_id(clause, portion) for clause, portion in both)
            found = self._memo[alike] = tuple(dict.fromkeys(named))
        return found


def commitment_id(clause: str, portion: str) -> str:
    """The name of a commitment, or of one portion of it."""
    return f"{clause}#{portion}" if portion else clause


def _alone(key: LineKey) -> tuple[Usage, ChargeLine]:
    """A unit of a charge, as use and as spend."""
    unit = unit_of(key.metric)[0]
    used = Usage(unit, Decimal(1), key.start, key.payer, key.payee, dict(key.attributes))
    spent = ChargeLine(
        clause=key.clause,
        kind="usage",
        payer=key.payer,
        payee=key.payee,
        amount_micro_usd=1,
        period=Period(key.start, key.end),
        says="",
        attributes=dict(key.attributes),
    )
    return used, spent
