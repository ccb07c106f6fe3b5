"""Every route under generated requests, good and bad: no 5xx, no undocumented answer, no change by what is refused."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from stargate.server import openapi
from tests.server.world import Stage, configured, peopled, staged

EXAMPLES = int(os.environ.get("STARGATE_EXAMPLES", "15"))
"""For each route and kind of request."""

schemathesis.openapi.format("decimal", st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str))
schemathesis.openapi.format("instant", st.datetimes().map(lambda at: f"{at.isoformat()}Z"))


@schemathesis.serializer("application/x-msgpack")
def _as_msgpack(_context: Any, value: Any) -> bytes:
    """What msgpack has no form for, as numbers beyond 64 bits, goes as JSON, which is nonsense there."""
    try:
        return msgspec.msgpack.encode(value, enc_hook=bytes)
    except (OverflowError, TypeError, UnicodeError):
        return json.dumps(value, default=repr).encode(errors="replace")


schema = schemathesis.openapi.from_dict(openapi())

CHECKS = (
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    content_type_conformance,
)


class Live:
    """A server of this process on a thread, so that its state can be looked at between requests."""

    def __init__(self, folder: Path) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(folder)), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    async def _serve(self, folder: Path) -> None:
        async with staged(configured(folder)) as self.stage:
            await peopled(self.stage)
            config = uvicorn.Config(
                self.stage.app, port=0, log_config=None, lifespan="off", server_header=False, ws="none"
            )
            self._server = uvicorn.Server(config)
            self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
            task = asyncio.create_task(self._server._serve())
            while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            port = self._server.servers[0].sockets[0].getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            self._loop = asyncio.get_running_loop()
            self._ready.set()
            await task

    @property
    def key(self) -> str:
        """The operator's."""
        return self.stage.house.config.operator_key.read_text().strip()

    def look(self) -> tuple[str, str]:
        """The state's fingerprint and the journal's head."""
        return asyncio.run_coroutine_threadsafe(self._look(self.stage), self._loop).result(30)

    @staticmethod
    async def _look(stage: Stage) -> tuple[str, str]:
        digest = await stage.house.driver.read(lambda state: state.digest())
        return digest, str(stage.house.driver.head)

    def close(self) -> None:
        """Stop."""
        self._server.should_exit = True
        self._thread.join(30)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    found = Live(tmp_path_factory.mktemp("fuzz"))
    yield found
    found.close()


@pytest.mark.slow
@pytest.mark.timeout(30 + 12 * EXAMPLES)
@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_generated_requests(live: Live, case: Any) -> None:
    before = live.look()
    answer = case.call(base_url=live.url, headers={"Authorization": f"Bearer {live.key}"})
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code >= 400:
        assert live.look() == before, "a refused request changed the state"
        error = answer.json()["error"]
        assert error["message"]
        assert "Traceback" not in answer.text


NASTY = [
    b"",
    b"{",
    b"\xff\xfe\x00",
    b'{"id":"\\ud800","yaml":"name: x"}',
    b'{"id":"a\\u0000b","yaml":"run: x"}',
    b'{"yaml":"\\ud83d"}',
    b'{"yaml":"run: x\\u0000y\\nresources: {accelerators: H100:8}"}',
    b'{"yaml":"&a [*a]"}',
    b'{"yaml":"a: &a [x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\\nc: [*b,*b,*b,*b,*b,*b,*b,*b]"}',
    b'{"yaml":"priority: 99999999999999999999999999999999999"}',
    b'{"yaml":"!!python/object/apply:os.system [id]"}',
    b'{"workload":{"name":"x","nodes":' + b"9" * 300 + b"}}",
    b'{"workload":{"name":"x","deadline":"9999-12-31T23:59:59.999999Z"}}',
    b'{"workload":{"name":"x","deadline":"0001-01-01"}}',
    b'{"workload":{"name":"x","time_limit":"99999999999999999w"}}',
    b'{"workload":{"name":"x","max_cost_usd":1e999999999}}',
    b'{"workload":{"name":"x","max_cost_usd":"NaN"}}',
    b'{"workload":{"name":"x","alternatives":[{"chip":"H100","cpus":1e-999999999}]}}',
    b'{"workload":{"name":"x","engine_options":{"local":' + b"[" * 500 + b"]" * 500 + b"}}}",
    b'{"value":1e999999999,"name":"x"}',
    b'{"value":"x","name":"x","valid_from":"9999-12-31"}',
    b'{"nodes":-1}',
    b'{"replicas":1e3}',
    b'{"replicas":99999999999999999999}',
    b"[" * 200_000,
    b'{"a":' * 50_000,
    b'"' + b"x" * 900_000 + b'"',
    b"x" * 2_000_000,
]
TYPES = [
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "multipart/form-data",
    "",
    "\x01",
]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (method.upper(), path)
        for path, item in openapi()["paths"].items()
        for method in item
        if method == "post"
    ],
)
def test_bodies_that_nobody_should_send(live: Live, method: str, path: str) -> None:
    ids = {"{id}": "waits"}
    here = path.replace("{id}", ids["{id}"])
    with httpx.Client(base_url=live.url, trust_env=False, timeout=30) as client:
        for body in NASTY:
            before = live.look()
            headers = {"Authorization": f"Bearer {live.key}", "Content-Type": "application/json"}
            answer = client.request(method, here, content=body, headers=headers)
            _refused_or_fine(live, answer, before, body[:60])
        for kind in TYPES:
            before = live.look()
            headers = {"Authorization": f"Bearer {live.key}", "Content-Type": kind}
            answer = client.request(method, here, content=b'{"a":"\xe9"}', headers=headers)
            _refused_or_fine(live, answer, before, kind)


def _refused_or_fine(live: Live, answer: httpx.Response, before: tuple[str, str], what: Any) -> None:
    assert answer.status_code < 500, f"{what!r}: {answer.status_code} {answer.text}"
    if answer.status_code >= 400:
        assert live.look() == before, f"{what!r} was refused and changed the state"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=1e3",
        "limit=" + "9" * 5_000,
        "limit=%00",
        "limit=%ff",
        "limit=1&limit=2",
        "limit",
        "after=%ed%a0%80",
        "after=" + "x" * 10_000,
        "state=nonsense",
        "state=%ff",
        "&&&==",
        "%",
        "after=%F0%9F%98%80",
        "offset=-1",
        "offset=" + "9" * 30,
        "rank=abc",
        "digest=maybe",
    ],
)
def test_queries_that_nobody_should_send(live: Live, query: str) -> None:
    before = live.look()
    with httpx.Client(base_url=live.url, trust_env=False, timeout=30) as client:
        for path, item in openapi()["paths"].items():
            if "get" not in item:
                continue
            here = path.replace("{id}", "done.0.1").replace("{subject}", "1")
            answer = client.get(f"{here}?{query}", headers={"Authorization": f"Bearer {live.key}"})
            assert answer.status_code < 500, f"{path}?{query[:40]}: {answer.status_code} {answer.text}"
    assert live.look() == before
