"""The course of batches: checked, run as workloads, ended when all is answered or their time is over.

::

    validating ─► in_progress ─► finalizing ─► completed | expired | failed | cancelled
        │              │              ▲
        ▼              ▼              │
      failed      cancelling ─────────┘

Each step can be taken again, and after a crash it is. What a batch is lies in the store, its workload in the journal;
its key ends with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from stargate.base.errors import LimitError, StargateError, UserError
from stargate.base.time import HOUR, SECOND, Instant
from stargate.broker import State
from stargate.broker.command import Cancel, Submit
from stargate.broker.fact import Entry, WorkloadEnded
from stargate.gateway.record import Scope
from stargate.server.auth import Key, Keyring, forge
from stargate.server.batches.batches import Batches
from stargate.server.batches.lines import Checked, check, written
from stargate.server.batches.record import Batch, End, File, Trouble
from stargate.server.batches.store import Store
from stargate.server.batches.workload import workload_of
from stargate.server.driver import Driver

T = TypeVar("T")
LOOK_S = 1.0
"""Batches that are open are looked at so often without a reason."""
SWEEP_S = 60.0
STOP_US = 600 * SECOND
"""How long a runner that is told to end may take, before its batch ends without it."""
LEAVE_US = 5 * SECOND
"""How long one that has nothing left to do may take to end by itself."""
KEY_US = HOUR
"""How long the key of a batch outlives its window: what is being answered then is still kept."""
ACTOR = "batches"
_log = logging.getLogger(__name__)


class Course:
    """Takes every batch on its way."""

    def __init__(
        self,
        batches: Batches,
        driver: Driver,
        keyring: Keyring,
        models: Callable[[], Collection[str]],
        keep_secret: Callable[[str, str | None], None],
        url: str,
    ) -> None:
        """`models`: those that can be asked for. `keep_secret`: has engines know a secret, or forget it.

        `url`: where runners reach a gateway, up to and with `/v1`.
        """
        self._batches = batches
        self._driver = driver
        self._keyring = keyring
        self._models = models
        self._keep_secret = keep_secret
        self._url = url
        self._open: set[str] = set()
        self._swept_s = -SWEEP_S

    async def run(self) -> None:
        """Until cancelled."""
        self._driver.follow(self._hear)
        first = True
        while True:
            self._batches.bell.clear()
            found = await _tried(self._batches.use(Store.open)) or []
            self._open = {batch.id for batch in found}
            if first:
                first = False
                self._keyring.drop(
                    {key.id for key in self._keyring.all() if key.role == "batch"} - _keys(found)
                )
            for batch in found:
                await _tried(self._advance(batch))
            await self._sweep()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S if found else SWEEP_S):
                    await self._batches.bell.wait()

    def _hear(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if isinstance(entry.fact, WorkloadEnded) and entry.fact.workload in self._open:
                self._batches.bell.set()

    async def _sweep(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._swept_s + SWEEP_S:
            self._swept_s = now_s
            at = self._driver.now()
            await _tried(self._batches.use(lambda store: store.sweep(at)))

    async def _advance(self, batch: Batch) -> None:
        if batch.status == "validating":
            await self._begin(batch)
            return
        work = await self._driver.read(lambda state: _work(state, batch.id))
        if not batch.end:
            end, troubles = self._ending(batch, work)
            if not end:
                return
            at = self._driver.now()
            batch = await self._change(batch.id, lambda one: _towards(one, end, troubles, at))
        if work in {"active", "cancelling"}:
            # A runner ends by itself when all is answered. One that died meanwhile need not begin again.
            patience_us = LEAVE_US if batch.kept == batch.lines else 0
            settled = batch.at.get("cancelling") or batch.at.get("ending") or batch.created
            waited_us = self._driver.now() - settled
            if work == "active" and waited_us >= patience_us:
                with suppress(UserError):
                    await self._driver.ask(f"{ACTOR}/{batch.id}/cancel", Cancel(batch.id, ACTOR))
            if waited_us < (patience_us or STOP_US):
                return
        await self._finish(batch)

    # -- the beginning -------------------------------------------------------------------------------------------

    async def _begin(self, batch: Batch) -> None:
        owner = self._keyring.find(batch.owner)
        scope = owner.scope if owner is not None else None
        if owner is None or scope is None or owner.refusal(self._driver.now()):
            await self._fail(batch, Trouble("key_refused", "the key that it was made with is good no more"))
            return
        checked = await self._check(batch, scope)
        if checked.troubles:
            await self._fail(batch, *checked.troubles)
            return
        batch = await self._change(
            batch.id, lambda one: msgspec.structs.replace(one, model=checked.model, lines=checked.lines)
        )
        if batch.status != "validating":  # cancelled meanwhile: nothing runs yet
            return
        key = self._make_key(batch, owner)
        await self._change(batch.id, lambda one: msgspec.structs.replace(one, key=key.id))
        work = workload_of(batch, scope, self._url)
        try:
            await self._driver.ask(f"{ACTOR}/{batch.id}/submit", Submit(batch.id, work, owner.name))
        except LimitError:
            raise  # too many wait: it is tried again
        except UserError as error:
            await self._fail(batch, Trouble("not_accepted", error.message))
            return
        at = self._driver.now()
        await self._change(
            batch.id, lambda one: one.moved("in_progress", at) if one.status == "validating" else one
        )

    async def _check(self, batch: Batch, scope: Scope) -> Checked:
        known = set(self._models())
        allowed = known & set(scope.models) if scope.models else known

        def check_file(store: Store) -> Checked:
            with store.path(batch.input_file).open("rb") as file:
                return check(file, batch.operation, allowed)

        return await self._batches.use(check_file)

    def _make_key(self, batch: Batch, owner: Key) -> Key:
        """A key of its own for the runner. One that was made before a crash is worth nothing: nobody has its text."""
        expires = Instant(batch.expires + KEY_US)
        key, token = forge(batch.id, "batch", self._driver.now(), expires=expires, owner=owner.id)
        self._keyring.drop({batch.key})
        self._keep_secret(batch.id, token)
        self._keyring.add(key)
        return key

    async def _fail(self, batch: Batch, *troubles: Trouble) -> None:
        at = self._driver.now()
        failed = await self._change(
            batch.id,
            lambda one: (
                one.moved("failed", at, end="failed", troubles=troubles)
                if one.status == "validating"
                else one
            ),
        )
        self._forget(failed)

    # -- the end -------------------------------------------------------------------------------------------------

    def _ending(self, batch: Batch, work: str) -> tuple[End, tuple[Trouble, ...]]:
        """Where it goes now; empty: on."""
        now = self._driver.now()
        if batch.kept == batch.lines:
            return "completed", ()
        if now >= batch.expires:
            return "expired", ()
        for id in (batch.owner, batch.key):
            key = self._keyring.find(id)
            if key is None or key.refusal(now):
                return "cancelled", (Trouble("key_refused", "the key that it was made with is good no more"),)
        if work == "cancelled":
            return "cancelled", (Trouble("workload_cancelled", f"its workload {batch.id} was cancelled"),)
        if work in {"succeeded", "failed"}:
            says = f"its workload {batch.id} has ended before it; its log says why"
            return "failed", (Trouble("workload_failed", says),)
        return "", ()

    async def _finish(self, batch: Batch) -> None:
        at = self._driver.now()
        await self._change(batch.id, lambda one: one.moved("finalizing", at))
        ended = await self._batches.use(lambda store: _write_out(store, batch.id, at))
        self._forget(ended)

    def _forget(self, batch: Batch) -> None:
        """What it needed to run."""
        self._keyring.drop({batch.key})
        self._keep_secret(batch.id, None)

    async def _change(self, id: str, change: Callable[[Batch], Batch]) -> Batch:
        return await self._batches.use(lambda store: store.change(id, change))


async def _tried(step: Awaitable[T]) -> T | None:
    """What cannot be done now is tried again."""
    try:
        return await step
    except StargateError as error:
        _log.warning("a batch does not get on: %s", error)
    except Exception:  # noqa: BLE001 - whatever it is, it must not keep the other batches
        _log.exception("a batch does not get on")
    return None


def _keys(batches: Collection[Batch]) -> set[str]:
    return {batch.key for batch in batches}


def _work(state: State, id: str) -> str:
    """How the workload of a batch stands; empty: there is none."""
    holder = state.records.workloads.get(id)
    return "" if holder is None else holder.status


def _towards(batch: Batch, end: End, troubles: tuple[Trouble, ...], at: Instant) -> Batch:
    if batch.end:
        return batch
    return msgspec.structs.replace(batch, end=end, troubles=troubles, at={**batch.at, "ending": at})


def _write_out(store: Store, id: str, at: Instant) -> Batch:
    """The files of a batch that is over, and its end: all of it, or nothing."""
    batch = store.batch(id)
    paths = (store.fresh(), store.fresh())
    with (
        store.path(batch.input_file).open("rb") as asked,
        paths[0].open("wb") as errors,
        paths[1].open("wb") as output,
    ):
        # Cancelled before it was checked, nobody knows what lines it has.
        for good, text in written(batch, asked, store.answers(id)) if batch.lines else ():
            (output if good else errors).write(text)
    names = ("error", "output")
    files = [
        File(
            path.name,
            batch.owner,
            "batch_output",
            size,
            at,
            at.plus(batch.output_kept_s * SECOND),
            f"{id}_{name}.jsonl",
        )
        for path, name in zip(paths, names, strict=True)
        if (size := store.settle(path))
    ]
    made = {file.name.removesuffix(".jsonl").rpartition("_")[2]: file.id for file in files}
    assert batch.end, "where a batch goes is settled before its files are written"
    ended = batch.moved(batch.end, at, output_file=made.get("output", ""), error_file=made.get("error", ""))
    store.end(ended, files)
    return ended
