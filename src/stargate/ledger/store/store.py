"""The record of the ledger: usage and terms come in, entries are posted, months close; nothing is ever lost.

All writing goes through `Store.writing`: one transaction, closed by the chain of blocks, so that either all of
it is on record or none. Reading goes through `store/reading.py`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from stargate.base.time import Instant
from stargate.ledger.store.audit import Audit
from stargate.ledger.store.copying import Copying
from stargate.ledger.store.database import Database
from stargate.ledger.store.names import Known
from stargate.ledger.store.reading import Reading
from stargate.ledger.store.writing import Writing


class Store(Reading):
    """A ledger's record in a database. Several threads may write, one at a time."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._turn = threading.RLock()
        self._known: Known = {}

    @contextlib.contextmanager
    def writing(self, at: Instant) -> Iterator[Writing]:
        """One transaction, at `at`. What it wrote is sealed by a block when it ends; on an error all is undone.

        Where the acknowledgement of a commit is lost, the error is the same: do it again, and what is on record
        counts once.
        """
        with self._turn:
            with self._database.writing():
                writing = Writing(self._database, self.position(), at, self._known)
                yield writing
                writing.seal()
            writing.names.committed()

    def audit(self) -> Audit:
        """Questions of somebody who trusts no row."""
        return Audit(self._database)

    def copying(self) -> Copying:
        """Questions of somebody who copies the record."""
        return Copying(self._database)

    def close(self) -> None:
        """Let go of the database. Closing twice is harmless."""
        with self._turn:
            self._database.close()
