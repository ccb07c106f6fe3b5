"""One rank as its agent sees it: a shim at the other end of two pipes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stargate.engines.local import shim
from stargate.engines.local.verdict import RankEnd

if TYPE_CHECKING:
    from stargate.engines.local.reaper import Reaper
    from stargate.engines.local.shim import Spec

Hear = Callable[["Rank", str], None]
"""Told of `started`, `ended` and `over`; what it means stands in the rank."""

_EVENT_LIMIT = 65_536
_CHUNK = 65_536


class Rank:
    """A rank's shim. Everything the rank says comes through `hear`; `over` is last and comes exactly once."""

    def __init__(self, index: int, spec: Spec, reaper: Reaper, hear: Hear) -> None:
        self.index = index
        self.phase = ""
        self.set_up = False
        """Its set-up has succeeded (or there is none)."""
        self.running = False
        """Its program has been started."""
        self.end: RankEnd | None = None
        self._reaper = reaper
        self._hear = hear
        self._asked = False
        self._exit: int | None = None
        self._session = 0
        self._events = b""
        self._unsent = bytearray(shim.frame(spec))
        self._control = -1
        self._listen = -1
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the shim. Raises OSError when the system cannot."""
        loop = asyncio.get_running_loop()
        command = [sys.executable, "-I", "-S", "-X", "utf8", str(Path(shim.__file__))]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
            cwd="/",
            env={},
        )
        assert process.stdin is not None, "a pipe was asked for"
        assert process.stdout is not None, "a pipe was asked for"
        self._process = process
        self._control = process.stdin.fileno()
        self._listen = process.stdout.fileno()
        os.set_blocking(self._control, False)
        os.set_blocking(self._listen, False)
        loop.add_reader(self._listen, self._read)
        self._reaper.watch(process.pid, self._reaped)
        self._send(b"")

    def go_on(self) -> None:
        """Begin the next phase."""
        self._send(b"g")

    def terminate(self) -> None:
        """SIGTERM to everything of the rank."""
        self._asked = True
        self._send(b"t")

    def kill(self) -> None:
        """SIGKILL to everything of the rank."""
        self._asked = True
        self._send(b"k")

    def destroy(self) -> None:
        """The shim itself does not answer: kill it. What it leaves behind is found by the reaper."""
        self._asked = True
        if self.end is None and self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)

    def _send(self, data: bytes) -> None:
        if self._control < 0:
            return
        self._unsent += data
        self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._unsent:
                sent = os.write(self._control, self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            loop.add_writer(self._control, self._flush)
            return
        except OSError:
            self._unsent.clear()  # The shim is gone; the reaper will say so.
        loop.remove_writer(self._control)

    def _read(self) -> bool:
        try:
            data = os.read(self._listen, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(self._listen)
            return False
        *lines, self._events = (self._events + data).split(b"\n")
        for line in lines:
            self._event(json.loads(line))
        assert len(self._events) < _EVENT_LIMIT, "a shim's events are short"
        return True

    def _event(self, event: dict[str, Any]) -> None:
        self.phase = event["phase"] or self.phase
        match event["event"]:
            case "started":
                self._session = event["pid"]
                self.running = self.phase == "run"
                self._hear(self, "started")
            case "ended":
                self.set_up = self.set_up or event["code"] == 0
                self._hear(self, "ended")
            case "exit":
                self._exit = event["code"]

    def _reaped(self, status: int) -> None:
        """The shim is over: with an `exit` event in good order, otherwise with whatever it stood over."""
        while self._read():
            pass
        assert self._process is not None, "what was reaped was started"
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listen)
        loop.remove_writer(self._control)
        # The reaper has waited for it; a Popen that does not know would wait for a later process of that number.
        self._process.returncode = status
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                assert pipe is not None, "both were asked for"
                pipe.close()
        self._control = self._listen = -1
        if self._exit is None:
            self._clear()
        self.end = RankEnd(
            rank=self.index,
            phase=self.phase or "start",
            code=self._exit or 0,
            asked=self._asked,
            lost=self._exit is None,
        )
        self._hear(self, "over")

    def _clear(self) -> None:
        """What a dead shim stood over dies now; the reaper catches those that left the session."""
        if self._session:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._session, signal.SIGKILL)
        self._reaper.kill_orphans()
