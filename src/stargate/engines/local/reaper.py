"""Collects the agent's dead children, and kills those that it inherits from a shim that died."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

from stargate.engines.local.shim import descendants, signal_all

KILL_LIMIT_S = 5.0


class Reaper:
    """Owner of SIGCHLD in the agent: nothing else in the process may wait for children."""

    def __init__(self) -> None:
        self._watched: dict[int, Callable[[int], None]] = {}

    def begin(self) -> None:
        """Listen. Call once, on the event loop's thread."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def watch(self, pid: int, over: Callable[[int], None]) -> None:
        """Call `over` with the exit code (negative: signal) once that child has ended."""
        self._watched[pid] = over

    def kill_orphans(self) -> None:
        """Kill all children that nobody watches, with everything below them.

        As the agent is a subreaper, these are what a dead shim left behind.
        """
        deadline = time.monotonic() + KILL_LIMIT_S
        while time.monotonic() < deadline:
            orphans = descendants(os.getpid(), spare=self._watched)
            if not orphans:
                return
            signal_all(orphans, signal.SIGKILL)
            self._reap()
            time.sleep(0.002)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            over = self._watched.pop(pid, None)
            if over is not None:
                over(os.waitstatus_to_exitcode(status))
