"""The bank of a host with several workers: one allotment, asked over a socket that only this user can open.

A message is its length in four bytes, then msgpack: from a worker `[0, name]` first, then `[number, wishes]` for which
`[number, slices]` comes back, and `[0, returned]` for which nothing does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from stargate.gateway.limits import Allotment, NoBankError, Returned, Slice, Wish
from stargate.gateway.limits.pot import STEP_US, WINDOW_STEPS, Kind

MESSAGE_LIMIT_BYTES = 1 << 20
REMEDY = "Look whether the steward of this host runs; its parent starts it anew"
ANSWER_S = 2.0
"""How long a worker waits for an answer."""
_PACK = msgspec.msgpack.Encoder()
_GREETING = msgspec.msgpack.Decoder(tuple[int, str])
_WISHES = msgspec.msgpack.Decoder(tuple[int, list[Wish]])
_RETURNED = msgspec.msgpack.Decoder(tuple[int, list[Returned]])
_SLICES = msgspec.msgpack.Decoder(tuple[int, list[Slice]])
_NUMBER = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])


class BankServer:
    """The steward's side."""

    def __init__(self, allotment: Allotment, clock_us: Callable[[], int]) -> None:
        self._allotment = allotment
        self._clock_us = clock_us
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self, path: Path) -> None:
        """Listen."""
        before = os.umask(0o077)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108  # a socket that a steward before left
            self._server = await asyncio.start_unix_server(self._serve, path)
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening, and end what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        worker = ""
        try:
            worker = _GREETING.decode(await _receive(reader))[1]
            while True:
                data = await _receive(reader)
                number = _NUMBER.decode(data)[0]
                if number:
                    at_us = self._clock_us()
                    slices = [self._allotment.give(worker, wish, at_us) for wish in _WISHES.decode(data)[1]]
                    _send(writer, (number, slices))
                    await writer.drain()
                else:
                    for each in _RETURNED.decode(data)[1]:
                        self._allotment.take_back(worker, each)
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.MsgspecError, ValueError):
            pass  # a worker that goes, or talks nonsense, is one that is gone
        finally:
            self._connections.discard(task)
            if worker:
                self._allotment.forget(worker)
            await _closed(writer)


class RemoteBank:
    """A worker's side. It connects when it is first asked, and again when the steward was started anew."""

    def __init__(self, path: Path, worker: str) -> None:
        self._path = path
        self._worker = worker
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._number = 0
        self._answers: dict[int, asyncio.Future[list[Slice]]] = {}
        self._had: dict[tuple[str, Kind], deque[Returned]] = {}
        """What this worker was given and has not given back, as long as it counts: a new steward is told."""

    async def give(self, wishes: Sequence[Wish]) -> Sequence[Slice]:
        """See `Bank`."""
        writer = await self._connected()
        self._number += 1
        number = self._number
        answer: asyncio.Future[list[Slice]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            _send(writer, (number, wishes))
            async with asyncio.timeout(ANSWER_S):
                slices = await answer
            for wish, given in zip(wishes, slices, strict=True):
                self._note(Returned(wish.application, wish.kind, -given.count, given.given_us))
            return slices
        except TimeoutError:
            raise NoBankError(f"the steward at {self._path} does not answer", REMEDY) from None
        finally:
            self._answers.pop(number, None)

    def take_back(self, returned: Sequence[Returned]) -> None:
        """See `Bank`. Where nobody is there, the next steward is told what is left."""
        for each in returned:
            self._note(each)
        if self._writer is not None:
            _send(self._writer, (0, returned))

    async def close(self) -> None:
        """Let go."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None:
                try:
                    reader, self._writer = await asyncio.open_unix_connection(self._path)
                except OSError as error:
                    raise NoBankError(f"no steward is at {self._path}: {error.strerror}", REMEDY) from None
                _send(self._writer, (0, self._worker))
                _send(self._writer, (0, [each for had in self._had.values() for each in had if each.count]))
                self._reading = asyncio.create_task(self._read(reader, self._writer))
            return self._writer

    def _note(self, change: Returned) -> None:
        """Keep the balance of what was given: below zero, as it is owed."""
        had = self._had.setdefault((change.application, change.kind), deque())
        if change.kind in ("slots", "money"):
            before = had.pop().count if had else 0
            had.append(msgspec.structs.replace(change, count=before + change.count))
            return
        while had and had[0].given_us < change.given_us - WINDOW_STEPS * STEP_US:
            had.popleft()
        had.append(change)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                number, slices = _SLICES.decode(await _receive(reader))
                answer = self._answers.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(slices)
        except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError, ValueError):
            pass
        finally:
            self._writer = None
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(NoBankError("the steward went away", REMEDY))
            await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _receive(reader: asyncio.StreamReader) -> bytes:
    """Raises IncompleteReadError at the end, ValueError for a message that is too long."""
    size = int.from_bytes(await reader.readexactly(4))
    if size > MESSAGE_LIMIT_BYTES:
        raise ValueError(f"a message of {size:,} bytes")
    return await reader.readexactly(size)


def _send(writer: asyncio.StreamWriter, message: object) -> None:
    data = _PACK.encode(message)
    writer.write(len(data).to_bytes(4) + data)
