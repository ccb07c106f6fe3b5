"""Commands of the demo, run as somebody at a terminal would run them, with what they print."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from stargate.base.errors import InternalError

OTHERS = ("STARGATE_URL", "STARGATE_KEY", "STARGATE_LEDGER")
"""Settings of whoever plays the demo, which are about a server of theirs."""
PATIENCE_S = 180.0
PIECE_BYTES = 4_096


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    said: str
    """On standard output."""
    error: str


class Running:
    """A command that runs."""

    def __init__(self, words: tuple[str, ...], process: subprocess.Popen[bytes]) -> None:
        self._words = words
        self._process = process
        self._first = b""

    def await_output(self, least_bytes: int) -> None:
        """It has printed so much, or has closed its output."""
        assert self._process.stdout is not None
        while len(self._first) < least_bytes:
            piece = os.read(self._process.stdout.fileno(), PIECE_BYTES)
            if not piece:
                return
            self._first += piece

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def end(self) -> Ended:
        """Wait for its end."""
        said, error = self._process.communicate(timeout=PATIENCE_S)
        return Ended(
            self._process.returncode,
            (self._first + said).decode(errors="replace"),
            error.decode(errors="replace"),
        )

    def succeed(self) -> str:
        """Wait for its end, and give what it printed. Raises InternalError where it failed."""
        ended = self.end()
        if ended.code != 0:
            raise InternalError(
                f"stargate {shlex.join(self._words)} ended with {ended.code}: {ended.error}",
                "please report this: the demo should run anywhere",
            )
        return ended.said


class Shell:
    """A terminal in a folder, with settings for the demo's server and gateway."""

    def __init__(self, console: Console, folder: Path, settings: dict[str, str]) -> None:
        self._console = console
        self._folder = folder
        self._settings = {name: value for name, value in os.environ.items() if name not in OTHERS} | settings

    def start(self, *words: str, key: str = "") -> Running:
        """Run `stargate` with these words, under an application's key where one is given."""
        self._console.print(Text(f"$ stargate {shlex.join(words)}", style="bold"), soft_wrap=True)
        process = subprocess.Popen(  # our own program, with our own arguments
            [sys.executable, "-m", "stargate.cli", *words],
            cwd=self._folder,
            env=self._settings | ({"STARGATE_API_KEY": key} if key else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return Running(words, process)

    def run(self, *words: str, key: str = "") -> str:
        """Run it to its end, and show what it printed. Raises InternalError where it failed."""
        said = self.start(*words, key=key).succeed()
        self.show(said)
        return said

    def show(self, text: str, style: str = "") -> None:
        """Print what a command printed."""
        self._console.print(Text(text.rstrip("\n"), style=style), soft_wrap=True)
