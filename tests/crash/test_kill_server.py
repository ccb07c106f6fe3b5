"""Kill the real server, again and again, while it works: nothing acknowledged is lost, nothing runs twice, no orphans.

A client submits jobs (gangs of real processes) without pause and takes some of them back; at random moments, start-up
included, the server gets SIGKILL and is started again. STARGATE_KILLS says how often, STARGATE_SEED which moments.
"""

from __future__ import annotations

import collections
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.real import RealServer

KILLS = int(os.environ.get("STARGATE_KILLS", "6"))
SEED = int(os.environ.get("STARGATE_SEED", "1"))
OPEN_JOBS = 10
"""Jobs in hand at a time: enough to keep engines and journal busy on a small machine."""
ENDED = {"succeeded", "failed", "cancelled"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180 + 10 * KILLS),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes by /proc"),
]


class Client(threading.Thread):
    """Sends each command until it is acknowledged, as the command line does, always under the same key."""

    def __init__(self, server: RealServer, key: str) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._random = random.Random(SEED)
        self._http = httpx.Client(
            base_url=server.url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(5.0, connect=0.5),
            trust_env=False,
        )
        self._over = threading.Event()
        self.submitted: dict[str, int] = {}
        """Acknowledged workloads, with the nodes of each."""
        self.cancelled: set[str] = set()
        """Acknowledged cancellations."""
        self.tries = 0
        """Requests that got no answer."""
        self.fault = ""

    def run(self) -> None:
        """Until told to end. A refusal that makes no sense is remembered as the fault of the server."""
        number = 0
        while not self._over.is_set() and not self.fault:
            if self._open() >= OPEN_JOBS:
                time.sleep(0.05)
                continue
            number += 1
            id, nodes = f"job{number}", self._random.choice((1, 1, 2, 3))
            body = self._server.job(id, steps=self._random.randint(1, 12), nodes=nodes)
            if self._send("/v1/workloads", body) is None:
                return
            self.submitted[id] = nodes
            if self._random.random() < 0.15:
                victim = self._random.choice(list(self.submitted))
                if self._send(f"/v1/workloads/{victim}/cancel", {}, fine={409}) == 200:
                    self.cancelled.add(victim)

    def end(self) -> None:
        """Let the thread finish what it is sending."""
        self._over.set()
        self.join(60)
        assert not self.is_alive()
        self._http.close()

    def _open(self) -> int:
        try:
            answer = self._http.get("/v1/workloads", params={"state": "active", "limit": 1})
            return int(answer.json()["total"]) if answer.is_success else OPEN_JOBS
        except httpx.TransportError:
            return OPEN_JOBS

    def _send(self, path: str, body: dict[str, Any], fine: set[int] | None = None) -> int | None:
        key = uuid.UUID(int=self._random.getrandbits(128)).hex
        while True:
            try:
                answer = self._http.post(path, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                self.tries += 1
                if self._over.is_set() and self.tries > 10_000:
                    return None
                time.sleep(0.02)
                continue
            if answer.status_code == 503:
                time.sleep(0.02)
                continue
            if not answer.is_success and answer.status_code not in (fine or set()):
                self.fault = f"{path}: {answer.status_code} {answer.text}"
            return answer.status_code


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    found = RealServer(tmp_path)
    yield found
    found.close()


def test_kill_the_server_while_it_works(server: RealServer) -> None:
    server.start()
    server.await_ready()
    client = Client(server, (server.data / "operator.key").read_text().strip())
    client.start()
    early = _kill_again_and_again(server)
    client.end()
    assert not client.fault, client.fault
    workloads = _await_all(server, client)
    _nothing_is_lost(workloads, client)
    _nothing_ran_twice(server, workloads, client)
    assert server.processes() == [], "processes of attempts are left although all attempts are over"
    assert server.get("/v1/journal/verify")["ok"]
    server.close()
    outcomes = collections.Counter(found["status"] for found in workloads.values())
    print(  # the figures of a long run
        f"\n{KILLS} kills, {early} of them before the server answered; {len(client.submitted)} workloads acknowledged:"
        f" {dict(outcomes)}; {sum(len(ranks) for _, ranks in server.lines())} ranks started in"
        f" {sum(1 for _ in server.lines())} attempts; {client.tries} requests without answer;"
        f" 0 lost, 0 started twice, 0 orphans"
    )


def _kill_again_and_again(server: RealServer) -> int:
    """How many of the kills came before the server answered."""
    moments = random.Random(SEED)
    early = 0
    for _ in range(KILLS):
        if moments.random() < 0.3:
            time.sleep(moments.uniform(0, 1.5))
            early += 1
        else:
            server.await_ready()
            time.sleep(moments.uniform(0, 1.2))
        server.kill()
        server.start()
    server.await_ready()
    return early


def _await_all(server: RealServer, client: Client) -> dict[str, dict[str, Any]]:
    """Every acknowledged workload, once all have ended."""
    deadline = time.monotonic() + 90
    while server.get("/v1/workloads", state="active", limit=1)["total"]:
        assert time.monotonic() < deadline, f"workloads do not end:\n{server.log()}"
        time.sleep(0.1)
    found: dict[str, dict[str, Any]] = {}
    with server.client() as asking:
        for id in client.submitted:
            answer = asking.get(f"/v1/workloads/{id}")
            found[id] = (
                answer.json() if answer.is_success else {"status": f"{answer.status_code}", "attempts": []}
            )
    return found


def _nothing_is_lost(workloads: dict[str, dict[str, Any]], client: Client) -> None:
    """What was acknowledged is there, and has come to the end it was meant to."""
    for id, found in workloads.items():
        if id in client.cancelled:
            assert found["status"] in {"cancelled", "succeeded"}, f"{id}: {found}"
        else:
            assert found["status"] == "succeeded", f"{id}: {found}"


def _nothing_ran_twice(server: RealServer, workloads: dict[str, dict[str, Any]], client: Client) -> None:
    """No rank of an attempt has started twice; what is done has run on all its ranks; no death cost an attempt."""
    started = dict(server.lines())
    for attempt, ranks in started.items():
        assert len(set(ranks)) == len(ranks), f"{attempt} started a rank twice: {ranks}"
    for id, found in workloads.items():
        attempts = found["attempts"]
        for attempt in attempts:
            if attempt.get("outcome") == "done":
                assert sorted(started[attempt["id"]]) == list(range(client.submitted[id])), attempt
        if found["status"] == "succeeded":
            assert len(attempts) == 1, f"{id} needed {len(attempts)} attempts: {attempts}"
    known = {attempt["id"] for found in workloads.values() for attempt in found["attempts"]}
    assert set(started) <= known, f"attempts ran that nobody asked for: {set(started) - known}"
