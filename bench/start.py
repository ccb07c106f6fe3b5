"""How fast Stargate starts: `python -m bench.start [--json]`. Wall and CPU time of whole processes, medians.

Targets: `import stargate` under 0.15 s, `stargate --help` under 0.2 s, and what
a gateway's worker imports under 1 s. The floor is an interpreter that does nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

TARGETS_S = {"import stargate": 0.15, "stargate --help": 0.2, "a gateway's worker": 1.0}
COMMANDS = {
    "nothing": ["-c", "pass"],
    "import stargate": ["-c", "import stargate"],
    "import stargate.broker": ["-c", "import stargate.broker"],
    "stargate --help": ["-m", "stargate.cli", "--help"],
    "a gateway's worker": ["-c", "import stargate.gateway.serving.worker"],
}


def measure(arguments: list[str], rounds: int) -> dict[str, float]:
    """Median seconds of wall and CPU."""
    walls, cpus = [], []
    for _ in range(rounds):
        before, start = os.times(), time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        walls.append(time.perf_counter() - start)
        after = os.times()
        cpus.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    return {"wall_s": statistics.median(walls), "cpu_s": statistics.median(cpus)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = {name: measure(arguments, given.rounds) for name, arguments in COMMANDS.items()}
    if given.json:
        print(json.dumps(found))
        return
    for name, times in found.items():
        target = f"   (target < {TARGETS_S[name]} s wall)" if name in TARGETS_S else ""
        print(f"  {name:<24}{times['wall_s']:8.3f} s wall {times['cpu_s']:8.3f} s CPU{target}")


if __name__ == "__main__":
    main()
