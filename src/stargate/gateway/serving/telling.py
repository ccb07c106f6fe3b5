"""What a worker tells its steward: how busy its endpoints are, in a small file that is replaced.

The steward believes the file as long as the worker lives, however long ago it was written: a worker that hangs
still holds its requests.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import msgspec

from stargate.base import wire
from stargate.base.time import Instant
from stargate.gateway.record import Busy, Load, Wanted
from stargate.gateway.record.load import NO_ROUTES
from stargate.gateway.serving.desk import Desk

TELL_S = 0.25


def load_of(desk: Desk) -> Load:
    """As it is now."""
    endpoints = {
        post.endpoint.id: Busy(post.begun, post.outstanding)
        for post in desk.switchboard.used()
        if post.begun or post.outstanding
    }
    models = {
        model: Wanted(desk.unserved[model], desk.waking.waiting[model])
        for model in desk.unserved.keys() | desk.waking.waiting.keys()
    }
    version = NO_ROUTES if desk.map is None else desk.map.routes.version
    return Load(routes=version, endpoints=endpoints, models=models)


async def tell(desk: Desk, folder: Path) -> None:
    """Keep the file of this worker as things are, until cancelled; then nothing is left of it."""
    path, began = folder / desk.spool.epoch, Instant(desk.clock_us())
    last = b""
    try:
        while True:
            data = wire.pack(msgspec.structs.replace(load_of(desk), began=began))
            if data != last and _written(path, data):
                last = data
            await asyncio.sleep(TELL_S)
    finally:
        _remove(path)


def _written(path: Path, data: bytes) -> bool:
    """Whether the file says so now. A full disk has the worker refuse requests, and that is told elsewhere."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}")
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError:
        return False
    return True


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
