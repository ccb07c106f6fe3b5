"""Runs the terminal sessions of the documentation and compares what is printed with what the page shows.

A block of language `console` holds lines that begin with `$ ` and, below each, the output; `...` in it stands for
anything. A command that only looks is repeated for a while until it shows what the page shows, as a reader would.
A command that ends in ` &` goes on in the background; `kill %1` ends it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from stargate.engines.local import agents, retire
from tests.conftest import REPOSITORY
from tests.gateway.provider.server import free_port

LOOKING = {
    "explain", "journal", "leases", "logs", "models", "needs", "offers", "pools", "ps", "show", "status", "usage",
}  # fmt: skip
PATIENCE_S = 100.0
PAUSE_S = 0.25
SHORTER = ("sleep 0.2", "sleep 0.03")
"""A reader needs a minute between two commands; the test does not."""


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a block with the output below it; a trailing backslash continues a command."""
    command = ""
    output: list[str] = []
    joined = block.replace("\\\n", "")
    for line in joined.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, "\n".join(output)
            command, output = line.removeprefix("$ "), []
        else:
            output.append(line)
    if command:
        yield command, "\n".join(output)


def shows(printed: str, expected: str) -> bool:
    """Whether a text is as the page shows it: `...` is anything, and the width of gaps does not count."""
    pattern = re.escape(_trimmed(expected)).replace(r"\ \.\.\.", r"(?:\s.*?)?").replace(r"\.\.\.", ".*?")
    return re.fullmatch(pattern, _trimmed(printed), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


class Session:
    """A folder with the examples in it, and what runs in the background."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.background: list[subprocess.Popen[bytes]] = []
        shutil.copytree(REPOSITORY / "examples", folder / "examples")
        job = folder / "examples" / "tutorial" / "train.yaml"
        job.write_text(job.read_text().replace(*SHORTER))
        own = {
            "COLUMNS": "220",
            "NO_COLOR": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STARGATE_")}
        self.environment = {**kept, **own}

    def run(self, command: str, expected: str) -> str:
        """Run one command of a page; the answer says what differs, and is empty where nothing does."""
        if command.endswith(" &"):
            return self._start(command.removesuffix(" &"))
        if command == "kill %1":
            self._stop(self.background.pop())
            return ""
        deadline = time.monotonic() + (PATIENCE_S if self._only_looks(command) else 0)
        while True:
            printed = self._output(command)
            if shows(printed, expected):
                return ""
            if time.monotonic() >= deadline:
                return f"$ {command}\n--- the page shows\n{expected}\n--- printed\n{printed}"
            time.sleep(PAUSE_S)

    def _only_looks(self, command: str) -> bool:
        words = shlex.split(command)
        return words[0] == "stargate" and words[1] in LOOKING

    def _output(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            text=True,
            check=False,
        )
        return done.stdout

    def _start(self, command: str) -> str:
        """The server, or a gateway, at a free port, so that it does not meet another one."""
        words = [*shlex.split(command), "--port", "0"]
        asked = "stargate status"
        if words[1] == "gateway":
            port = free_port()
            words[-1] = str(port)
            self.environment["STARGATE_GATEWAY"] = f"http://127.0.0.1:{port}/v1"
            asked = f"curl --silent http://127.0.0.1:{port}/health/ready"
        with (self.folder / "background.log").open("ab") as log:
            process = subprocess.Popen(words, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        self.background.append(process)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self._output(asked).startswith(("Stargate ", '{"status":"ok"')):
                return ""
            time.sleep(PAUSE_S)
        return f"$ {command}\ndoes not answer:\n{(self.folder / 'background.log').read_text()}"

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End what runs in the background, and the providers' agents, which outlive a server."""
        while self.background:
            self._stop(self.background.pop())
        local = self.folder / "stargate-data" / "local"
        for provider in agents(local):
            asyncio.run(retire(local, provider, 1.0))
