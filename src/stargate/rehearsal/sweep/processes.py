"""This machine as the place where a sweep runs: so many processes at once."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from stargate.rehearsal.sweep.grid import Point
from stargate.rehearsal.sweep.run import Coming, Ran, Rehearsal, once

_SPAWN = multiprocessing.get_context("spawn")


class Processes:
    """Processes that are started afresh, each with one run at a time. One that is killed loses its run and no other."""

    def __init__(self, workers: int) -> None:
        assert workers > 0, "somebody works"
        self.workers = workers

    def run(self, rehearsal: Rehearsal, runs: Sequence[tuple[Point, int]]) -> Coming:
        """As they end. When it is closed, the processes are ended."""
        waiting = deque(range(len(runs)))
        busy: dict[Connection, _Worker] = {}

        def begin(worker: _Worker) -> None:
            worker.place = waiting.popleft()
            worker.pipe.send(runs[worker.place])
            busy[worker.pipe] = worker

        try:
            for _ in range(min(self.workers, len(runs))):
                begin(_Worker(rehearsal))
            while busy:
                for pipe in wait(list(busy)):
                    assert isinstance(pipe, Connection), "pipes are waited for"
                    worker = busy.pop(pipe)
                    place, ran = worker.place, worker.answer(runs[worker.place])
                    if waiting:
                        begin(worker if worker.lives else _Worker(rehearsal))
                    else:
                        worker.end()
                    yield place, ran
        finally:
            for worker in busy.values():
                worker.end()


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self.lives = True
        self.place = -1
        self._process: BaseProcess = _SPAWN.Process(target=_work, args=(theirs, rehearsal), daemon=True)
        with _interrupts_ignored():
            self._process.start()
        theirs.close()

    def answer(self, run: tuple[Point, int]) -> Ran:
        """What has come of its run, once its pipe is ready."""
        try:
            found: Ran = self.pipe.recv()
        except (EOFError, OSError):
            self.end()
            how = self._process.exitcode or 0
            said = f"was killed by signal {-how}" if how < 0 else f"ended with {how}"
            point, seed = run
            return Ran(
                point,
                seed,
                error=f"its process {said}. It may have run out of memory: sweep with fewer workers.",
            )
        return found

    def end(self) -> None:
        """At once, whatever it does."""
        self.lives = False
        self.pipe.close()
        self._process.kill()
        self._process.join()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """What is started here ignores Ctrl-C: who started it ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(pipe: Connection, rehearsal: Rehearsal) -> None:
    """One run after the other, until nobody asks for more."""
    while True:
        try:
            point, seed = pipe.recv()
            pipe.send(once(rehearsal, point, seed))
        except (EOFError, OSError):
            return
