"""Run by an interpreter that has AccaSim 1.1.3: one SWF file on single cores, CPU seconds and completion.

`python accasim.py TRACE.swf CHIPS fifo|sjf|easy FOLDER`. AccaSim was written for Python 3.5 to 3.9: the names that
later ones moved are put back first. Its EASY does not keep the first job's reservation, so the starts differ there.
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
    found = {"cpu_s": round(time.process_time() - begun, 2)}
    ended = os.times()
    found["children_cpu_s"] = round(ended.children_user - children.children_user, 2)
    print(json.dumps(found | completions(Path(folder))))


def completions(folder: Path) -> dict[str, float]:
    """Jobs and average completion, of the rows that AccaSim wrote: id, user, submission__…, …, places, end, …"""
    found = []
    for path in folder.rglob("sched-*"):
        with path.open() as lines:
            for row in csv.reader(lines, delimiter=";"):
                submitted = datetime.fromisoformat(row[2].partition("__")[0])
                found.append((datetime.fromisoformat(row[-6]) - submitted).total_seconds())
    return {"jobs": len(found), "average_completion_s": round(sum(found) / max(1, len(found)), 3)}


if __name__ == "__main__":
    main()
