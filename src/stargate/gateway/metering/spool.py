"""The spool: one worker's write-ahead file. What is written here is on disk before anybody acts on it.

The event loop owns everything but the disk. It gathers records; a thread of its own writes what has gathered as one
frame and syncs it; meanwhile the next gather. So the more is written at a time, the less each costs, and the loop
never waits for the disk.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import msgspec

from stargate.base import wire
from stargate.base.errors import SpoolError
from stargate.base.time import Instant
from stargate.gateway.metering import epoch
from stargate.gateway.metering.epoch import Far
from stargate.gateway.metering.frame import FRAME_LIMIT_BYTES, FRAME_LIMIT_RECORDS, Header
from stargate.gateway.metering.standing import Standing, standing
from stargate.gateway.metering.tail import Tail, first_frame
from stargate.gateway.record import Admitted, Attempt, Settled

SURVEY_S = 1.0
"""How often a full spool looks whether there is room again."""
AGAIN_S = 0.5
"""When a settlement that could not be written is tried again, if nothing else is written before."""


class SpoolLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one worker's spool holds. Beyond it nothing is admitted; what was admitted can always be settled."""

    segment_bytes: int = 8 << 20
    """A file takes no more frames when it has reached this."""
    waiting_records: int = 16_384
    """Not yet written."""
    open_records: int = 65_536
    """Admitted, not settled."""
    disk_bytes: int = 4 << 30
    """Of the segments of all epochs. Workers look at each other's when they begin a segment: they may pass it by one
    segment each."""
    free_bytes: int = 64 << 20
    """Of the disk, left for settling what was admitted, and for remembering what was acknowledged."""


DEFAULT = SpoolLimits()


class _Waiting:
    """A record that is to be written, and who waits for it."""

    __slots__ = ("data", "error", "future", "known", "record")

    def __init__(self, record: Attempt, data: bytes) -> None:
        self.record = record
        self.data = data
        self.future: asyncio.Future[None] | None = None
        self.known = False
        """Whether it is on disk is decided."""
        self.error: Exception | None = None


class _Batch(NamedTuple):
    """What the thread is to write; nothing: it is to look how full the disk is."""

    loop: asyncio.AbstractEventLoop
    items: list[_Waiting]


