"""Files and batches, for those who ask for them and for the runners that go through them."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from stargate.base.errors import InternalError, LimitError
from stargate.base.time import DAY, Instant
from stargate.gateway.batch import Assignment, Results, Standing
from stargate.gateway.record import Operation
from stargate.server.batches.record import Batch
from stargate.server.batches.store import Store

T = TypeVar("T")
TRANSFERS_LIMIT = 4
"""Of one key, at a time."""
TRANSFERS_TOTAL_LIMIT = 32
_TAIL = 24
WINDOW_US = DAY
"""What OpenAI calls 24h."""


class Batches:
    """All of a server's."""

    def __init__(self, folder: Path, now: Callable[[], Instant], window_us: int = WINDOW_US) -> None:
        self._folder = folder
        self._now = now
        self._window_us = window_us
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._opened: Store | None = None
        self._transfers: Counter[str] = Counter()
        """Files that are being uploaded, by key."""
        self.bell = asyncio.Event()
        """Rings when a batch may be taken a step further."""

    async def use(self, work: Callable[[Store], T]) -> T:
        """Do something with what is kept, one thing at a time. Raises InternalError, and what `work` raises."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._store()))
        except (sqlite3.Error, OSError) as error:
            raise InternalError(
                f"{self._folder} cannot be used: {error}",
                "check free space and the permissions of the folder",
            ) from error

    @contextmanager
    def transfer(self, owner: str) -> Iterator[None]:
        """While a file of a key is on its way here. Raises LimitError where there are too many of them."""
        own, all_ = self._transfers[owner], self._transfers.total()
        if own >= TRANSFERS_LIMIT or all_ >= TRANSFERS_TOTAL_LIMIT:
            raise LimitError(
                f"{own} files of this key are being uploaded, {all_} in all; the limits are {TRANSFERS_LIMIT} and"
                f" {TRANSFERS_TOTAL_LIMIT}",
                "try again when one has arrived",
            )
        self._transfers[owner] += 1
        try:
            yield
        finally:
            self._transfers[owner] -= 1
            if not self._transfers[owner]:
                del self._transfers[owner]

    async def begin(
        self,
        owner: str,
        operation: Operation,
        input_file: str,
        metadata: dict[str, str] | None,
        output_kept_s: int,
        once: str = "",
    ) -> Batch:
        """A new batch of a key; asked again with the same `once`, the same one.

        Raises NotFoundError for its input, StateConflictError for a `once` that asked for another, LimitError.
        """
        at = self._now()
        batch = Batch(
            id=f"batch_{_tail(owner, once) if once else secrets.token_hex(_TAIL // 2)}",
            owner=owner,
            operation=operation,
            input_file=input_file,
            created=at,
            expires=at.plus(self._window_us),
            output_kept_s=output_kept_s,
            metadata=metadata,
        )
        begun = await self.use(lambda store: store.begin(batch))
        self.bell.set()
        return begun

    async def cancel(self, id: str, owner: str) -> Batch:
        """End a batch with what is answered. One that ends, or has ended, stays as it is. Raises NotFoundError."""
        at = self._now()

        def change(batch: Batch) -> Batch:
            if batch.status not in {"validating", "in_progress"} or batch.end:
                return batch
            return batch.moved("cancelling", at, end="cancelled")

        await self.use(lambda store: store.batch(id, owner))
        changed = await self.use(lambda store: store.change(id, change))
        self.bell.set()
        return changed

    async def assign(self, id: str, epoch: int) -> Assignment:
        """What is left to do, for the runner of that epoch. Raises NotFoundError."""

        def assign(store: Store) -> Assignment:
            batch = store.change(id, lambda one: msgspec.structs.replace(one, epoch=max(one.epoch, epoch)))
            size = store.path(batch.input_file).stat().st_size if _is_running(batch) else 0
            open_ = _is_running(batch) and epoch == batch.epoch
            return Assignment(id, batch.operation, batch.lines, size, open_, store.done(id))

        return await self.use(assign)

    async def answer(self, id: str, results: Results) -> Standing:
        """Keep answers. Raises NotFoundError."""
        batch = await self.use(lambda store: store.answer(id, results.results))
        if batch.kept == batch.lines:
            self.bell.set()
        going_on = _is_running(batch) and batch.kept < batch.lines and results.epoch >= batch.epoch
        return Standing(going_on, batch.kept)

    async def close(self) -> None:
        """Finish what is being written, and close."""

        def close() -> None:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

        await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown(wait=False)

    def _store(self) -> Store:
        if self._opened is None:
            self._opened = Store(self._folder)
        return self._opened


def _tail(owner: str, once: str) -> str:
    return hashlib.sha256(f"{owner}/{once}".encode()).hexdigest()[:_TAIL]


def _is_running(batch: Batch) -> bool:
    return batch.status == "in_progress" and not batch.end
