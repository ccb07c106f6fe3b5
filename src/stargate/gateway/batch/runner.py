"""The runner: takes up what is left of a batch, and goes on until all lines have answers or it is told to end.

So many lines are asked at once, each by a slot, and a slot takes its next line only when the answer of the last one
is kept at the control plane. Whatever dies, no more lines than there are slots can have been answered in vain: those
are asked again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from stargate.base import wire
from stargate.gateway.batch.asking import Asker, KeyRefusedError, Pace
from stargate.gateway.batch.record import (
    RESULTS_BYTES_LIMIT,
    RESULTS_LIMIT,
    Assignment,
    Line,
    Result,
    Results,
    Standing,
)

MSGPACK = "application/msgpack"
CONNECT_S = 10.0
SILENCE_S = 900.0
"""Longer than a gateway waits for an endpoint's first byte."""
PIECE_BYTES = 1 << 20
_LINE = msgspec.json.Decoder(Line)
_log = logging.getLogger("stargate.gateway.batch")


class Errand(msgspec.Struct, frozen=True):
    """What a runner is started with."""

    batch: str
    url: str
    """The gateway's, up to and with `/v1`."""
    token: str
    epoch: int
    folder: Path
    """For the input, while it runs."""
    progress: Path | None = None
    """Where it says how far it is."""
    slots: int = 16
    """Lines that are asked at once."""
    pace: Pace = Pace()


