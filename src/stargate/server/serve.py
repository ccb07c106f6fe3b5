"""A running server: open the house, listen, and stop in good order when told to.

Exit code 0 after SIGTERM or SIGINT, 1 when the journal could not be written, 2 for a fault in what it was given.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import uvicorn

from stargate.base import wire
from stargate.base.errors import UserError
from stargate.server.api.app import create_app
from stargate.server.auth import write_private
from stargate.server.config import ServerConfig, demand_safe
from stargate.server.errors import UnavailableError
from stargate.server.house import House, open_house

_BACKLOG = 1_024
_LOOK_S = 0.25
_OWNER_ONLY = 0o077
"""The journal holds variables of workloads: nobody else reads what the server writes."""


def serve(config: ServerConfig, *, as_json: bool = False) -> None:
    """Run until told to stop. Prints one line when it is ready: where it listens.

    Raises UserError for what it was given, JournalError where the journal does not verify, and
    UnavailableError when it had to stop by itself.
    """
    demand_safe(config)
    os.umask(_OWNER_ONLY)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("stargate").setLevel(logging.INFO)
    asyncio.run(_serve(config, as_json=as_json))


async def _serve(config: ServerConfig, *, as_json: bool) -> None:
    # First the port: where it is taken, nothing is opened and no agent started.
    with closing(_bound(config)) as listening:
        async with open_house(config) as house:
            await _listen(house, listening, as_json=as_json)
    if house.driver.failure:
        raise UnavailableError(house.driver.failure, "start the server again: it goes on from its journal")


async def _listen(house: House, listening: socket.socket, *, as_json: bool) -> None:
    """Until a signal, or until the house has failed."""
    server = _Server(house)
    url = _url(house.config.host, listening.getsockname()[1])
    with _announced(house.config, url), _signals(server):
        task = asyncio.create_task(server.serve(sockets=[listening]))
        _say(house, url, as_json=as_json)
        while not task.done():
            if house.driver.failure:
                server.should_exit = True
            await asyncio.wait([task], timeout=_LOOK_S)
        await task


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us: they are to stop the house, not only the listening."""

    def __init__(self, house: House) -> None:
        super().__init__(_settings(house))
        self._house = house

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Whoever waits for newer routes need not be waited for."""
        self._house.routing.release()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _settings(house: House) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(house),
        lifespan="off",
        loop="asyncio",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(house.config.limits.shutdown_s),
    )


def _bound(config: ServerConfig) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM
        )[0]
        listening = socket.socket(family, kind, proto)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        # From here on whoever is told the address gets through, and waits until there is an answer.
        listening.listen(_BACKLOG)
    except OSError as error:
        raise UserError(
            f"{config.host}:{config.port} cannot be listened on: {error.strerror or error}",
            "choose another --port, or stop what listens there",
        ) from error
    return listening


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _announced(config: ServerConfig, url: str) -> Iterator[None]:
    """As long as it runs, a file in the data folder tells the command line where."""
    write_private(config.address, wire.to_json({"url": url, "pid": os.getpid()}))
    try:
        yield
    finally:
        with suppress(OSError):
            config.address.unlink()


@contextmanager
def _signals(server: uvicorn.Server) -> Iterator[None]:
    """SIGTERM and SIGINT stop the server in good order; a second one at once."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _say(house: House, url: str, *, as_json: bool) -> None:
    config = house.config
    if as_json:
        line = wire.to_json({"url": url, "data": str(config.data), "pid": os.getpid()}).decode()
    else:
        line = f"Stargate listens on {url} (data: {config.data}, operator's key: {config.operator_key})"
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
