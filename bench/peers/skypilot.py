"""The same question to SkyPilot's optimizer: run by an interpreter that has skypilot installed, never imported by us.

`python skypilot.py OFFERS.json FOLDER` writes a catalog of exactly these offers into FOLDER, asks once to warm up and
then five times more, and prints the median CPU milliseconds and the price found.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

COLUMNS = (
    "InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "GpuInfo", "Price", "SpotPrice",
    "Region", "Arch",
)  # fmt: skip


def write_catalog(offers: list[dict[str, str]], root: Path) -> None:
    """One vms.csv for each cloud. Offers of one region are instance types of their own."""
    seen: dict[tuple[str, str], int] = {}
    files: dict[str, list[dict[str, str]]] = {}
    for offer in offers:
        key = (offer["provider"], offer["region"])
        seen[key] = seen.get(key, 0) + 1
        row = dict.fromkeys(COLUMNS, "") | {
            "InstanceType": f"h100x8-{seen[key]}",
            "AcceleratorName": "H100",
            "AcceleratorCount": "8",
            "vCPUs": "208",
            "MemoryGiB": "1800",
            "GpuInfo": "{'Gpus': [{'Name': 'H100', 'Count': 8.0, 'MemoryInfo': {'SizeInMiB': 81920}}]}",
            "Price": offer["price"],
            "Region": offer["region"],
            "Arch": "x86_64",
        }
        files.setdefault(offer["provider"], []).append(row)
    for cloud, rows in files.items():
        folder = root / ".sky" / "catalogs" / "v8" / cloud
        folder.mkdir(parents=True)
        with (folder / "vms.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    common = root / ".sky" / "catalogs" / "v8" / "common"
    common.mkdir(parents=True)
    (common / "accelerators.csv").write_text("AcceleratorName,Clouds\nH100," + '"' + str(list(files)) + '"\n')


def main() -> None:
    """Ask and print."""
    offers = json.loads(Path(sys.argv[1]).read_text())
    root = Path(sys.argv[2])
    write_catalog(offers, root)
    os.environ |= {"HOME": str(root), "SKY_RUNTIME_DIR": str(root), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
    import sky  # after the catalog is in place
    import sky.check
    import sky.optimizer

    clouds = [
        sky.utils.registry.CLOUD_REGISTRY.from_str(name)
        for name in dict.fromkeys(o["provider"] for o in offers)
    ]
    sky.check.get_cached_enabled_clouds_or_refresh = lambda *_, **__: clouds

    def once() -> tuple[float, Any]:
        with sky.Dag() as dag:
            task = sky.Task(run="true")
            task.set_resources(sky.Resources(accelerators="H100:8"))
        start = time.process_time()
        sky.optimizer.Optimizer.optimize(dag, quiet=True)
        return time.process_time() - start, task.best_resources

    once()
    taken = [once() for _ in range(5)]
    best = taken[-1][1]
    print(
        json.dumps(
            {
                "ms": statistics.median(t for t, _ in taken) * 1e3,
                "usd_per_hour": best.get_cost(3600),
                "best": str(best),
            }
        )
    )


if __name__ == "__main__":
    main()
