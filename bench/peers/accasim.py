"""Run by an interpreter that has AccaSim 1.1.3: one SWF file on single cores, CPU seconds and the start of each job.

`python accasim.py TRACE.swf CHIPS fifo|sjf|easy FOLDER`. AccaSim was written for Python 3.5 to 3.9: the names that
later ones moved are put back first. Its EASY does not keep the first job's reservation, so the starts differ there.
Second 0 has to be the first job's: it loses what it meets before.
"""

from __future__ import annotations

import collections
import collections.abc
import csv
import importlib
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path

for name in ("Mapping", "MutableMapping", "Sequence", "Iterable"):
    setattr(collections, name, getattr(collections.abc, name))
# This folder holds a file of the package's own name.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]

SCHEDULERS = {"fifo": "FirstInFirstOut", "sjf": "ShortestJobFirst", "easy": "EASYBackfilling"}


def main() -> None:
    """Simulate, and print one line of JSON."""
    allocators, schedulers, simulators = (
        importlib.import_module(f"accasim.base.{name}_class")
        for name in ("allocator", "scheduler", "simulator")
    )
    trace, chips, policy, folder = sys.argv[1:5]
    system = Path(folder) / "system.json"
    system.write_text(
        json.dumps(
            {
                "system_name": "flat",
                "start_time": 0,
                "equivalence": {"processor": {"core": 1}},
                "groups": {"one": {"core": 1, "mem": 1 << 40}},
                "resources": {"one": int(chips)},
            }
        )
    )
    begun, children = time.process_time(), os.times()
    scheduler = getattr(schedulers, SCHEDULERS[policy])(allocators.FirstFit())
    simulator = simulators.Simulator(
        trace, str(system), scheduler, statistics_output=False, show_statistics=False,
        RESULTS_FOLDER_PATH=folder,
    )  # fmt: skip
    simulator.start_simulation()
    found = {"cpu_s": time.process_time() - begun, "starts": starts(Path(folder))}
    ended = os.times()
    found["writer_cpu_s"] = ended.children_user - children.children_user
    print(json.dumps(found))


def starts(folder: Path) -> dict[str, int]:
    """Of the rows that AccaSim wrote: id, user, submission__place, …, place__start, end, and five cells more."""
    zero = datetime(1970, 1, 1)  # noqa: DTZ001 - as it writes them
    found = {}
    for path in folder.rglob("sched-*"):
        with path.open() as lines:
            for row in csv.reader(lines, delimiter=";"):
                start = datetime.fromisoformat(row[-7].rpartition("__")[2])
                found[row[0]] = int((start - zero).total_seconds())
    return found


if __name__ == "__main__":
    main()