class Runner:
    """One attempt at a batch."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._stopping = asyncio.Event()
        self._waiting: list[tuple[Result, asyncio.Future[None]]] = []
        """Answers that are not kept yet, and the slots that wait for it."""
        self._bell = asyncio.Event()
        self._home = f"{errand.url}/batches/{errand.batch}"
        self.lines = 0
        self.kept = 0

    def stop(self) -> None:
        """Take no more lines. Those that are being answered are finished."""
        self._stopping.set()

    async def run(self) -> bool:
        """Whether there is nothing left to do. Raises KeyRefusedError."""
        async with _session(self._errand.token) as session:
            assignment = await self._assignment(session)
            if assignment is None or not assignment.open:
                return assignment is not None
            self.lines = assignment.lines
            self.kept = sum(end - begin for begin, end in assignment.done)
            path = self._errand.folder / "input.jsonl"
            if not await self._fetch(session, path, assignment.input_bytes):
                return False
            asker = Asker(
                session, f"{self._errand.url}/{assignment.operation}", self._stopping, self._errand.pace
            )
            await self._go_through(session, asker, remaining(path, assignment.done))
        return self.kept >= self.lines

    async def _go_through(
        self, session: aiohttp.ClientSession, asker: Asker, todo: Iterator[tuple[int, Line]]
    ) -> None:
        try:
            async with asyncio.TaskGroup() as beside:
                keeping = beside.create_task(self._keep(session))
                async with asyncio.TaskGroup() as slots:
                    for _ in range(self._errand.slots):
                        slots.create_task(self._slot(asker, todo))
                keeping.cancel()
        except* KeyRefusedError:
            raise KeyRefusedError from None

    async def _slot(self, asker: Asker, todo: Iterator[tuple[int, Line]]) -> None:
        for number, line in todo:
            result = await asker.ask(number, line)
            if result is None:
                return
            kept = asyncio.get_running_loop().create_future()
            self._waiting.append((result, kept))
            self._bell.set()
            await kept

    async def _keep(self, session: aiohttp.ClientSession) -> None:
        """Have answers kept, all that wait at once, until cancelled."""
        while True:
            await self._bell.wait()
            taken = _fitting(self._waiting)
            del self._waiting[: len(taken)]
            if not self._waiting:
                self._bell.clear()
            body = wire.pack(Results(self._errand.epoch, tuple(result for result, _ in taken)))
            said = await self._insist(session, "POST", f"{self._home}/results", body)
            standing: Standing = wire.from_json(said, Standing)
            self.kept = standing.kept
            if not standing.open:
                self.stop()
            self._tell()
            for _, kept in taken:
                kept.set_result(None)

    async def _assignment(self, session: aiohttp.ClientSession) -> Assignment | None:
        """None: it was told to end before it learned what to do."""
        asking = asyncio.create_task(
            self._insist(session, "POST", f"{self._home}/assignment?epoch={self._errand.epoch}", b"")
        )
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not asking.done():
            asking.cancel()
            return None
        found: Assignment = wire.from_json(asking.result(), Assignment)
        return found

    async def _fetch(self, session: aiohttp.ClientSession, path: Path, size_bytes: int) -> bool:
        """The input on disk, whole. False: it was told to end first."""
        while not self._stopping.is_set():
            try:
                async with session.get(f"{self._home}/input") as answer:
                    if answer.status == 200:
                        with path.open("wb") as file:
                            async for piece in answer.content.iter_chunked(PIECE_BYTES):
                                file.write(piece)
                        if path.stat().st_size == size_bytes:  # noqa: ASYNC240 - likewise
                            return True
                    _log.warning(
                        "the input of %s did not arrive whole (%s)", self._errand.batch, answer.status
                    )
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                _log.warning("the input of %s did not arrive: %s", self._errand.batch, error)
            await asyncio.sleep(self._errand.pace.wait_s)
        return False

    async def _insist(self, session: aiohttp.ClientSession, method: str, url: str, body: bytes) -> bytes:
        """The answer of the control plane, once it gives one. Raises KeyRefusedError."""
        refused = 0
        while True:
            try:
                async with session.request(
                    method, url, data=body, headers={"content-type": MSGPACK}
                ) as answer:
                    said = await answer.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                _log.warning("%s cannot be reached: %s", url, error)
                await asyncio.sleep(self._errand.pace.wait_s)
                continue
            if answer.status == 200:
                return said
            refused += answer.status in {401, 403, 404}
            if refused > _REFUSALS:
                _log.error("%s: %s", url, said[:500].decode(errors="replace"))
                raise KeyRefusedError
            await asyncio.sleep(self._errand.pace.wait_s)

    def _tell(self) -> None:
        """How far it is, for whoever looks at the workload."""
        path = self._errand.progress
        if path is None:
            return
        said = {"step": self.kept, "total_steps": self.lines, "checkpoint_step": self.kept}
        fresh = path.with_name(f"{path.name}.new")
        try:
            fresh.write_bytes(msgspec.json.encode(said))
            fresh.replace(path)
        except OSError as error:
            _log.warning("progress cannot be told: %s", error)


_REFUSALS = 60
"""Tries, a second apart, until a key that is refused is believed to be worth nothing."""


def remaining(path: Path, done: Iterable[tuple[int, int]]) -> Iterator[tuple[int, Line]]:
    """The lines of an input that have no answer, with their numbers. Empty lines count for none."""
    spans = iter(sorted(done))
    begin, end = next(spans, (-1, -1))
    number = -1
    with path.open("rb") as file:
        for text in file:
            if not text.strip():
                continue
            number += 1
            while end != -1 and number >= end:
                begin, end = next(spans, (-1, -1))
            if not begin <= number < end:
                yield number, _LINE.decode(text)


def _fitting(waiting: list[tuple[Result, asyncio.Future[None]]]) -> list[tuple[Result, asyncio.Future[None]]]:
    """As many as may be told at once; at least one."""
    size_bytes = 0
    for count, (result, _) in enumerate(waiting[:RESULTS_LIMIT]):
        size_bytes += len(result.body) + 256
        if count and size_bytes > RESULTS_BYTES_LIMIT:
            return waiting[:count]
    return waiting[:RESULTS_LIMIT]


@asynccontextmanager
async def _session(token: str) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=SILENCE_S)
    async with aiohttp.ClientSession(
        headers={"authorization": f"Bearer {token}"},
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=0),
        timeout=timeout,
    ) as session:
        yield session


def errand_of(environment: dict[str, str] | os._Environ[str] = os.environ) -> Errand:
    """From the variables of the workload and of its engine. Raises KeyError where one is missing."""
    progress = environment.get("STARGATE_PROGRESS_FILE")
    more: dict[str, Any] = {}
    if "STARGATE_BATCH_SLOTS" in environment:
        more["slots"] = max(1, min(RESULTS_LIMIT, int(environment["STARGATE_BATCH_SLOTS"])))
    return Errand(
        batch=environment["STARGATE_BATCH"],
        url=environment["STARGATE_BATCH_URL"],
        token=environment["STARGATE_BATCH_KEY"],
        epoch=int(environment.get("STARGATE_EPOCH", "0")),
        folder=Path(environment.get("STARGATE_RUN_DIR", ".")),
        progress=None if progress is None else Path(progress),
        **more,
    )
