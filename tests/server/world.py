"""A server to test: a small house with a fake engine, and people of every role who ask it over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from stargate.engines.fake import FakeEngine
from stargate.server import House, Limits, ServerConfig, create_app, open_house

INFRASTRUCTURE = """
parties: [{id: lab, kind: lab}, {id: microsoft}, {id: oracle-co}, {id: amazon}]
providers:
  - {id: azure, party: microsoft}
  - {id: oci, party: oracle-co}
  - {id: aws, party: amazon}
sites:
  - {id: texas, jurisdiction: US-TX}
  - {id: oslo, jurisdiction: "NO"}
pools:
  - &pool
    id: azure-h100
    provider: azure
    site: texas
    chip: H100-SXM
    tenure: on_demand
    chips_per_node: 8
    block_nodes: 2
    nodes: [{from: 2024-01-01, nodes: 4}]
    prices: [{from: 2024-01-01, usd_per_chip_hour: 2.0}]
    engine: {kind: local}
  - {<<: *pool, id: oci-h100, provider: oci, tenure: owned}
  - {<<: *pool, id: aws-h200, provider: aws, chip: H200-SXM, tenure: market}
  - {<<: *pool, id: azure-h200, provider: azure, chip: H200-SXM, tenure: market}
  - {<<: *pool, id: oci-h200, provider: oci, site: oslo, chip: H200-SXM, tenure: market, engine: {kind: none}}
"""

POLICY = """
policy:
  lab: lab
  recovery: {backoff: 10ms, stop_grace: 2s}
  sourcing: {automatic: false}
"""

AGREEMENT = """
agreement:
  id: ms-2025
  parties: [lab, microsoft]
  customer: lab
  supplier: microsoft
  signed_on: 2025-01-21
  clauses:
    - {kind: first_refusal, id: rofr, mode: capability, window: {length: 10}, threshold_chips: 16}
"""

JOB = "name: job\nresources: {accelerators: H100:8}\nrun: echo hello\n"


class Caller:
    """Somebody with a key, or without one."""

    def __init__(self, app: Any, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://stargate", headers=headers)

    async def get(self, path: str, **query: Any) -> Any:
        """The answer to a request that works."""
        answer = await self.http.get(path, params=query)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def post(self, path: str, body: Any = None, key: str = "") -> Any:
        """The same."""
        answer = await self.send(path, body, key)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def send(self, path: str, body: Any = None, key: str = "") -> httpx.Response:
        """Whatever comes back."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self.http.post(path, json={} if body is None else body, headers=headers)

    async def refused(self, status: int, path: str, body: Any = None) -> dict[str, Any]:
        """The error of a POST that is refused with a status."""
        answer = await self.send(path, body)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text}"
        error: dict[str, Any] = answer.json()["error"]
        return error


class Stage:
    """An open house with its fake engine."""

    def __init__(self, house: House, engine: FakeEngine) -> None:
        self.house = house
        self.engine = engine
        self.app = create_app(house)
        self.operator = Caller(self.app, house.config.operator_key.read_text().strip())

    async def caller(self, role: str, party: str = "") -> Caller:
        """Somebody with a new key."""
        body = {"name": f"{role}-{party}", "role": role} | ({"party": party} if party else {})
        return Caller(self.app, (await self.operator.post("/v1/keys", body))["key"])

    async def settle(self) -> None:
        """Until nothing is in hand any more."""
        for _ in range(1_000):
            await asyncio.sleep(0.002)
            if not self.house.driver.failure:
                await self.house.driver.read(
                    lambda _: None
                )  # what is taken is on record, and its effects are out
            house = self.house
            if not house.driver.backlog and not house.fleet.pending and not house.draining.pending:
                return
        raise AssertionError("the server does not come to rest")

    async def tick(self, times: int = 1) -> None:
        """The engine goes on by so many stages, and the server hears of each."""
        for _ in range(times):
            await self.settle()
            self.engine.tick()
        await self.settle()

    def digest(self) -> str:
        """The fingerprint of the state."""
        return self.house.driver._machine.state.digest()


REQUIREMENT = {
    "chips": 8,
    "start_by": "2199-01-01",
    "duration": "72h",
    "chip_types": ["H200-SXM"],
    "chips_per_node": 8,
}
TERMS = {
    "chips": 8,
    "start": "2198-12-01",
    "duration": "72h",
    "price_micro_usd_per_chip_hour": 1_500_000,
    "chip_type": "H200-SXM",
    "jurisdiction": "NO",
}


def need(id: str, **changes: Any) -> dict[str, Any]:
    """The body that opens a need of 8 H200, which no right covers and aws serves at once."""
    return {"id": id, "requirement": REQUIREMENT | changes, "party": "lab"}


async def peopled(stage: Stage) -> None:
    """Something of every kind: two workloads, an offer to microsoft, a quote of oracle-co, a lease with amazon."""
    operator = stage.operator
    await operator.post("/v1/workloads", {"id": "done", "yaml": JOB})
    await stage.tick(8)
    await operator.post("/v1/workloads", {"id": "waits", "yaml": f"{JOB}num_nodes: 99\n"})
    await operator.post("/v1/needs", need("offered", chips=16))
    await operator.post("/v1/needs", need("quoted", max_price_micro_usd_per_chip_hour=1_000_000))
    quote = {"id": "quote", "provider": "oci", "pool": "oci-h200", "terms": TERMS}
    await operator.post("/v1/needs/quoted/quotes", quote)
    await operator.post("/v1/needs", need("leased"))
    await stage.settle()


def unheard(said: object) -> None:
    """Takes what an engine says before there is a server."""


def configured(data: Path, infrastructure: str = INFRASTRUCTURE, **changes: Any) -> ServerConfig:
    """A configuration with the files of this world."""
    data.mkdir(parents=True, exist_ok=True)
    (data / "infrastructure.yaml").write_text(infrastructure)
    (data / "policy.yaml").write_text(POLICY)
    (data / "agreement.yaml").write_text(AGREEMENT)
    fields: dict[str, Any] = {
        "data": data / "server",
        "infrastructure": (data / "infrastructure.yaml",),
        "agreements": (data / "agreement.yaml",),
        "policy": (data / "policy.yaml",),
        "limits": Limits(request_s=10.0),
    }
    return ServerConfig(**(fields | changes))


@asynccontextmanager
async def staged(
    config: ServerConfig, engine: FakeEngine | None = None, **options: Any
) -> AsyncIterator[Stage]:
    """A house that is open for the length of a test. An engine may be handed on from one opening to the next."""
    made: list[FakeEngine] = []

    def make(config: Any, infrastructure: Any, say: Any) -> dict[str, Any]:
        found = engine or FakeEngine(say)
        found._say_now = say
        made.append(found)
        return {"local": found}

    async with open_house(config, make=make, **options) as house:
        yield Stage(house, made[0])
