"""A gateway for the demo: a real `stargate gateway` on a free port, by the routes of the demo's server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import httpx

from stargate.base.errors import InternalError
from stargate.demo.host import Host
from stargate.server.auth import write_private

START_S = 60.0
STOP_S = 15.0
POLL_S = 0.05
ANSWER_S = 5.0


class Gateway:
    """The gateway's processes; all of them are gone when the block ends."""

    def __init__(self, host: Host) -> None:
        self._path = host.data / "gateway.log"
        folder = host.data / "gateway"
        key = folder / "gateway.key"
        write_private(key, host.key("demo-gateway", "gateway").encode())
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}/v1"
        command = [sys.executable, "-m", "stargate.cli", "gateway", "--data", str(folder), "--key", str(key)]
        command += ["--server", host.url, "--node", "demo", "--port", str(port)]
        self._log = self._path.open("wb")
        self._process = subprocess.Popen(  # our own program, with our own arguments
            command, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )
        self._client = httpx.Client(timeout=ANSWER_S, trust_env=False)
        try:
            self._wait("answers", lambda: self._status(f"{self.url.removesuffix('/v1')}/health/ready"))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def await_key(self, key: str) -> None:
        """It has heard of a new key."""
        self._wait("knows the key", lambda: self._status(f"{self.url}/models", key))

    def close(self) -> None:
        """Stop it, with everything it started."""
        self._client.close()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        with suppress(ProcessLookupError):  # its session is its own
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def _status(self, url: str, key: str = "") -> int:
        with suppress(httpx.HTTPError):
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return self._client.get(url, headers=headers).status_code
        return 0

    def _wait(self, what: str, status: Callable[[], int]) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if status() == httpx.codes.OK:
                return
            time.sleep(POLL_S)
        raise InternalError(
            f"the demo waited in vain until its gateway {what}: {self._path.read_text()[-1_000:]}",
            "look at what it printed; a free loopback port and a writable temporary folder are all it needs",
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
