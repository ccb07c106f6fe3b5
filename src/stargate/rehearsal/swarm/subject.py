"""The broker under test: batches in, outcomes out, each entry on record and checked before anybody hears of it."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

from stargate.base import wire
from stargate.base.errors import UserError
from stargate.base.time import FOREVER
from stargate.broker import Entry, Machine, Outcome
from stargate.broker.command import Wake
from stargate.broker.sourcing.offer import is_open
from stargate.rehearsal.swarm.case import Batch
from stargate.rehearsal.swarm.checker import Checker
from stargate.rehearsal.swarm.storage import Storage


class Subject:
    """A machine, its journal and its checker."""

    def __init__(self, storage: Storage | None = None) -> None:
        self.machine = Machine()
        self.checker = Checker()
        self.storage = storage
        """None: the entries themselves, in memory, are the journal."""
        self.events = 0
        """What has reached the machine: commands, reports, wakes, lies, repeated deliveries and crashes."""
        self.facts = 0
        """Entries that came of them, each of which was checked."""
        self.found: list[str] = []
        self.digest = blake2b(digest_size=16)

    @property
    def marks(self) -> Counter[str]:
        """What was reached."""
        return self.checker.marks

    def tell(self, batch: Batch) -> list[Outcome] | None:
        """What comes of a batch; None: the process has died with it, and another goes on.

        Raises AssertionError once something is violated, and whatever the broker raises.
        """
        self.events += len(batch.envelopes)
        outcomes = self._handle(batch)
        if batch.crash:
            self.events += 1
            self._crash(batch, outcomes)
            return None
        self._commit(outcomes)
        if batch.snapshot:
            self._snapshot()
        self.note(self.checker.look(self.machine))
        told = batch.envelopes[-1:] if batch.singly else batch.envelopes
        if any(isinstance(one.command, Wake) for one in told):
            state = self.machine.state
            after = self.machine.next_due() or FOREVER
            assert after > state.clock, f"something is due at {after} and does not come about"
        return outcomes

    def close(self) -> None:
        """The last check, of everything. Raises AssertionError."""
        self.note(self.checker.compare(self.machine))
        if self.storage is not None:
            self.storage.close()

    def note(self, found: list[str]) -> None:
        """Put violations on record. Raises AssertionError where there are any."""
        self.found += found
        assert not found, "what was violated has been noted"

    def _handle(self, batch: Batch) -> list[Outcome]:
        answers: list[Outcome | UserError] = []
        if not batch.singly:
            answers += self.machine.handle_all(batch.envelopes)
        else:
            for envelope in batch.envelopes:
                try:
                    answers.append(self.machine.handle(envelope))
                except UserError as error:
                    answers.append(error)
        assert len(answers) == len(batch.envelopes), "every command has an answer"
        outcomes = [one for one in answers if isinstance(one, Outcome)]
        self.marks["answer refused"] += len(answers) - len(outcomes)
        self.marks["answer repeated"] += sum(one.repeated_seq > 0 for one in outcomes)
        return outcomes

    def _commit(self, outcomes: list[Outcome]) -> None:
        """Entries are on record before they are believed."""
        entries = [entry for outcome in outcomes for entry in outcome.entries]
        if self.storage is not None and entries:
            self.storage.append(entries)
        for entry in entries:
            self._see(entry)

    def _see(self, entry: Entry) -> None:
        self.facts += 1
        self.digest.update(wire.pack(entry))
        found = self.checker.see(entry)
        if found:
            self.note([f"after entry {entry.seq} ({type(entry.fact).__name__}): {one}" for one in found])

    def _snapshot(self) -> None:
        self.marks["snapshot saved"] += 1
        if self.storage is not None:
            self.storage.save(self.machine)

    def _crash(self, batch: Batch, outcomes: list[Outcome]) -> None:
        """The process dies at a write, and what is on record goes on without what is not."""
        entries = [entry for outcome in outcomes for entry in outcome.entries]
        self.marks[f"crash {batch.crash}"] += 1
        if len(outcomes) > 1 and len(entries) > 1:
            self.marks["crash within a group commit"] += 1
        if batch.crash == "written":
            self._commit(outcomes)
        if self.storage is not None:
            torn = entries if batch.crash == "torn" else []
            if torn:
                self.marks["crash torn on disk"] += 1
            self.machine, saved = self.storage.crash(torn, batch.cut)
            self.marks[f"restart from a journal{' and its snapshot' if saved else ''}"] += 1
        else:
            self.marks["restart from a snapshot" if batch.snapshot else "restart from entries"] += 1
            self.machine = self.checker.restart(snapshot=batch.snapshot)
        self.note(self.checker.compare_after_crash(self.machine))
        state = self.machine.state
        if any(is_open(offer) for offer in state.sourcing.offers.values()):
            self.marks["crash while an offer is open"] += 1
        if state.stopping:
            self.marks["crash while work stops"] += 1
