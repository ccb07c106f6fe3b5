"""A loop whose time passes when nobody has anything to do: minutes of a simulation take no minutes."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Skipping(selectors.DefaultSelector):
    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout:
            self.skipped_s += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """Threads run at once, in this one."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return 1_000.0 + self._skipping.skipped_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # as an executor does
            future.set_exception(error)
        return future


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """In a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def clock_us() -> int:
    """Microseconds since 1970, as they pass there."""
    return 1_700_000_000_000_000 + int(asyncio.get_running_loop().time() * 1e6)
