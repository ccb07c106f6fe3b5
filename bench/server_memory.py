"""Resident memory of the real server with the example infrastructure: `python bench/server_memory.py [--jobs N]`.

Target: under 150 MiB. Measured after the start, after every list and the OpenAPI document were read, and with N
submitted workloads (default 1,000). Only the server's own process counts; agents and jobs are the providers'.
Reads /proc, so Linux only. Ends with status 1 when the target is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

TARGET_MIB = 150.0
START_S = 60.0
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "stargate"
READ = (
    "status?digest=yes",
    "pools?limit=200",
    "needs",
    "offers",
    "leases",
    "journal?limit=200",
    "journal/verify",
    "facts",
)
JOB = "name: job\nresources: {accelerators: GB200:4}\nnum_nodes: 16\nrun: python train.py\ntime_limit: 12h\n"


def main() -> int:
    """Measure and report; 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1_000, help="workloads to submit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stargate-memory-") as folder:
        data = Path(folder)
        process = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "stargate.cli",
                    "up",
                    "--port",
                    "0",
                    "--stop-jobs",
                    "--data",
                    str(data),
                ),
                *("-i", str(EXAMPLE / "infrastructure"), "-a", str(EXAMPLE / "agreements")),
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            figures = _measure(process.pid, data, options.jobs)
        finally:
            process.terminate()
            process.wait(60)
    for name, mib in figures.items():
        print(f"{name:40} {mib:7.1f} MiB")
    print(json.dumps({"resident_mib": figures, "target_mib": TARGET_MIB}))
    return 0 if max(figures.values()) < TARGET_MIB else 1


def _measure(pid: int, data: Path, jobs: int) -> dict[str, float]:
    with _client(data) as client:
        figures = {"after the start": _resident_mib(pid)}
        client.get("/schema/openapi.json").raise_for_status()
        for path in READ:
            client.get(f"/v1/{path}").raise_for_status()
        figures["after every list was read"] = _resident_mib(pid)
        for number in range(jobs):
            client.post("/v1/workloads", json={"id": f"job{number}", "yaml": JOB}).raise_for_status()
        figures[f"with {jobs} workloads"] = _resident_mib(pid)
        figures["at its highest"] = _resident_mib(pid, "VmHWM")
    return figures


def _client(data: Path) -> httpx.Client:
    deadline = time.monotonic() + START_S
    while not (data / "server.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    url = json.loads((data / "server.json").read_text())["url"]
    key = (data / "operator.key").read_text().strip()
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False)


def _resident_mib(pid: int, field: str = "VmRSS") -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1_024
    raise AssertionError(f"no {field}")


if __name__ == "__main__":
    sys.exit(main())
