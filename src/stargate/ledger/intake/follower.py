"""Brings what a broker knows into a ledger: terms, facts, and time on chips, hour by hour, each hour once.

How far it has come is on record beside what was taken, and moves in the same transaction. Whoever is interrupted
goes on from there, and what was taken before is known by its names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice

from stargate.agreements import Agreement, WorldFact
from stargate.base.errors import InputError
from stargate.base.time import Instant
from stargate.broker.budget import OVER_BUDGET
from stargate.ledger.intake.attempts import OnChips
from stargate.ledger.ledger import Ledger
from stargate.ledger.store import Taken

BATCH = 10_000
"""Events in one transaction."""
MAIN = "main"
"""The name of a server's journal, unless said otherwise."""


class Follower:
    """Follows one journal. Where two journals meet in one ledger, each has a name of its own."""

    def __init__(self, ledger: Ledger, journal: str = MAIN) -> None:
        self.ledger = ledger
        self.source = f"journal:{journal}"

    def mark(self) -> Instant:
        """The full hour up to which it has been counted; 0 at first."""
        return Instant(self.ledger.store.progress(self.source)[0])

    def declare(self, agreements: Sequence[Agreement], facts: Iterable[WorldFact], at: Instant) -> str:
        """Put terms and facts on record; what the ledger itself said of budgets is left out.

        Gives what is wrong with the agreements; then those that were on record go on to hold, and facts count.
        """
        known = [fact for fact in facts if not fact.name.startswith(OVER_BUDGET)]
        try:
            self.ledger.declare(agreements, known, at)
        except InputError as error:
            self.ledger.declare(self.ledger.store.terms().agreements, known, at)
            return error.message
        return ""

    def take(self, found: Iterable[OnChips], upto: Instant, at: Instant) -> Taken:
        """Put these hours on record, and that all hours before `upto` are."""
        events = chain.from_iterable(one.hours(self.source) for one in found)
        total, last = Taken(new=0, known=0), False
        while not last:
            batch = tuple(islice(events, BATCH))
            last = len(batch) < BATCH
            taken = self.ledger.take(batch, at, (self.source, upto) if last else None)
            total = Taken(
                new=total.new + taken.new,
                known=total.known + taken.known,
                refused=(*total.refused, *taken.refused),
            )
        return total
