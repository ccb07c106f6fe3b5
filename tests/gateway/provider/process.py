"""The mock as a process of its own, for tests that run no event loop, and tests that kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.gateway.provider.tally import Used

ROOT = Path(__file__).resolve().parents[3]
ANSWER_S = 30.0
STOP_S = 10.0


class Process:
    """A running mock, asked over HTTP."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "tests.gateway.provider", *options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.pid = self._process.pid
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def _ask(self, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=ANSWER_S) as answer:
            content: bytes = answer.read()
        return content

    def play(self, script: str, times: int = 0) -> None:
        """Answer so from now on, or so many times."""
        self._ask("/_mode", {"script": script, "times": times})

    def used(self) -> dict[str, Used]:
        """The mock's own count of every request."""
        return msgspec.json.decode(self._ask("/_usage"), type=dict[str, Used])

    def usage(self, request: str) -> dict[str, Any]:
        """What it says about one request when asked."""
        said: dict[str, Any] = json.loads(self._ask(f"/usage/{request}"))
        return said

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(STOP_S)

    def close(self) -> None:
        """Stop it, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOP_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def spawn(*options: str) -> Iterator[Process]:
    """Start one with these options of its command line, and stop it afterwards."""
    process = Process(*options)
    try:
        yield process
    finally:
        process.close()
