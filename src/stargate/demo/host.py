"""A server for a demo: a real `stargate` server process on a free port, with its data in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from stargate.base.errors import EngineError, InternalError
from stargate.demo.api import Api
from stargate.engines.local import agent_process, agents, retire

FILES = Path(__file__).parent / "files"
START_S = 60.0
STOP_S = 15.0
POLL_S = 0.1


class Host:
    """The server and the providers' agents below it; all of them are gone when the block ends."""

    def __init__(self, data: Path, infrastructure: str = "infrastructure") -> None:
        """Its world is one of the demo's files."""
        self.data = data
        self._log = (data / "server.log").open("wb")
        command = [
            sys.executable,
            "-m",
            "stargate.cli",
            "up",
            "--data",
            str(data),
            "--port",
            "0",
            "--stop-jobs",
        ]
        for option, name in (("-i", infrastructure), ("-a", "agreement"), ("-p", "policy")):
            command += [option, str(FILES / f"{name}.yaml")]
        self._process = subprocess.Popen(  # our own program, with our own arguments
            command, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            self.api = self._connect()
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where the server listens."""
        return self.api.url

    def key(self, name: str, role: str, **scope: str) -> str:
        """A new key."""
        body = {"name": name, "role": role} | ({"scope": scope} if scope else {})
        made: str = self.api.post("/v1/keys", body)["key"]
        return made

    def wait(
        self, what: str, condition: Callable[[], Any], patience_s: float, log: str = "server.log"
    ) -> Any:
        """What `condition` gives, as soon as it is something. Raises InternalError, which names the log to read."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(POLL_S)
        raise InternalError(f"the demo waited in vain for {what}", f"see {self.data}/{log}")

    def kill_provider(self, provider: str) -> int:
        """SIGKILL: the provider is gone, with everything that ran there. The pid that was killed."""
        agent = agent_process(self.data / "local", provider)
        if agent is None or not agent.kill():
            raise EngineError(f"provider {provider} has no live agent", f"see {self.data}/server.log")
        return agent.pid

    def close(self) -> None:
        """Stop the server, and with it everything it runs."""
        self.api.close()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        self._end()

    def _end(self) -> None:
        """Nothing of it is left, in good order or not."""
        self._process.kill()
        self._process.wait()
        local = self.data / "local"
        deadline = time.monotonic() + STOP_S
        while True:
            for provider in agents(local):
                asyncio.run(retire(local, provider, grace_s=0))
            # One that the server had just begun to start says a moment later where it listens.
            if not _names(local) or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self._log.close()

    def _connect(self) -> Api:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError, msgspec.DecodeError, KeyError, InternalError):
                address = msgspec.json.decode((self.data / "server.json").read_bytes())
                api = Api(address["url"], (self.data / "operator.key").read_text().strip())
                api.get("/v1/status")
                return api
            time.sleep(0.05)
        raise InternalError(
            f"the demo's server did not start: {(self.data / 'server.log').read_text()[-1000:]}",
            "look at what it printed; a free loopback port and a writable temporary folder are all it needs",
        )


def _names(folder: Path) -> bool:
    """Whether a process was started for this folder (Linux; elsewhere that is not known)."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if os.fsencode(folder.resolve()) in entry.read_bytes():
                return True
    return False