class Spool:
    """Writes attempts durably. Every method is for the event loop's thread."""

    def __init__(self, folder: Path, lock: int, standing: Standing, limits: SpoolLimits) -> None:
        self._folder = folder
        self._lock = lock
        self._limits = limits
        self._tail = Tail(folder, standing.far, standing.admitted, limits.segment_bytes)
        self._taken = standing.admitted
        """Number of the last admission that came in."""
        self._open = set(standing.open)
        """On disk, and no settlement came in."""
        self._settling = 0
        """Settlements that came in and are not on disk."""
        self._waiting: list[_Waiting] = []
        self._owed: list[_Waiting] = []
        """Settlements that could not be written. They come first as soon as something can be."""
        self._again: asyncio.TimerHandle | None = None
        self._busy = False
        self._survey_s = 0.0
        self._fault: Exception | None = None
        """Why the last batch could not be written."""
        self.committed: Callable[[int], None] | None = None
        """Is told of each batch that is on disk, and how many microseconds that took."""
        self._closing: asyncio.Future[None] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, folder: Path, at: Instant, limits: SpoolLimits = DEFAULT) -> Spool:
        """A new epoch in a folder of epochs, begun at an instant. Raises SpoolError."""
        name = epoch.name_of(at)
        first = first_frame(Header(1, name, 1, 0, 0))
        far = Far(1, len(first), 0)
        lock = epoch.make(
            folder,
            name,
            {epoch.segment_path(Path(), 1).name: first, epoch.DURABLE: epoch.pack_far(far)},
        )
        return cls._begun(folder / name, lock, Standing({}, far, 0, 0), limits)

    @classmethod
    def resume(cls, folder: Path, limits: SpoolLimits = DEFAULT) -> tuple[Spool, Standing]:
        """The epoch of a dead worker, to settle what it left, and how it stands. What was torn is cut off for good.

        Raises StateConflictError where its worker lives, SpoolError on damage, OSError.
        """
        lock = epoch.taken(folder)
        try:
            found = standing(folder)
        except BaseException:
            os.close(lock)
            raise
        return cls._begun(folder, lock, found, limits), found

    @classmethod
    def _begun(cls, folder: Path, lock: int, standing: Standing, limits: SpoolLimits) -> Spool:
        try:
            return cls(folder, lock, standing, limits)
        except OSError as error:
            os.close(lock)
            raise _unwritable(folder, error) from error

    @property
    def epoch(self) -> str:
        """Its name, unique over all workers of all hosts for ever."""
        return self._folder.name

    @property
    def open_records(self) -> int:
        """How many admissions are on disk and their settlements not."""
        return len(self._open) + self._settling

    def trouble(self) -> str:
        """Why nothing can be admitted now; empty: it can. Where the disk failed, it is looked at again."""
        if self._fault is None:
            return self._full()
        if not self._busy and self._closing is None:
            self._begin_batch(asyncio.get_running_loop())
        return str(self._fault)

    def number(self) -> int:
        """The next admission's `seq`. Write it before anything is awaited: numbers and order agree."""
        return self._taken + 1

    async def write(self, record: Attempt) -> None:
        """Returns when the record is on disk. When it is cancelled it ends no sooner, so that its fate is known.

        Raises SpoolError when it is not on disk: an admission then never will be, and its number is given out anew;
        a settlement is kept, and written as soon as that is possible. CancelledError where it is on disk.
        """
        data = wire.pack(record)
        self._check(record, len(data))
        if isinstance(record, Admitted):
            self._taken = record.seq
        else:
            self._open.discard(record.seq)
            self._settling += 1
        loop = asyncio.get_running_loop()
        waiting = _Waiting(record, data)
        self._waiting.append(waiting)
        if not self._busy:
            self._begin_batch(loop)
        cancelled: asyncio.CancelledError | None = None
        while not waiting.known:
            waiting.future = loop.create_future()
            try:
                await waiting.future
            except asyncio.CancelledError as error:
                cancelled = error
        if waiting.error is not None:
            raise _unwritable(self._folder, waiting.error) from waiting.error
        if cancelled is not None:
            raise cancelled

    async def close(self) -> None:
        """Write what waits, then let go of the epoch, even if cancelled. What is open then is settled as lost."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        loop = asyncio.get_running_loop()
        if self._owed and not self._busy:
            self._begin_batch(loop)
        if self._busy:
            self._idle = loop.create_future()
            await self._idle
        if self._again is not None:
            self._again.cancel()
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)
        self._tail.close()
        os.close(self._lock)

    # -- on the loop ---------------------------------------------------------------------------------------

    def _check(self, record: Attempt, size_bytes: int) -> None:
        if self._closing is not None:
            raise SpoolError(f"the spool {self._folder} is closed", "Admit nothing after closing it")
        if size_bytes > FRAME_LIMIT_BYTES:
            raise SpoolError(
                f"a record takes {size_bytes:,} bytes, and {FRAME_LIMIT_BYTES:,} are the most",
                "Bound what requests put into it, and `said` by SAID_LIMIT",
            )
        if not isinstance(record, Admitted):
            if record.seq not in self._open:
                raise SpoolError(
                    f"attempt {record.seq} of {self.epoch} is not open",
                    "Settle what was admitted, and once: please report this",
                )
            return
        if record.seq != self._taken + 1:
            raise SpoolError(
                f"admission {record.seq} of {self.epoch} comes where {self._taken + 1} is due",
                "Take a number and write it before awaiting anything else: please report this",
            )
        fault = self._full()
        if fault:
            raise SpoolError(
                f"the spool {self._folder} takes no more: {fault}",
                "Usage is kept until the ledger has it: see that the server is reached, or give the spool more room",
            )

    def _full(self) -> str:
        """Why nothing more can be admitted now; empty: it can."""
        limits = self._limits
        if len(self._waiting) >= limits.waiting_records:
            return f"{len(self._waiting):,} records wait to be written"
        if self.open_records + len(self._waiting) >= limits.open_records:
            return f"{self.open_records:,} admissions are not settled"
        taken_bytes, free_bytes = self._tail.spool_bytes, self._tail.free_bytes
        if taken_bytes < limits.disk_bytes and free_bytes >= limits.free_bytes:
            return ""
        loop = asyncio.get_running_loop()
        if not self._busy and loop.time() >= self._survey_s:
            self._survey_s = loop.time() + SURVEY_S
            self._begin_batch(loop)
        if taken_bytes >= limits.disk_bytes:
            return f"{taken_bytes:,} bytes of {limits.disk_bytes:,} are taken"
        return f"{free_bytes:,} bytes are free on its disk, and {limits.free_bytes:,} are left for what must be settled"

    def _begin_batch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let everybody whose turn it is in this round of the loop come along: one sync serves them all."""
        self._busy = True
        loop.call_soon(self._hand_over, loop)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the thread what is owed and what waits, as much as one frame takes."""
        size = 0
        batch: list[_Waiting] = []
        for queue in (self._owed, self._waiting):
            count = 0
            for each in queue[: FRAME_LIMIT_RECORDS - len(batch)]:
                size += len(each.data)
                if size > FRAME_LIMIT_BYTES:
                    break
                count += 1
            batch += queue[:count]
            del queue[:count]
        self._batches.put(_Batch(loop, batch))

    def _finished(self, batch: _Batch, error: Exception | None, took_us: int) -> None:
        self._busy = False
        self._fault = error
        items = batch.items
        if error is None:
            if items and self.committed is not None:
                self.committed(took_us)
            admitted = [each.record.seq for each in items if isinstance(each.record, Admitted)]
            self._open.update(admitted)
            self._settling -= len(items) - len(admitted)
        elif items:
            # What waits was numbered after what failed: it fails with it, and the numbers are given out anew.
            items += self._waiting
            self._waiting = []
            self._take_back(items, batch.loop)
        for each in items:
            if not each.known:
                each.known = True
                each.error = error
                if each.future is not None and not each.future.done():
                    each.future.set_result(None)
        if self._waiting or (self._owed and error is None):
            self._begin_batch(batch.loop)
        elif self._idle is not None:
            self._idle.set_result(None)

    def _take_back(self, items: list[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        self._owed = [each for each in items if isinstance(each.record, Settled)] + self._owed
        self._taken = min(
            (each.record.seq - 1 for each in items if isinstance(each.record, Admitted)), default=self._taken
        )
        if self._owed and self._again is None:
            self._again = loop.call_later(AGAIN_S, self._try_again, loop)

    def _try_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._again = None
        if self._owed and not self._busy and self._closing is None:
            self._begin_batch(loop)

    # -- in the thread -------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            error = None
            began_ns = time.perf_counter_ns()
            try:
                self._put(batch.items)
            except Exception as caught:  # noqa: BLE001 - whatever it is, those who wait must hear of it
                error = caught
            try:
                took_us = (time.perf_counter_ns() - began_ns) // 1_000
                batch.loop.call_soon_threadsafe(self._finished, batch, error, took_us)
            except RuntimeError:  # the loop is closed: nobody waits
                return

    def _put(self, items: list[_Waiting]) -> None:
        if not items:
            self._tail.survey()
            return
        settled = sum(isinstance(each.record, Settled) for each in items)
        self._tail.append([each.data for each in items], len(items) - settled, settled)


def _unwritable(folder: Path, error: Exception) -> SpoolError:
    return SpoolError(
        f"the spool {folder} cannot be written: {error}",
        "It takes records again as soon as its disk does: see whether that is full (`df`) or failing (`dmesg`)",
    )
