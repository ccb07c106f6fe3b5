"""A Ray cluster as the place where a sweep runs. Ray is not needed for anything else, and need not be installed."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import stargate
from stargate.base.errors import EngineError, UserError
from stargate.rehearsal.sweep.grid import Point
from stargate.rehearsal.sweep.run import Coming, Ran, Rehearsal, once

NAMESPACE = "stargate-sweep"
PATIENCE_S = 5.0
"""For a head node to take a connection."""
SENT_LIMIT = 1_000
"""Runs that the cluster knows of at a time: it queues what it has no room for."""


class Ray:
    """A cluster by its address: `host:port` or `auto` on a node of it, `ray://head:10001` from outside, `local`.

    This package goes along with the work; its dependencies, the same Python and the same Ray must be on the nodes, and
    a scenario's files where all of them see them, under the same path.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def run(self, rehearsal: Rehearsal, runs: Sequence[tuple[Point, int]]) -> Coming:
        """As they end. Raises UserError where Ray is not installed here, EngineError where the cluster fails."""
        ray = _ray()
        _reach(self.address)
        try:
            with ray.init(
                address=self.address,
                namespace=NAMESPACE,
                runtime_env={"py_modules": [str(Path(stargate.__file__).parent)]},
                log_to_driver=False,
                logging_level=logging.ERROR,
            ):
                task = ray.remote(once)
                waiting: dict[Any, int] = {}
                sent = 0
                while sent < len(runs) or waiting:
                    while sent < len(runs) and len(waiting) < SENT_LIMIT:
                        waiting[task.remote(rehearsal, *runs[sent])] = sent
                        sent += 1
                    (done, *_), _ = ray.wait(list(waiting), num_returns=1)
                    place = waiting.pop(done)
                    yield place, _answer(ray, done, runs[place])
        except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError) as error:
            raise EngineError(
                f"the Ray cluster at {self.address} failed: {' '.join(str(error).split())}",
                "check the address, and that this machine is a node of it; or sweep here, without --ray",
            ) from error


def _reach(address: str) -> None:
    """Ray itself tries an address where nobody is for minutes. Raises EngineError."""
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), PATIENCE_S).close()
    except (OSError, OverflowError) as error:
        remedy = "check the address: a head node listens at its --port, 6379 unless told otherwise"
        raise EngineError(f"no Ray cluster answers at {address}: {error}", remedy) from None


def _answer(ray: Any, done: Any, run: tuple[Point, int]) -> Ran:
    """A run whose worker died, again and again, is lost by itself; the cluster may be well."""
    try:
        found: Ran = ray.get(done)
    except (
        ray.exceptions.RayTaskError,
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.OutOfMemoryError,
    ) as error:
        point, seed = run
        last = str(error).strip().splitlines()[-1]
        return Ran(point, seed, error=f"its Ray worker failed: {last}. Look at the log of that worker.")
    return found


def _ray() -> Any:
    try:
        return import_module("ray")
    except ImportError:
        raise UserError(
            "a sweep on a Ray cluster needs Ray, and it is not installed here",
            "install `ray` in the version that the cluster runs, or sweep here without --ray",
        ) from None
