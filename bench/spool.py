"""What a durable record costs, measured here: `python -m bench.spool [--in FOLDER] [--rounds N] [--json FILE]`.

For 1, 16 and 64 writers in flight, each writing an admission and then its settlement, again and again: records a
second and CPU time a record (the loop's and the thread's together). Beside each, in turn: bare `write` and `fdatasync`
of the same bytes, packed beforehand, as many records at a time as there are writers: the most that can be gathered.

Figures are medians of the rounds. Wall times depend on the disk, and on who else uses it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from stargate.base import wire
from stargate.base.time import Instant
from stargate.gateway.metering import Spool
from stargate.gateway.record import Admitted, Settled, Tokens

WRITERS = (1, 16, 64)
USED = Tokens(412, 256, 96, 0)
SAID = b'{"prompt_tokens":412,"completion_tokens":96,"total_tokens":508,"prompt_tokens_details":{"cached_tokens":256}}'

Row = dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="how often")
    parser.add_argument("--in", dest="folder", metavar="FOLDER", default=".", help="on which disk")
    options = parser.parse_args()
    record_bytes = (len(wire.pack(admission(1))) + len(wire.pack(settlement(1)))) / 2
    print(f"{record_bytes:.0f} bytes a record")
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-spool-") as name:
        rows = [measured(Path(name), writers, options.seconds, options.rounds) for writers in WRITERS]
    for row in rows:
        print("  ".join(f"{key} {value:,.2f}" for key, value in row.items()))
    print(json.dumps(rows))
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def measured(folder: Path, writers: int, seconds: float, rounds: int) -> Row:
    """The spool and the bare disk in turn."""
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    for number in range(rounds):
        path = folder / f"bare-{writers}-{number}"
        turns = [(ours, partial(spooled, folder)), (bare, partial(written, path))]
        for figures, work in turns if number % 2 else reversed(turns):  # a disk may have credit to spend
            figures.append(timed(partial(work, writers, seconds)))
    rate, cpu_us = (statistics.median(column) for column in zip(*ours, strict=True))
    bare_rate, bare_cpu_us = (statistics.median(column) for column in zip(*bare, strict=True))
    return {
        "writers": writers,
        "records_per_s": rate,
        "cpu_us_per_record": cpu_us,
        "ms_per_record_waited": 1_000 * writers / rate,
        "bare_records_per_s": bare_rate,
        "bare_cpu_us_per_record": bare_cpu_us,
        "rate_ratio": statistics.median(a[0] / b[0] for a, b in zip(ours, bare, strict=True)),
    }


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """Records a second, and CPU microseconds a record."""
    wall, cpu = time.perf_counter(), time.process_time()
    records = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return records / wall, cpu / records * 1e6


def spooled(folder: Path, writers: int, seconds: float) -> int:
    """Records that a spool took."""
    return asyncio.run(_spooled(folder, writers, seconds))


async def _spooled(folder: Path, writers: int, seconds: float) -> int:
    spool = Spool.open(folder, Instant(time.time_ns() // 1_000))
    end = time.perf_counter() + seconds

    async def write() -> int:
        count = 0
        while time.perf_counter() < end:
            seq = spool.number()
            await spool.write(admission(seq))
            await spool.write(settlement(seq))
            count += 2
        return count

    counts = await asyncio.gather(*(write() for _ in range(writers)))
    await spool.close()
    return sum(counts)


def written(path: Path, writers: int, seconds: float) -> int:
    """Records that the disk took, packed beforehand, so many at a time as there are writers.

    By a thread that is told each time, as the spool's is: on a busy machine alone in a loop sleeps longer than two.
    """
    pair = wire.pack(admission(1)) + wire.pack(settlement(1))
    data = (pair * writers)[: len(pair) * writers // 2]
    told: SimpleQueue[bytes] = SimpleQueue()
    done: SimpleQueue[int] = SimpleQueue()
    end = time.perf_counter() + seconds
    with path.open("xb", buffering=0) as file, ThreadPoolExecutor(1) as pool:

        def work() -> None:
            while more := told.get():
                written = file.write(more)
                os.fdatasync(file.fileno())
                done.put(written)

        pool.submit(work)
        count = 0
        while time.perf_counter() < end:
            told.put(data)
            done.get()
            count += writers
        told.put(b"")
    return count


def admission(seq: int) -> Admitted:
    """As a gateway writes it."""
    return Admitted(
        seq, 1_795_355_846_890_246, "req_01JD8Z6T5N3KQ4X7YB2M9C0VWE", 0, "key-4f1c", "chat/completions", "lm-large",
        "lm-large.7.2", "9f86d081884c7d659a2feaa0", 1_204, Tokens(412, 0, 1_024, 0), 18_211,
    )  # fmt: skip


def settlement(seq: int) -> Settled:
    """As a gateway writes it."""
    return Settled(seq, 1_795_355_847_390_246, "done", 200, USED, "upstream", True, 81_220, 500_000, SAID)


if __name__ == "__main__":
    main()
