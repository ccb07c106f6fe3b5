"""A process that writes a ledger until all is on record: `python -m tests.ledger.writer WHERE SEED BATCHES SIZE`.

Sends every batch, in an order of its own, and again whatever got no answer; says the number of each batch that was
acknowledged.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator

from stargate.base.errors import LedgerError
from stargate.ledger import Ledger, open_store
from tests.ledger.making import BEGIN, event, paper

PATIENCE_S = 100.0


def write(where: str, seed: int, batches: int, size: int) -> Iterator[int]:
    """The numbers of batches, as they are acknowledged."""
    order = random.Random(seed).sample(range(batches), batches)
    ledger = opened(where)
    deadline = time.monotonic() + PATIENCE_S
    while order:
        number = order[-1]
        try:
            ledger.declare([paper()], (), BEGIN)
            taken = ledger.take([event(one) for one in numbers(number, size)], BEGIN)
            assert not taken.refused
            if seed % 2:
                ledger.rate(BEGIN)
        except LedgerError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            deadline = time.monotonic() + PATIENCE_S
            yield order.pop()
    ledger.store.close()


def numbers(batch: int, size: int) -> range:
    """The events of a batch. Neighbours overlap: some of each batch is on record already."""
    return range(batch * size, batch * size + size + 2)


def opened(where: str) -> Ledger:
    """The ledger, as soon as it can be opened."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return Ledger(open_store(where))
        except LedgerError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextlib.contextmanager
def running(where: str, seed: int, batches: int, size: int) -> Iterator[subprocess.Popen[str]]:
    """The process, for a while: it is killed in the end, if it has not ended."""
    words = [sys.executable, "-m", "tests.ledger.writer", where, str(seed), str(batches), str(size)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    for done in write(sys.argv[1], *(int(word) for word in sys.argv[2:])):
        print(done, flush=True)
