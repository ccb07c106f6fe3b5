"""Play a demo: a server in a folder of its own, the story on it, the screen in front of it."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from stargate.base import wire
from stargate.base.errors import NotFoundError, StateConflictError
from stargate.demo import llama
from stargate.demo.gateway import Gateway
from stargate.demo.host import FILES, Host
from stargate.demo.serving import MODEL, ServingStory
from stargate.demo.shell import Shell
from stargate.demo.story import Story
from stargate.demo.view import View, counts, line, served_verdict

Afterwards = Callable[[str, str, str], None]
"""What may be done with a model that is served: the gateway's address, a key that is good there, the model's name."""


def play(data: Path | None, file: Path | None, *, leave: bool) -> bool:
    """Whether the job ended as if nobody had disturbed it. Raises StargateError if the story cannot be told."""
    console = Console()
    with _in_order(), ExitStack() as stack:
        folder = _folder(data, stack)
        host = stack.enter_context(Host(folder))
        with View(console) as view:
            scene = Story(host, view.show).play()
        view.explain(scene)
        _write(console, file, scene.result)
        if not leave:
            _linger(console, folder)
        return scene.result.kept_its_promise


def play_serving(data: Path | None, file: Path | None, afterwards: Afterwards | None) -> bool:
    """Whether the loss of a provider was noticed by none but those it answered, and every token is counted.

    Then `afterwards`, while it is all still there. Raises StargateError if the story cannot be told.
    """
    console = Console(highlight=False)
    _demand_model()
    with _in_order(), ExitStack() as stack:
        folder = _folder(data, stack)
        host = stack.enter_context(Host(folder, "clouds"))
        gateway = stack.enter_context(Gateway(host))
        shell = Shell(console, FILES, {"STARGATE_DATA": str(folder), "STARGATE_GATEWAY": gateway.url})
        story = ServingStory(host, gateway, shell, lambda beat: console.print(line(beat), soft_wrap=True))
        served = story.play()
        console.print(counts(served))
        console.print(served_verdict(served), soft_wrap=True)
        _write(console, file, served)
        if afterwards is not None:
            console.print(
                f"Everything is still up: {gateway.url}; the server's data: {folder}", soft_wrap=True
            )
            afterwards(gateway.url, story.key, MODEL)
        return served.kept_its_promise


@contextmanager
def _in_order() -> Iterator[None]:
    """Told to end, or left by its terminal, it ends what it started."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _demand_model() -> None:
    """Raises NotFoundError where the small model cannot be served here."""
    if find_spec("xllamacpp") is None:
        raise NotFoundError(
            "xllamacpp is not installed, which serves the demo's model",
            "`make demo-serve` installs what is needed; or `pip install xllamacpp`",
        )
    llama.model_file(None)


def _folder(data: Path | None, stack: ExitStack) -> Path:
    if data is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stargate-demo-")))
    data.mkdir(parents=True, exist_ok=True)
    if any(data.iterdir()):
        raise StateConflictError(f"{data} is not empty", "name a new folder with --data, or leave it out")
    return data.resolve()


def _write(console: Console, file: Path | None, result: object) -> None:
    if file is not None:
        file.write_bytes(wire.to_json(result) + b"\n")
        console.print(f"What happened is in {file}.")


def _linger(console: Console, folder: Path) -> None:
    console.print(
        f"The server is still up. In another terminal: stargate ps --data {folder}   (Ctrl-C ends it)"
    )
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
