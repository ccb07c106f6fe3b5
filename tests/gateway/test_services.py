"""Services as they are run: replicas that are processes, a control plane, a gateway's host of two workers."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from stargate.base import wire
from stargate.gateway.record import Busy, Load
from tests.gateway.plant import NODE, ROOT, Plant, running

pytestmark = pytest.mark.slow

INFRASTRUCTURE = """
parties: [{id: openai, kind: lab}]
providers: [{id: own, party: openai}]
sites: [{id: iowa, jurisdiction: US-IA}]
pools:
  - {id: own-h100, provider: own, site: iowa, chip: H100-SXM, tenure: owned, chips_per_node: 1,
     nodes: [{from: 2024-01-01, nodes: 4}], engine: {kind: local}}
"""
STREAMS = 16
_LOAD = wire.unpacker(Load)


def service(replicas: str, mode: str = "", delay_s: int = 60) -> str:
    """Its file. Answers are played as the mode says."""
    return "\n".join(
        (
            "{name: chat, kind: serve, model: tiny, resources: {accelerators: H100:1},",
            f"service: {{{replicas}, readiness_probe: {{path: /health, initial_delay_seconds: {delay_s}}}}},",
            f"envs: {{PYTHONPATH: '{ROOT / 'src'}:{ROOT}', MODE: '{mode}'}},",
            f"run: 'exec {sys.executable} -m tests.gateway.provider --port $PORT --mode \"$MODE\"'}}",
        )
    )


class Services(Plant):
    """Replicas are mocks that end at once when they are told to, whatever they have open."""

    def __init__(self, folder: Path) -> None:
        policy = "policy: {lab: openai, recovery: {stop_grace: 30s}, sourcing: {automatic: false}}\n"
        super().__init__(folder, INFRASTRUCTURE, {}, policy)
        self.token = ""

    def serve(self, replicas: str) -> None:
        """The service `chat`, of the model `tiny`, with these replicas."""
        body = {"id": "chat", "yaml": service(replicas)}
        status, said = self.ask("/v1/workloads", body, plane=True)
        assert status == 201, said
        self.token = self.token or self.key("app", product="chat")
        self.wait(lambda: self.models() == ["tiny"])

    def rollout(self) -> str:
        """How far a new version is."""
        said: str = self.shown().get("rollout", "")
        return said

    def shown(self) -> dict[str, Any]:
        """The service."""
        found: dict[str, Any] = self.ask("/v1/workloads/chat", plane=True)[1]
        return found

    def models(self) -> list[str]:
        status, said = self.ask("/v1/models", token=self.token)
        return [each["id"] for each in said["data"]] if status == 200 else []

    def attempts(self) -> dict[str, str]:
        """Status of each."""
        shown = self.ask("/v1/workloads/chat", plane=True)[1]
        return {each["id"]: each["status"] for each in shown["attempts"]}

    def endpoints(self) -> set[str]:
        """Those that get new requests."""
        return {each["id"] for each in self.routes() if not each.get("draining")}

    def routes(self) -> list[dict[str, Any]]:
        """Where the control plane says that requests may be sent."""
        found: list[dict[str, Any]] = self.ask("/v1/gateway/routes", plane=True)[1].get("endpoints", [])
        return found

    def workers_told(self) -> list[Load]:
        """What the gateway's workers tell of themselves."""
        folder = self.folder / f"gateway-{NODE}" / "load"
        return [_LOAD.decode(path.read_bytes()) for path in folder.glob("[!.]*")]

    def await_endpoints(self, *names: str) -> None:
        """Until these, and no others, get new requests, and all workers know."""
        self.wait(lambda: self.endpoints() == set(names))
        version = self.ask("/v1/gateway/routes", plane=True)[1]["version"]
        self.wait(lambda: [load.routes >= version for load in self.workers_told()] == [True, True])

    def open(self, endpoint: str) -> int:
        """Requests that are open at a replica."""
        return sum(load.endpoints.get(endpoint, Busy()).open for load in self.workers_told())

    def chat(self, **more: Any) -> tuple[int, Any]:
        """One request."""
        messages = [{"role": "user", "content": "Say something"}]
        return self.ask(
            "/v1/chat/completions", {"model": "tiny", "messages": messages, **more}, token=self.token
        )

    def stream(self, mode: str) -> tuple[int, bool]:
        """How many words a stream had, and whether it came to its end."""
        body = {
            "model": "tiny",
            "messages": [{"role": "user", "content": "Go on"}],
            "stream": True,
            "mock": mode,
        }
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        url = f"http://127.0.0.1:{self.ports[NODE]}/v1/chat/completions"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        words, ended = 0, False
        with direct.open(
            urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=60
        ) as answer:
            for line in answer:
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    ended = True
                elif line.startswith(b"data:"):
                    event = json.loads(data)
                    assert "error" not in event, event
                    words += sum(bool(each["delta"].get("content")) for each in event["choices"])
        return words, ended

    def served(self) -> Counter[str]:
        """Requests that are on record, by the replica that answered them."""
        return Counter(each.admitted.endpoint for each in self.filed().values())


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = Services(tmp_path)
    with running(made):
        yield made


