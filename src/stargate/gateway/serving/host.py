"""The processes of a host: granian's parent with its workers, which share nothing but the socket, and the steward."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
SOUND_S = 10.0
"""A host that has run for so long had come to serve."""
FAILURES_BORNE = 5
REST_S = 0.5
"""Before a steward that has died is started anew."""
STOP_S = 10.0
LOOK_S = 0.1
STDERR = 2


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
    with _steward(folder, charge):
        _insist(listening)


def _insist(listening: Listening) -> None:
    """Granian gives up a host one of whose workers dies twice within seconds. A gateway begins again.

    Where it never comes to serve, there is a reason that stays: then it gives up as well.
    """
    failures = 0
    while True:
        server = _server(listening)
        begun_s = time.monotonic()
        try:
            server.serve()
        except SystemExit:
            failures = 0 if time.monotonic() - begun_s > SOUND_S else failures + 1
            if server.interrupt_signal or failures >= FAILURES_BORNE:
                raise
        else:
            return
        time.sleep(REST_S * (1 + failures))


def _server(listening: Listening) -> Any:
    return Granian(
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
        pid = _spawn([sys.executable, "-m", "stargate.gateway.steward", str(path)])
        while not _over(pid) and not ending.wait(LOOK_S):
            pass
        if not _over(pid):
            os.kill(pid, signal.SIGTERM)
            before = time.monotonic() + STOP_S
            while not _over(pid) and time.monotonic() < before:
                time.sleep(LOOK_S)
            if not _over(pid):
                os.kill(pid, signal.SIGKILL)
        ending.wait(REST_S)


def _spawn(command: list[str]) -> int:
    """Start a process; its number.

    Not by `subprocess`: that waits for the end of a pipe, and a worker that granian forks at the same moment holds its
    other end as long as it lives. What workers may inherit, as their sockets, is closed for this one.
    """
    held = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
    actions = [(os.POSIX_SPAWN_CLOSE, fd) for fd in held if fd > STDERR and _inherited(fd)]
    return os.posix_spawn(command[0], command, os.environ, file_actions=actions)


def _inherited(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False  # it was closed meanwhile


def _over(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
