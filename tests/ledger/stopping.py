"""PostgreSQL stopped under load: `python -m tests.ledger.stopping [--seconds 300] [--least 5] [--most 40] [--seed 1]`.

Two processes put usage on record and rate it without a pause, while the server is stopped at once, as if it had
crashed, every 5 to 40 seconds, and started again. In the end all that was offered is offered once more, and the ledger
is compared with one that nobody disturbed. Prints its figures; exit code 1 where something was lost, or is there twice.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from stargate.ledger import Ledger, Store, open_store
from stargate.ledger.record.month import span_of
from stargate.ledger.verify import verify
from tests.ledger import writer
from tests.ledger.cluster import Cluster
from tests.ledger.making import BEGIN, MONTHS, closed, event, paper

SIZE = 50
BATCHES = 1_000_000
"""More than are ever written."""
AT_ONCE = 5_000
DOWN_S = 0.2


class Stopped(NamedTuple):
    """What came of it."""

    seconds: float
    stops: int
    acknowledged: int
    """Events of batches that were acknowledged while the server came and went."""
    found: int
    """Events on record then."""
    lost: int
    """Acknowledged, and not found."""
    offered: int
    """Events, each once, after the last batches were offered again."""
    recorded: int
    """Events on record in the end."""
    twice: int
    """Events whose name is on record more than once."""
    faults: int
    """Rows that do not verify."""
    alike: bool
    """Whether months close with the same roots and balances as in a ledger that nobody disturbed."""

    @property
    def ok(self) -> bool:
        """Nothing lost, nothing twice."""
        return not (self.lost or self.twice or self.faults) and self.alike and self.offered == self.recorded


def stopped(pause_s: tuple[float, float], seed: int, *, least: int = 1, seconds: float = 0.0) -> Stopped:
    """Load a server and stop it so often at least, and for so long, after pauses between two lengths; then look."""
    server = Cluster().start()
    try:
        where, chance = server.make(), random.Random(seed)
        begun = time.monotonic()
        with ExitStack() as stack:
            writers = [stack.enter_context(writer.running(where, number, BATCHES, SIZE)) for number in (1, 2)]
            heard: list[list[str]] = [[_line(process)] for process in writers]
            ears = [
                threading.Thread(target=said.extend, args=(process.stdout,))
                for said, process in zip(heard, writers, strict=True)
            ]
            for ear in ears:
                ear.start()
            stops = 0
            while stops < least or time.monotonic() - begun < seconds:
                time.sleep(chance.uniform(*pause_s))
                server.stop(signal.SIGQUIT)
                stops += 1
                time.sleep(chance.random() * DOWN_S)
                server.start()
            for process, ear in zip(writers, ears, strict=True):
                process.kill()
                ear.join()
        acknowledged = {int(line) for said in heard for line in said if line.endswith("\n")}
        took = time.monotonic() - begun
        store = open_store(where, durable=False)
        found, _ = _recorded(store)
        due = _keys(acknowledged)
        offered = due | found
        _offer(store, offered)
        recorded, rows = _recorded(store)
        alike = _state(store) == _undisturbed(offered)
        faults = len(verify(store.audit()).faults)
        store.close()
    finally:
        server.remove()
    return Stopped(
        seconds=took,
        stops=stops,
        acknowledged=len(due),
        found=len(found),
        lost=len(due - found),
        offered=len(offered),
        recorded=len(recorded),
        twice=rows - len(recorded),
        faults=faults,
        alike=alike,
    )


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _keys(batches: Iterable[int]) -> set[int]:
    """The numbers of events that batches hold."""
    return {one for number in batches for one in writer.numbers(number, SIZE)}


def _recorded(store: Store) -> tuple[set[int], int]:
    """The numbers of the events on record, and how many rows they are."""
    found = [int(one.key.removeprefix("event-")) for month in MONTHS for one in store.usage(span_of(month))]
    return set(found), len(found)


def _offer(store: Store, offered: set[int]) -> None:
    """Everything, once more."""
    every = sorted(offered)
    for first in range(0, len(every), AT_ONCE):
        taken = Ledger(store).take([event(number) for number in every[first : first + AT_ONCE]], BEGIN)
        assert not taken.refused


def _state(store: Store) -> tuple[dict[str, bytes], dict[str, int]]:
    return closed(store), store.balances()


def _undisturbed(offered: set[int]) -> tuple[dict[str, bytes], dict[str, int]]:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "ledger.sqlite", durable=False)
        Ledger(store).declare([paper()], (), BEGIN)
        _offer(store, offered)
        found = _state(store)
        store.close()
    return found


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="how long it is loaded")
    parser.add_argument("--least", type=float, default=5.0, help="seconds between two stops, at least")
    parser.add_argument("--most", type=float, default=40.0, help="seconds between two stops, at most")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = stopped((options.least, options.most), options.seed, seconds=options.seconds)
    for name, value in found._asdict().items():
        print(name, value if isinstance(value, bool) else f"{value:,.0f}")
    return 0 if found.ok else 1


if __name__ == "__main__":
    sys.exit(main())