def test_a_replica_that_is_scaled_away_finishes_its_streams(services: Services) -> None:
    services.serve("replicas: 2")
    services.await_endpoints("chat.0.1", "chat.1.1")
    with ThreadPoolExecutor(STREAMS) as threads:
        streams = [threads.submit(services.stream, "tokens=50&pace_ms=100") for _ in range(STREAMS)]
        services.wait(lambda: services.open("chat.0.1") + services.open("chat.1.1") == STREAMS)
        assert services.open("chat.1.1") > 2
        status, said = services.ask("/v1/workloads/chat/scale", {"replicas": 1}, plane=True)
        assert status == 200, said
        services.await_endpoints("chat.0.1")
        before = services.attempts()
        after = [services.chat(max_tokens=1)[0] for _ in range(20)]
        assert not any(stream.done() for stream in streams), "all of this happens while they are open"
        assert before["chat.1.1"] == "stopping", "it is not asked to end while it answers"
        assert services.attempts()["chat.1.1"] == "stopping"
        assert after == [200] * 20, "new ones go elsewhere"
        assert [stream.result() for stream in streams] == [(50, True)] * STREAMS
    services.wait(lambda: services.attempts()["chat.1.1"] == "ended")
    services.wait(lambda: services.served().total() == STREAMS + 20)
    assert services.served()["chat.1.1"] < STREAMS, "it got none of the later ones"
    assert {each.settled.outcome for each in services.filed().values()} == {"done"}


def test_a_model_is_scaled_to_zero_and_woken_by_who_asks(services: Services) -> None:
    services.serve("replica_policy: {min_replicas: 0, max_replicas: 2, downscale_delay_seconds: 3}")
    assert services.attempts() == {}, "nothing is started before somebody asks"
    with ThreadPoolExecutor(4) as threads:
        first = [threads.submit(services.chat) for _ in range(3)] + [
            threads.submit(services.stream, "tokens=5")
        ]
        assert [each.result()[0] for each in first[:3]] == [200, 200, 200]
        assert first[3].result() == (5, True)
    assert services.attempts() == {"chat.0.1": "running"}
    services.wait(lambda: services.attempts() == {"chat.0.1": "ended"})
    assert services.models() == ["tiny"], "it can be asked for still"
    assert services.chat()[0] == 200
    assert services.attempts() == {"chat.0.1": "ended", "chat.0.2": "running"}
    services.wait(lambda: services.served() == {"chat.0.1": 4, "chat.0.2": 1})


def test_a_new_version_takes_the_place_of_the_old_one_and_no_request_is_lost(services: Services) -> None:
    services.serve("replicas: 2")
    services.await_endpoints("chat.0.1", "chat.1.1")
    ended = threading.Event()
    with ThreadPoolExecutor(6) as threads:
        streams = [
            threads.submit(_until, ended, lambda: services.stream("tokens=20&pace_ms=50")) for _ in range(4)
        ]
        calls = [threads.submit(_until, ended, lambda: services.chat(max_tokens=1)[0]) for _ in range(2)]
        try:
            body = {"yaml": service("replicas: 2", "play=comments")}
            assert services.ask("/v1/workloads/chat/revise", body, plane=True)[0] == 200
            services.wait(lambda: not services.rollout())
        finally:
            ended.set()
    assert "given_up" not in services.shown()
    services.await_endpoints("chat.0.2", "chat.1.2")
    assert {each for call in calls for each in call.result()} == {200}
    assert {each for stream in streams for each in stream.result()} == {(20, True)}
    outcomes = Counter(each.settled.outcome for each in services.filed().values())
    assert set(outcomes) == {"done"}
    assert services.ask("/v1/workloads/chat", plane=True)[1]["replicas"] == 2


def test_a_version_that_ends_by_itself_is_given_up_while_the_old_one_serves(services: Services) -> None:
    services.serve("replicas: 1")
    services.await_endpoints("chat.0.1")
    body = {"yaml": service("replicas: 1", "play=nonsense")}
    assert services.ask("/v1/workloads/chat/revise", body, plane=True)[0] == 200
    services.wait(lambda: "have ended by themselves" in services.shown().get("given_up", ""))
    assert services.chat()[0] == 200
    services.wait(lambda: set(services.attempts().values()) == {"running", "ended"})
    assert services.attempts()["chat.0.1"] == "running"
    _, status = services.ask("/v1/status", plane=True)
    assert any("a new version of chat was given up" in each for each in status["troubles"])


def _until(ended: threading.Event, what: Callable[[], Any]) -> list[Any]:
    """Again and again; what it gave each time."""
    found = []
    while not ended.is_set():
        found.append(what())
    return found
