"""A Ray cluster as the place where a sweep runs. Ray is not needed for anything else, and need not be installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import stargate
from stargate.base.errors import EngineError, UserError
from stargate.rehearsal.sweep.grid import Point
from stargate.rehearsal.sweep.run import Ran, Rehearsal, once

NAMESPACE = "stargate-sweep"


class Ray:
    """A cluster by its address: `ray://head:10001` from outside, `auto` or `host:port` from a node of it, `local`.

    This package goes along with the work; its dependencies and the same release of Python must be on the nodes, and a
    scenario's files where all of them see them, under the same path.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def run(self, rehearsal: Rehearsal, runs: Sequence[tuple[Point, int]]) -> Iterator[tuple[int, Ran]]:
        """Raises UserError where Ray is not installed here, EngineError where the cluster fails."""
        ray = _ray()
        package = str(Path(stargate.__file__).parent)
        try:
            with ray.init(
                address=self.address,
                namespace=NAMESPACE,
                runtime_env={"py_modules": [package]},
                log_to_driver=False,
            ):
                task = ray.remote(once)
                waiting = {
                    task.remote(rehearsal, point, seed): place for place, (point, seed) in enumerate(runs)
                }
                while waiting:
                    (done, *_), _ = ray.wait(list(waiting), num_returns=1)
                    yield waiting.pop(done), ray.get(done)
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise EngineError(
                f"the Ray cluster at {self.address} failed: {error}",
                "look at its dashboard, or sweep here without --ray",
            ) from error


def _ray() -> Any:
    try:
        return import_module("ray")
    except ImportError:
        raise UserError(
            "a sweep on a Ray cluster needs Ray, and it is not installed here",
            "install `ray` in the version that the cluster runs, or sweep here without --ray",
        ) from None
