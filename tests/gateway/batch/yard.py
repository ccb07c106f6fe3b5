"""A plant that runs batches: with pools of its own for their runners, and the official client to ask it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from openai import DefaultHttpxClient, OpenAI
from openai.types import Batch

from tests.gateway.plant import NODE, Plant, pooled, running
from tests.gateway.provider import Process, free_port

POLICY = "policy: {lab: openai, sourcing: {automatic: false}, recovery: {backoff: 10ms, stop_grace: 5s}}\n"
ENDED = {"completed", "failed", "expired", "cancelled"}
END_S = 60.0
RUNNER = "stargate.gateway.batch"


class Yard(Plant):
    """Of two providers, each with a mock and four chips."""

    def __init__(self, folder: Path) -> None:
        mocks = {"azure": Process(), "oci": Process()}
        urls = {name: mock.url for name, mock in mocks.items()}
        super().__init__(folder, pooled(4).format(**urls), mocks, POLICY)
        self.ports[NODE] = free_port()
        self._clients: list[DefaultHttpxClient] = []

    def start_server(self) -> None:
        """With the address at which runners reach the gateway."""
        self._server = self._run(
            "up", "--data", "plane", "--infrastructure", "infrastructure.yaml", "--policy", "policy.yaml",
            "--port", str(self.server_port), "--gateway", self.url,
        )  # fmt: skip
        self.wait(lambda: self.ask("/health", plane=True)[0] == 200)

    def client(self, name: str, **scope: Any) -> OpenAI:
        """The official client, with a new key that the gateway knows."""
        token = self.key(name, **{"product": "chatgpt", **scope})
        self.wait(lambda: all(self.ask("/v1/models", token=token)[0] == 200 for _ in range(8)))
        http = DefaultHttpxClient(trust_env=False, timeout=60)
        self._clients.append(http)
        return OpenAI(base_url=self.url, api_key=token, max_retries=4, http_client=http)

    def close(self) -> None:
        """Clients first."""
        for http in self._clients:
            http.close()
        super().close()

    def runners(self) -> list[psutil.Process]:
        """Runners of batches that run now."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            if (process.info["cmdline"] or [])[1:3] == ["-m", RUNNER]:
                try:
                    if process.environ()["STARGATE_RUN_DIR"].startswith(str(self.folder.resolve())):
                        found.append(process)
                except (psutil.Error, KeyError):
                    continue
        return found

    def await_runner(self) -> psutil.Process:
        """One that runs."""
        self.wait(self.runners)
        return self.runners()[0]


def line(id: str, script: str = "", **changes: Any) -> dict[str, Any]:
    """A request for the mock; `script` says how it plays."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": f"Say {id}"}]}
    if script:
        body["mock"] = script
    return {"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body} | changes


def text(lines: Iterable[Any]) -> bytes:
    """A file of them."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def begin(client: OpenAI, content: bytes, **changes: Any) -> Batch:
    """Upload it, and have it answered."""
    file = client.files.create(file=("input.jsonl", content), purpose="batch")
    return client.batches.create(
        **{
            "input_file_id": file.id,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            **changes,
        }
    )


def ended(client: OpenAI, id: str, limit_s: float = END_S) -> Batch:
    """The batch, once it is over."""
    deadline = time.monotonic() + limit_s
    while True:
        found = client.batches.retrieve(id)
        if found.status in ENDED:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def lines(client: OpenAI, id: str | None) -> list[dict[str, Any]]:
    """Of a file; none where there is no file."""
    if id is None:
        return []
    return [json.loads(each) for each in client.files.content(id).text.splitlines()]


@contextmanager
def yard(folder: Path) -> Iterator[Yard]:
    """Started."""
    made = Yard(folder)
    with running(made):
        yield made
