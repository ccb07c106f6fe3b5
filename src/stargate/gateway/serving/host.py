"""The processes of a host: granian's parent with its workers, which share nothing but the socket, and the steward."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from stargate.base import wire
from stargate.gateway.serving.worker import VARIABLE, Told
from stargate.gateway.steward.steward import Charge

BACKLOG = 2_048
HEADERS_BYTES = 64 << 10
TARGET = "stargate.gateway.serving.worker:worker"
REST_S = 0.5
"""Before a steward that has died is started anew."""
STOP_S = 10.0


class Listening(msgspec.Struct, frozen=True):
    """Where and how many."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1


def serve(listening: Listening, told: Told, charge: Charge | None = None) -> None:
    """Run until SIGTERM or SIGINT. Workers and a steward that die are started anew."""
    folder = Path(told.data)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "told.json"
    path.write_bytes(wire.to_json(told))
    os.environ[VARIABLE] = str(path)
    server = Granian(
        TARGET,
        address=listening.host,
        port=listening.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        workers=listening.workers,
        loop=Loops.uvloop,
        backlog=BACKLOG,
        websockets=False,
        respawn_failed_workers=True,
        http1_settings=HTTP1Settings(max_buffer_size=HEADERS_BYTES),
        log_access=False,
    )
    with _steward(folder, charge):
        server.serve()


@contextmanager
def _steward(folder: Path, charge: Charge | None) -> Iterator[None]:
    """A steward beside the workers, started anew when it dies."""
    if charge is None:
        yield
        return
    path = folder / "charge.json"
    path.write_bytes(wire.to_json(charge))
    ending = threading.Event()
    keeper = threading.Thread(target=_keep, args=(path, ending), name="steward", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ending.set()
        keeper.join(STOP_S + 1)


def _keep(path: Path, ending: threading.Event) -> None:
    while not ending.is_set():
        command = [sys.executable, "-m", "stargate.gateway.steward", str(path)]
        with subprocess.Popen(command) as process:  # noqa: S603 - a fixed argument list
            while process.poll() is None and not ending.wait(REST_S / 5):
                pass
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
        ending.wait(REST_S)
