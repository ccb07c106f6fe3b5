"""A real server process with real jobs: started, asked over HTTP, and killed."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from stargate.engines.local import agents, retire
from tests.server.world import POLICY

READY_S = 45.0
STOP_S = 30.0

INFRASTRUCTURE = """
parties: [{id: lab, kind: lab}, {id: acme}, {id: zeta}]
providers: [{id: acme, party: acme}, {id: zeta, party: zeta}]
sites: [{id: texas, jurisdiction: US-TX}]
pools:
  - &pool
    {id: acme-h100, provider: acme, site: texas, chip: H100-SXM, tenure: owned, chips_per_node: 8,
     nodes: [{from: 2024-01-01, nodes: 6}], engine: {kind: local}}
  - {<<: *pool, id: zeta-h100, provider: zeta}
"""

SCRIPT = """
echo "$STARGATE_RANK" >> "$STARTS/$STARGATE_ATTEMPT"
first=1
test -f "$STARGATE_CHECKPOINT_DIR/step" && first=$(( $(cat "$STARGATE_CHECKPOINT_DIR/step") + 1 ))
for step in $(seq "$first" "$STEPS"); do
  sleep 0.1
  echo "rank $STARGATE_RANK step $step"
  test "$STARGATE_RANK" = 0 || continue
  echo "$step" > "$STARGATE_CHECKPOINT_DIR/.step" && mv "$STARGATE_CHECKPOINT_DIR/.step" "$STARGATE_CHECKPOINT_DIR/step"
  echo "{\\"step\\": $step, \\"first_step\\": $first, \\"checkpoint_step\\": $step, \\"total_steps\\": $STEPS}" \
    > "$STARGATE_PROGRESS_FILE.new" && mv "$STARGATE_PROGRESS_FILE.new" "$STARGATE_PROGRESS_FILE"
done
"""


class RealServer:
    """One data folder, and the server process that runs on it now, if any."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.data = folder / "data"
        self.starts = folder / "starts"
        self.starts.mkdir(parents=True)
        (folder / "infrastructure.yaml").write_text(INFRASTRUCTURE)
        (folder / "policy.yaml").write_text(POLICY)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [
            *(sys.executable, "-m", "stargate.cli", "up", "--data", str(self.data), "--port", str(self.port)),
            *("-i", str(folder / "infrastructure.yaml"), "-p", str(folder / "policy.yaml"), *options),
        ]
        self._log = (folder / "server.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start; returns at once."""
        self.process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log)

    def await_ready(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log()}"
            try:
                if httpx.get(f"{self.url}/health", timeout=2, trust_env=False).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(f"the server does not answer:\n{self.log()}")

    def kill(self) -> None:
        """SIGKILL, at whatever it is doing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_S)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop in good order; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(STOP_S)

    def close(self) -> None:
        """End everything: the server, its agents, all they run."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for provider in agents(self.data / "local"):
            asyncio.run(retire(self.data / "local", provider, 1.0))
        self._log.close()

    def client(self, timeout: float = 10.0) -> httpx.Client:
        """The operator."""
        key = (self.data / "operator.key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=timeout, trust_env=False)

    def get(self, path: str, **query: Any) -> Any:
        """The answer to a request that works."""
        with self.client() as client:
            answer = client.get(path, params=query)
            assert answer.is_success, answer.text
            return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        """The same."""
        with self.client() as client:
            answer = client.post(path, json={} if body is None else body)
            assert answer.is_success, answer.text
            return answer.json()

    def log(self) -> str:
        """What it printed last."""
        self._log.flush()
        return Path(self._log.name).read_text(errors="replace")[-4_000:]

    def job(self, id: str, steps: int = 5, nodes: int = 1) -> dict[str, Any]:
        """The body that submits a job which says in a file that it started, and saves every step."""
        workload = {
            "name": "job",
            "kind": "train",
            "nodes": nodes,
            "alternatives": [{"chip": "H100", "chips_per_node": 8}],
            "checkpoint": {"path": "ckpt"},
            "envs": {"STARTS": str(self.starts), "STEPS": str(steps)},
            "run": SCRIPT,
        }
        return {"id": id, "workload": workload}

    def await_end(self, id: str, limit_s: float = 60.0) -> dict[str, Any]:
        """The workload, once it has ended."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.get(f"/v1/workloads/{id}")
            if found["status"] in {"succeeded", "failed", "cancelled"}:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{id} does not end: {json.dumps(found, indent=1)}")

    def processes(self) -> list[int]:
        """Every process that belongs to an attempt of this server."""
        mark = f"STARGATE_RUN_DIR={self.data.resolve()}/".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def lines(self) -> Iterator[tuple[str, list[int]]]:
        """Each attempt that ever started, with one number for every start of a rank."""
        for path in sorted(self.starts.iterdir()):
            yield path.name, [int(line) for line in path.read_text().split()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
