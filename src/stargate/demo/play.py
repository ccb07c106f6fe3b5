"""Play the demo: a server in a folder of its own, the story on it, the screen in front of it."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from rich.console import Console

from stargate.base import wire
from stargate.base.errors import StateConflictError
from stargate.demo.host import Host
from stargate.demo.story import Story
from stargate.demo.view import View


def play(data: Path | None, file: Path | None, *, leave: bool) -> bool:
    """Whether the job ended as if nobody had disturbed it. Raises StargateError if the story cannot be told."""
    console = Console()
    with ExitStack() as stack:
        folder = _folder(data, stack)
        host = stack.enter_context(Host(folder))
        with View(console) as view:
            scene = Story(host, view.show).play()
        view.explain(scene)
        if file is not None:
            file.write_bytes(wire.to_json(scene.result) + b"\n")
            console.print(f"What happened is in {file}.")
        if not leave:
            _linger(console, folder)
        return scene.result.kept_its_promise


def _folder(data: Path | None, stack: ExitStack) -> Path:
    if data is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stargate-demo-")))
    data.mkdir(parents=True, exist_ok=True)
    if any(data.iterdir()):
        raise StateConflictError(f"{data} is not empty", "name a new folder with --data, or leave it out")
    return data


def _linger(console: Console, folder: Path) -> None:
    console.print(
        f"The server is still up. In another terminal: stargate ps --data {folder}   (Ctrl-C ends it)"
    )
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
