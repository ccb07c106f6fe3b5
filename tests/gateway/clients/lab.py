"""A lab that serves two models from two providers each: a real small one on replicas of its own, and a mocked one."""

from __future__ import annotations

import re
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from stargate import workloads
from stargate.base import wire
from stargate.server.request_log import Filed
from tests.gateway.plant import Plant, pooled, running
from tests.gateway.provider import Process

REAL = "smollm2"
MOCKED = "tiny"
SERVICE = """
name: smollm2
kind: serve
team: product
resources: {accelerators: H100:1}
service:
  readiness_probe: {path: /health, initial_delay_seconds: 60}
  replicas: 2
run: >
  exec python -m stargate.demo.llama --name smollm2 --port "$PORT" --threads 1 --parallel 16 --context-tokens 256
"""
READY_S = 90.0
ASKED_OFTEN = 8
"""A connection goes to any worker: after so many in a row all know."""


class Replica:
    """One of the real model's: a process of this machine."""

    def __init__(self, process: psutil.Process, port: int) -> None:
        self.process = process
        self.provider = process.environ()["STARGATE_PROVIDER"]
        self._port = port

    def figure(self, name: str) -> int:
        """One of llama.cpp's own counters."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"http://127.0.0.1:{self._port}/metrics", timeout=30) as answer:
            said = answer.read().decode()
        found = re.search(rf"^llamacpp:{name} (\d+)", said, re.MULTILINE)
        assert found is not None, said
        return int(found.group(1))

    def tokens(self) -> tuple[int, int]:
        """Of prompts, as far as no cache knew them, and of answers, once it has nothing more to do."""
        deadline = time.monotonic() + READY_S
        while self.figure("requests_processing") + self.figure("requests_deferred"):
            assert time.monotonic() < deadline, "it is never done"
            time.sleep(0.05)
        return self.figure("prompt_tokens_total"), self.figure("tokens_predicted_total")

    def kill(self) -> None:
        """SIGKILL, at whatever it is doing; it is gone afterwards."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(READY_S)


class Lab(Plant):
    """A plant with them."""

    def __init__(self, folder: Path) -> None:
        mocks = {"azure": Process(), "oci": Process()}
        urls = {name: mock.url for name, mock in mocks.items()}
        super().__init__(folder, pooled(1).format(**urls), mocks)
        self._looker = ""

    def serve(self) -> None:
        """Start the real model's replicas, and wait until both answer."""
        workload = wire.to_plain(workloads.parse(SERVICE, "service"))
        status, said = self.ask("/v1/workloads", {"workload": workload}, plane=True)
        assert status == 201, said
        self.await_replicas()

    def await_replicas(self) -> None:
        """Until the model answers on both providers, and the gateway knows."""
        self.wait(lambda: self._ready() == {("azure", 1), ("oci", 1)}, READY_S)
        if not self._looker:
            self._looker = self.application("look")
        self.wait(lambda: self.ask(f"/v1/models/{REAL}", token=self._looker)[0] == 200)

    def _ready(self) -> set[tuple[str, int]]:
        _, page = self.ask("/v1/models", plane=True)
        (model,) = (each for each in page["items"] if each["id"] == REAL)
        return {(place["provider"], place["endpoints"]) for place in model["places"]}

    def application(self, name: str, **scope: Any) -> str:
        """A new key of an application, once the gateway knows it."""
        token = self.key(name, **{"product": "chatgpt", **scope})
        self.wait(lambda: all(self.ask("/v1/models", token=token)[0] == 200 for _ in range(ASKED_OFTEN)))
        return token

    def record(self, request: str) -> Filed:
        """Of the one attempt that there was, once it has arrived."""
        self.wait(lambda: f"{request}.0" in self.filed())
        return self.filed()[f"{request}.0"]

    def replicas(self) -> dict[str, Replica]:
        """Those that run, by provider."""
        found = {}
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if words[1:3] == ["-m", "stargate.demo.llama"] and self._mine(process):
                replica = Replica(process, int(words[words.index("--port") + 1]))
                found[replica.provider] = replica
        return found

    def _mine(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("STARGATE_RUN_DIR", "").startswith(str(self.folder.resolve()))
        except psutil.Error:
            return False


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """Started, and serving."""
    made = Lab(folder)
    with running(made):
        made.serve()
        yield made
