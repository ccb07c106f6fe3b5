"""Kill the real server, again and again, while a gateway ships to it: every attempt counts once, none is missing.

The gateway sends each batch until it is acknowledged, and now and then one that was acknowledged before. STARGATE_KILLS
says how often the server is killed, STARGATE_SEED at which moments.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from stargate.base import wire
from stargate.gateway.record import Receipt, Shipment, Tokens
from stargate.server.counted import parts
from tests.server.real import RealServer
from tests.server.told import shipment, told

KILLS = int(os.environ.get("STARGATE_KILLS", "6"))
SEED = int(os.environ.get("STARGATE_SEED", "1"))
BATCH = 40

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180 + 10 * KILLS)]


class Gateway(threading.Thread):
    """Ships without pause until it is told to stop."""

    def __init__(self, server: RealServer, key: str, application: str) -> None:
        super().__init__(daemon=True)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/msgpack"}
        self._http = httpx.Client(base_url=server.url, headers=headers, timeout=10.0, trust_env=False)
        self._application = application
        self._random = random.Random(SEED)
        self.over = threading.Event()
        self.used: Counter[str] = Counter()
        self.shipped = self.unanswered = 0
        self.fault = ""

    def run(self) -> None:
        with self._http:
            self._ship()

    def _ship(self) -> None:
        old: list[Shipment] = []
        seq = 0
        while not self.over.is_set():
            attempts = []
            for _ in range(self._random.randint(1, BATCH)):
                seq += 1
                tokens = self._tokens()
                self.used.update({"requests": 1} | parts(tokens))
                attempts.append(told(seq, self._application, tokens=tokens))
            self._send(shipment(*attempts), new=True)
            old.append(shipment(*attempts))
            self.shipped = seq
            if self._random.random() < 0.3:
                self._send(self._random.choice(old), new=False)

    def _tokens(self) -> Tokens:
        prompt, answer = self._random.randint(0, 999), self._random.randint(0, 999)
        return Tokens(prompt, self._random.randint(0, prompt), answer, self._random.randint(0, answer))

    def _send(self, sent: Shipment, *, new: bool) -> None:
        body, tries = wire.pack(sent), 0
        while True:
            try:
                answer = self._http.post("/v1/gateway/records", content=body)
            except httpx.TransportError:
                tries += 1
                self.unanswered += 1
                time.sleep(0.05)
                continue
            if answer.status_code == 503:
                time.sleep(0.05)
                continue
            receipt = wire.from_json(answer.content, Receipt) if answer.is_success else None
            if receipt is None or receipt.unfit or receipt.new + receipt.known != len(sent.attempts):
                self.fault = f"{answer.status_code} {answer.text[:500]}"
            elif new and not tries and receipt.known:
                self.fault = f"new attempts were known already: {receipt}"
            elif not new and receipt.new:
                self.fault = f"what was acknowledged was not there: {receipt}"
            if self.fault:
                self.over.set()
            return


def test_every_attempt_counts_once(tmp_path: Path) -> None:
    server, moments = RealServer(tmp_path), random.Random(SEED)
    try:
        server.start()
        server.await_ready()
        key = server.post("/v1/keys", {"name": "edge", "role": "gateway"})["key"]
        application = server.post("/v1/keys", {"name": "shop", "role": "application"})["id"]
        gateway = Gateway(server, key, application)
        gateway.start()
        for _ in range(KILLS):
            time.sleep(moments.uniform(0.05, 2.0))
            server.kill()
            server.start()
            server.await_ready()
        time.sleep(0.5)
        gateway.over.set()
        gateway.join(60)
        assert not gateway.is_alive()
        assert not gateway.fault
        assert gateway.shipped > KILLS
        assert gateway.unanswered
        items = server.get("/v1/ledger/usage", month="2026-03", by="key,chargeable")["items"]
        assert {(item["by"]["key"], item["by"]["chargeable"]) for item in items} == {("shop", "yes")}
        assert {item["unit"]: int(item["quantity"]) for item in items} == +gateway.used
        for seq in random.Random(SEED).sample(range(1, gateway.shipped + 1), min(20, gateway.shipped)):
            assert len(server.get(f"/v1/requests/req_{seq}")["attempts"]) == 1
    finally:
        server.close()
