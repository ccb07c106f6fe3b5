"""The bank of a host with several workers: one teller, asked over a socket that only this user can open.

A message is its length in four bytes, then msgpack: from a worker `[0, name, slots]` first, then `[number, wishes]` for
which `[number, slices]` comes back, and `[0, returned]` for which nothing does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from stargate.gateway.limits import NoBankError, Returned, Slice, Wish
from stargate.gateway.steward.teller import Teller

MESSAGE_LIMIT_BYTES = 1 << 20
REMEDY = "Look whether the steward of this host runs; its parent starts it anew"
ANSWER_S = 2.0
"""How long a worker waits for an answer."""
BACK_S = 0.2
"""How often a worker looks for a new steward."""
_PACK = msgspec.msgpack.Encoder()
_GREETING = msgspec.msgpack.Decoder(tuple[int, str, dict[str, int]])
_WISHES = msgspec.msgpack.Decoder(tuple[int, list[Wish]])
_RETURNED = msgspec.msgpack.Decoder(tuple[int, list[Returned]])
_SLICES = msgspec.msgpack.Decoder(tuple[int, list[Slice]])
_NUMBER = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])


class BankServer:
    """The steward's side."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
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
        answering: set[asyncio.Task[None]] = set()
        try:
            _, worker, slots = _GREETING.decode(await _receive(reader))
            self._teller.greet(worker, slots)
            while True:
                data = await _receive(reader)
                number = _NUMBER.decode(data)[0]
                if number:
                    # What comes next must not wait: it may be what others give back.
                    answer = asyncio.create_task(
                        self._answer(writer, worker, number, _WISHES.decode(data)[1])
                    )
                    answering.add(answer)
                    answer.add_done_callback(answering.discard)
                    await asyncio.sleep(0)
                    await writer.drain()
                else:
                    self._teller.take_back(worker, _RETURNED.decode(data)[1])
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.MsgspecError, ValueError):
            pass  # a worker that goes, or talks nonsense, is one that is gone
        finally:
            self._connections.discard(task)
            for each in answering:
                each.cancel()
            await asyncio.gather(*answering, return_exceptions=True)
            if worker:
                self._teller.forget(worker)
            await _closed(writer)

    async def _answer(
        self, writer: asyncio.StreamWriter, worker: str, number: int, wishes: Sequence[Wish]
    ) -> None:
        _send(writer, (number, await self._teller.give(worker, wishes)))


class RemoteBank:
    """A worker's side. It connects when it is first asked, and again when the steward was started anew."""

    def __init__(self, path: Path, worker: str) -> None:
        self._path = path
        self._worker = worker
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._number = 0
        self._asked: dict[int, tuple[Sequence[Wish], asyncio.Future[list[Slice]]]] = {}
        self._coming: asyncio.Task[None] | None = None
        self._closed = False
        self._slots: Counter[str] = Counter()
        """Requests at a time that this worker holds, by application: a new steward is told."""

    async def give(self, wishes: Sequence[Wish]) -> Sequence[Slice]:
        """See `Bank`."""
        writer = await self._connected()
        self._number += 1
        number = self._number
        answer: asyncio.Future[list[Slice]] = asyncio.get_running_loop().create_future()
        self._asked[number] = (wishes, answer)
        _send(writer, (number, wishes))
        try:
            async with asyncio.timeout(ANSWER_S):
                slices = await answer
        except TimeoutError:
            raise NoBankError("the steward does not answer", REMEDY) from None
        for wish, given in zip(wishes, slices, strict=True):
            if wish.kind == "slots" and given.count > 0:
                self._slots[wish.application] += given.count
        return slices

    def take_back(self, returned: Sequence[Returned]) -> None:
        """See `Bank`. Where nobody is there, the next steward is told what is left."""
        for each in returned:
            if each.kind == "slots":
                self._slots[each.application] -= each.count
                if self._slots[each.application] <= 0:
                    del self._slots[each.application]
        if self._writer is not None:
            _send(self._writer, (0, returned))

    async def close(self) -> None:
        """Let go."""
        self._closed = True
        for task in (self._reading, self._coming):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None:
                try:
                    reader, self._writer = await asyncio.open_unix_connection(self._path)
                except OSError as error:
                    raise NoBankError(f"no steward is at {self._path}: {error.strerror}", REMEDY) from None
                _send(self._writer, (0, self._worker, self._slots))
                self._reading = asyncio.create_task(self._read(reader, self._writer))
            return self._writer

    async def _come_back(self) -> None:
        """Tell the next steward soon what is held, before that says what the host holds in all."""
        while not self._closed:
            await asyncio.sleep(BACK_S)
            with contextlib.suppress(NoBankError):
                await self._connected()
                return

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                number, slices = _SLICES.decode(await _receive(reader))
                wishes, answer = self._asked.pop(number)
                if not answer.done():
                    answer.set_result(slices)
                    continue
                # Whoever asked has gone.
                unused = [
                    Returned(wish.application, wish.kind, given.count, given.given_us)
                    for wish, given in zip(wishes, slices, strict=True)
                    if given.count > 0
                ]
                _send(writer, (0, unused))
        except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError, ValueError, KeyError):
            pass
        finally:
            self._writer = None
            for _, answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(NoBankError("the steward went away", REMEDY))
            self._asked.clear()
            if not self._closed:
                self._coming = asyncio.create_task(self._come_back())
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
