"""The one loop: commands in, facts into the journal, then, and only then, replies and effects out.

    inbox ─► machine.handle × batch ─► journal.append (one transaction) ─► replies, effects, snapshot
      ▲                                                                          │
      └──── engines' reports, timers (Wake) ◄────────────────────────────────────┘

While a batch is being written its facts are in the state but not yet in the journal, so whoever reads the state
waits for the commit (`read`): nothing is ever seen that a crash could take back. A commit that fails is
fatal: what the journal holds is then unknown, so the server takes no more commands, and a restart replays.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from stargate.base.errors import InternalError, LimitError, StargateError, UserError
from stargate.base.time import SECOND, Instant
from stargate.broker import Effect, Entry, Envelope, Machine, State
from stargate.broker.command import Command, Wake
from stargate.journal import Journal, to_record
from stargate.journal.restart import snapshot_of
from stargate.server.clock import Clock, Stamps
from stargate.server.config import Limits
from stargate.server.errors import UnavailableError

T = TypeVar("T")
_log = logging.getLogger(__name__)

LOOK_S = 60.0
"""How long it sleeps at most: a system clock that is set ahead is noticed then."""
STUCK_S = 1.0
"""How long a timer that is due and brings nothing is left alone."""


class Receipt(msgspec.Struct, frozen=True):
    """What became of a command. It is in the journal."""

    seq: int
    """The last entry it caused; 0: nothing had to change."""
    entries: tuple[Entry, ...] = ()
    """Empty for a command that had been handled before."""
    repeated: bool = False


class _Asked(msgspec.Struct, eq=False):
    """A command in the inbox, and who waits for its outcome: nobody, for what engines and timers say."""

    envelope: Envelope
    reply: asyncio.Future[Receipt] | None = None


class Driver:
    """Owns the machine and the writing end of the journal. Everything runs on one event loop."""

    def __init__(
        self,
        machine: Machine,
        journal: Journal,
        dispatch: Callable[[Effect], None],
        clock: Clock,
        limits: Limits,
        after: int = 0,
    ) -> None:
        """`after`: up to when somebody has looked already; nothing happens before that any more."""
        self._machine = machine
        self._journal = journal
        self._dispatch = dispatch
        self._stamps = Stamps(clock, Instant(max(machine.state.records.at, after)))
        self._limits = limits
        self._inbox: deque[_Asked] = deque()
        self._waiting = 0
        """People's commands among the inbox."""
        self._bell = asyncio.Event()
        self._quiet = asyncio.Event()
        """Set while everything in the state is in the journal."""
        self._quiet.set()
        self._stopping = False
        self._stuck_until = 0.0
        self._saving: asyncio.Task[None] | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal")
        """A thread of its own: no commit waits behind somebody who reads."""
        self.snapshot_seq = next(iter(journal.snapshots()), 0)
        self.head = journal.head()
        self.failure = ""
        """Why it takes no more commands, for good; empty: it does."""

    # -- from outside -----------------------------------------------------------------------------------------

    async def ask(self, id: str, command: Command) -> Receipt:
        """Hand in a command and wait until it is in the journal.

        The command must be one that can be packed. Raises UserError where it is refused; LimitError when too
        many wait; UnavailableError when the server stops, in which case it is unknown whether the command was
        taken: ask again under the same id.
        """
        self._demand_open()
        if self._waiting >= self._limits.inbox_commands:
            raise LimitError(
                f"{self._waiting} commands are waiting, as many as are let in", "try again in a second"
            )
        reply: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._put(_Asked(Envelope(id, self._stamps.next(), command), reply))
        return await reply

    def tell(self, id: str, command: Command) -> None:
        """Hand in what an engine or the server itself has to say. Never refused, never waited for."""
        if not self.failure:
            self._put(_Asked(Envelope(id, self._stamps.next(), command)))

    async def read(self, view: Callable[[State], T]) -> T:
        """What `view` makes of the state; all of it is in the journal. The view must keep no reference."""
        while not self._quiet.is_set():
            await self._quiet.wait()
        if self.failure:
            raise UnavailableError(self.failure, "start the server again: it goes on from its journal")
        return view(self._machine.state)

    def settled(self) -> Instant:
        """All that happened before this is in the state, for whoever asks within `read`. What comes is later."""
        return self._inbox[0].envelope.at if self._inbox else self._stamps.next()

    @property
    def backlog(self) -> int:
        """Commands and reports that wait."""
        return len(self._inbox)

    def now(self) -> Instant:
        """The present, as the next command would be stamped."""
        return self._stamps.present()

    def stop(self) -> None:
        """Take no more commands from people; `run` returns when what is in the inbox is done."""
        self._stopping = True
        self._bell.set()

    # -- the loop ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until stopped. Raises what made a commit or a decision impossible; `failure` then says so."""
        taken: list[_Asked] = []
        try:
            while True:
                await self._wait()
                if self._stopping and not self._inbox:
                    break
                taken = self._take()
                await self._step(taken)
                await asyncio.sleep(0)  # whoever waits to read has a look before the next batch
        except BaseException as error:
            self._fail(error, taken)
            raise
        finally:
            if self._saving is not None:
                await self._saving
            self._writer.shutdown(wait=False)

    async def snapshot(self) -> None:
        """Save the state now, if anything happened since the last time. Never fails the caller."""
        if not self.failure and self._machine.state.records.seq > self.snapshot_seq:
            await self._save(snapshot_of(self._machine))

    async def _wait(self) -> None:
        """Until there is something in the inbox; a timer that is due puts a Wake there."""
        while not self._inbox and not self._stopping:
            self._bell.clear()
            left_s = self._until_due()
            if left_s <= 0:
                self._put_wake()
                return
            try:
                async with asyncio.timeout(left_s):
                    await self._bell.wait()
            except TimeoutError:
                continue

    def _until_due(self) -> float:
        due = self._machine.next_due()
        if due is None:
            return LOOK_S
        stuck_s = self._stuck_until - asyncio.get_running_loop().time()
        return min(LOOK_S, max((due - self._stamps.present()) / SECOND, stuck_s))

    def _put(self, asked: _Asked) -> None:
        self._inbox.append(asked)
        self._bell.set()

    def _put_wake(self) -> None:
        at = self._stamps.next()
        self._put(_Asked(Envelope(f"wake/{int(at)}", at, Wake())))

    def _take(self) -> list[_Asked]:
        """The next batch; a busy inbox does not make timers late."""
        batch = [self._inbox.popleft() for _ in range(min(len(self._inbox), self._limits.batch_commands))]
        if self._until_due() <= 0 and not any(isinstance(one.envelope.command, Wake) for one in batch):
            at = self._stamps.next()
            batch.append(_Asked(Envelope(f"wake/{int(at)}", at, Wake())))
        self._waiting -= sum(one.reply is not None for one in batch)
        return batch

    async def _step(self, batch: list[_Asked]) -> None:
        """Decide, commit, answer. What does not fit into the time of a batch goes back to the inbox."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.batch_ms / 1_000
        entries: list[Entry] = []
        effects: list[Effect] = []
        answers: list[Receipt | StargateError] = []
        self._quiet.clear()
        for asked in batch:
            answer, caused = self._decide(asked)
            answers.append(answer)
            entries += answer.entries if isinstance(answer, Receipt) else ()
            effects += caused
            if loop.time() >= until:
                break
        self._give_back(batch, len(answers))
        if entries:
            records = [to_record(entry) for entry in entries]
            self.head = await loop.run_in_executor(self._writer, self._journal.append, records)
        self._quiet.set()
        for asked, answer in zip(batch, answers, strict=True):
            _reply(asked, answer)
        for effect in effects:
            self._dispatch(effect)
        self._snapshot_if_due()

    def _give_back(self, batch: list[_Asked], done: int) -> None:
        left = batch[done:]
        del batch[done:]
        self._waiting += sum(one.reply is not None for one in left)
        self._inbox.extendleft(reversed(left))

    def _decide(self, asked: _Asked) -> tuple[Receipt | StargateError, tuple[Effect, ...]]:
        """One command. A fault of ours that changed nothing is the caller's bad luck; otherwise it is fatal."""
        records = self._machine.state.records
        before = records.seq
        command = asked.envelope.command
        try:
            outcome = self._machine.handle(asked.envelope)
        except UserError as error:
            assert records.seq == before, f"a refused command left {records.seq - before} entries behind"
            if asked.reply is None:
                _log.warning("%s was refused: %s", asked.envelope.id, error)
            return error, ()
        except Exception as error:
            if records.seq != before:
                raise
            _log.exception("a %s could not be decided; nothing was changed", type(command).__name__)
            if isinstance(command, Wake):
                self._stuck_until = asyncio.get_running_loop().time() + STUCK_S
            return InternalError(
                f"this could not be decided, and nothing was changed: {type(error).__name__}",
                "this is a fault of Stargate; please report it with the server's log",
            ), ()
        if isinstance(command, Wake) and not outcome.entries and self._due_still():
            self._stuck_until = asyncio.get_running_loop().time() + STUCK_S
        if outcome.repeated_seq:
            return Receipt(outcome.repeated_seq, repeated=True), ()
        return Receipt(records.seq if outcome.entries else 0, outcome.entries), outcome.effects

    def _due_still(self) -> bool:
        due = self._machine.next_due()
        return due is not None and due <= self._stamps.present()

    def _snapshot_if_due(self) -> None:
        seq = self._machine.state.records.seq
        if self._saving is not None and not self._saving.done():
            return
        if seq - self.snapshot_seq >= self._limits.snapshot_entries:
            self._saving = asyncio.create_task(self._save(snapshot_of(self._machine)))

    async def _save(self, taken: tuple[int, str, str, bytes]) -> None:
        """A snapshot is an optimisation: without it a restart takes longer, and that is all."""
        try:
            await asyncio.to_thread(self._journal.save, *taken)
            self.snapshot_seq = taken[0]
        except StargateError as error:
            _log.warning("%s", error)

    def _fail(self, error: BaseException, taken: list[_Asked]) -> None:
        """Nobody who waits learns that it worked. They may ask again under the same ids after a restart."""
        cancelled = isinstance(error, asyncio.CancelledError)
        says = error.message if isinstance(error, StargateError) else f"{type(error).__name__}: {error}"
        self.failure = "the server was stopped" if cancelled else f"the server had to stop: {says}"
        if not cancelled:
            _log.critical("%s", self.failure, exc_info=error)
        for asked in (*taken, *self._inbox):
            _reply(asked, self._unavailable())
        self._inbox.clear()
        self._waiting = 0
        self._quiet.set()

    def _demand_open(self) -> None:
        if self.failure or self._stopping:
            raise self._unavailable()

    def _unavailable(self) -> UnavailableError:
        return UnavailableError(
            self.failure or "the server is stopping",
            "ask again with the same Idempotency-Key when it is back: nothing is done twice",
        )


def _reply(asked: _Asked, answer: Receipt | StargateError) -> None:
    reply = asked.reply
    if reply is None or reply.done():
        return
    if isinstance(answer, Receipt):
        reply.set_result(answer)
    else:
        reply.set_exception(answer)
