"""The processes of a host: granian's parent and its workers, which share nothing but the listening socket."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from granian import Granian
from granian.constants import Interfaces, Loops
from granian.http import HTTP1Settings

from stargate.base import wire
from stargate.gateway.serving.worker import VARIABLE, Told

BACKLOG = 2_048
HEADERS_BYTES = 64 << 10
TARGET = "stargate.gateway.serving.worker:worker"


class Listening(msgspec.Struct, frozen=True):
    """Where and how many."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1


def serve(listening: Listening, told: Told) -> None:
    """Run until SIGTERM or SIGINT. Workers that die are started anew."""
    path = Path(told.data) / "told.json"
    path.write_bytes(wire.to_json(told))
    os.environ[VARIABLE] = str(path)
    Granian(
        TARGET,
        address=listening.host,
        port=listening.port,
        interface=Interfaces.RSGI,
        workers=listening.workers,
        loop=Loops.uvloop,
        backlog=BACKLOG,
        websockets=False,
        respawn_failed_workers=True,
        http1_settings=HTTP1Settings(max_buffer_size=HEADERS_BYTES),
        log_access=False,
    ).serve()
