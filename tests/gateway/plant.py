"""Everything as its users run it: a control plane, hosts of a gateway, providers; processes that may die."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from stargate.base import wire
from stargate.engines.local import agents, retire
from stargate.server.request_log import Filed
from tests.gateway.provider import Process, free_port
from tests.gateway.provider.tally import Used

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
NODE = "node-1"
"""The first host of the gateway."""
INFRASTRUCTURE = """
parties: [{{id: openai, kind: lab}}, {{id: microsoft}}, {{id: oracle-co}}]
providers: [{{id: azure, party: microsoft}}, {{id: oci, party: oracle-co}}]
sites: [{{id: iowa, jurisdiction: US-IA}}, {{id: abilene, jurisdiction: US-TX}}]
models: [{{id: tiny, owner: openai, price: {{output_usd_per_million_tokens: 1}}}}]
apis:
  - {{id: on-azure, provider: azure, site: iowa, url: '{azure}', network: loopback, models: [{{model: tiny}}],
     usage_path: '/usage/{{request_id}}'}}
  - {{id: on-oci, provider: oci, site: abilene, url: '{oci}', network: loopback, models: [{{model: tiny}}],
     usage_path: '/usage/{{request_id}}', abort: drain}}
"""
_POOLED = """
parties: [{{id: openai, kind: lab}}, {{id: microsoft}}, {{id: oracle}}]
providers: [{{id: azure, party: microsoft}}, {{id: oci, party: oracle}}]
sites: [{{id: iowa, jurisdiction: US-IA}}, {{id: abilene, jurisdiction: US-TX}}]
pools:
  - &pool
    {{id: azure-h100, provider: azure, site: iowa, chip: H100-SXM, tenure: owned, chips_per_node: CHIPS,
     nodes: [{{from: 2024-01-01, nodes: 1}}], engine: {{kind: local}}}}
  - {{<<: *pool, id: oci-h100, provider: oci, site: abilene}}
models: [{{id: tiny, owner: openai, price: {{output_usd_per_million_tokens: 1}}}}]
apis:
  - &api
    {{id: on-azure, provider: azure, site: iowa, url: '{azure}', network: loopback, models: [{{model: tiny}}],
     usage_path: '/usage/{{request_id}}'}}
  - {{<<: *api, id: on-oci, provider: oci, site: abilene, url: '{oci}'}}
"""
POLICY = "policy: {lab: openai, sourcing: {automatic: false}}\n"


def pooled(chips: int) -> str:
    """Two providers that run what they are given, on one node of so many chips each, and have an API besides."""
    return _POOLED.replace("CHIPS", str(chips))


def asked(port: int, path: str, body: bytes | None, token: str) -> tuple[int, Any]:
    """Status and answer of a server on this machine; 0: nobody answers."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")
    except OSError:
        return 0, None


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}", **more}


class Plant:
    """All of it, in one folder."""

    def __init__(
        self,
        folder: Path,
        infrastructure: str,
        providers: dict[str, Process],
        policy: str = POLICY,
        options: tuple[str, ...] = (),
    ) -> None:
        """With more options of `stargate up`, as `--agreements`."""
        self.folder = folder
        self.providers = providers
        """Mocks, by the provider that they play."""
        self.server_port = free_port()
        self.ports: dict[str, int] = {}
        """Of the gateway's hosts."""
        self._server: subprocess.Popen[bytes] | None = None
        self._gateways: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (folder / "log").open("ab")
        self._options = options
        (folder / "infrastructure.yaml").write_text(infrastructure)
        (folder / "policy.yaml").write_text(policy)

    @property
    def port(self) -> int:
        """Of the first host."""
        return self.ports[NODE]

    @property
    def url(self) -> str:
        """What clients of the first host are given."""
        return f"http://127.0.0.1:{self.port}/v1"

    # -- processes -----------------------------------------------------------------------------------------

    def start_server(self) -> None:
        """The control plane, and wait until it answers."""
        self._server = self._run(
            "up", "--data", "plane", "--infrastructure", "infrastructure.yaml", "--policy", "policy.yaml",
            "--port", str(self.server_port), *self._options,
        )  # fmt: skip
        self.wait(lambda: self.ask("/health", plane=True)[0] == 200)

    def kill_server(self) -> None:
        """SIGKILL."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def start_gateway(self, workers: int, node: str = NODE, *words: str) -> None:
        """A host of the gateway, and wait until it has routes."""
        port = self.ports.setdefault(node, free_port())
        key = self.folder / f"{node}.key"
        if not key.exists():
            key.write_text(self.key(node, "gateway"))
        self._gateways[node] = self._run(
            "gateway", "--data", self._home(node).name, "--server", f"http://127.0.0.1:{self.server_port}",
            "--node", node, "--key", key.name, "--workers", str(workers), "--port", str(port), *words,
        )  # fmt: skip
        self.wait(lambda: self.ask("/health/ready", node=node)[0] == 200)

    def workers(self, node: str = NODE) -> list[psutil.Process]:
        """Processes that answer; and last the steward."""
        found = []
        for each in psutil.Process(self._gateways[node].pid).children():
            with contextlib.suppress(psutil.Error):  # workers are forks of their parent, and called as it is
                found.append(("stargate.gateway.steward" in each.cmdline(), each.pid, each))
        return [each for _, _, each in sorted(found)]

    def kill_gateway(self, node: str = NODE) -> None:
        """SIGKILL the parent and all its children, as a host that loses its power."""
        gateway = self._gateways[node]
        for each in (*psutil.Process(gateway.pid).children(recursive=True), psutil.Process(gateway.pid)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        gateway.wait()

    def close(self) -> None:
        """End what runs."""
        for process in (*self._gateways.values(), self._server):
            if process is None or process.poll() is not None:
                continue
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            for each in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            process.kill()
            process.wait()
        for provider in agents(self.folder / "plane" / "local"):
            asyncio.run(retire(self.folder / "plane" / "local", provider, grace_s=0))
        for mock in self.providers.values():
            mock.close()
        self._log.close()

    def _home(self, node: str) -> Path:
        """A host's own folder."""
        return self.folder / f"gateway-{node}"

    def _run(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "stargate.cli", *words],
            cwd=self.folder,
            env=_environment(),
            stdout=self._log,
            stderr=self._log,
        )

    # -- asking --------------------------------------------------------------------------------------------

    def key(self, name: str, role: str = "application", *, why: bool = False, **scope: Any) -> str:
        """A new key; `why`: it is told in a header why a request went where it went."""
        body: dict[str, Any] = {"name": name, "role": role, "operator": why}
        if scope:
            body["scope"] = scope
        status, answer = self.ask("/v1/keys", body, plane=True)
        assert status in (200, 201), answer
        text: str = answer["key"]
        return text

    def say(self, *words: str) -> str:
        """What the command line prints, to an operator on the host of the control plane."""
        done = subprocess.run(
            [sys.executable, "-m", "stargate.cli", *words],
            cwd=self.folder,
            env=_environment(STARGATE_DATA="plane"),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.stdout + done.stderr

    def ask(
        self, path: str, body: Any = None, *, plane: bool = False, token: str = "", node: str = NODE
    ) -> tuple[int, Any]:
        """Status and answer; 0: nobody answers."""
        port = self.server_port if plane else self.ports[node]
        if plane and not token:
            with contextlib.suppress(FileNotFoundError):
                token = (self.folder / "plane" / "operator.key").read_text().strip()
        return asked(port, path, None if body is None else json.dumps(body).encode(), token)

    def wait(self, what: Any, patience_s: float = PATIENCE_S) -> None:
        """Until it is so."""
        before = time.monotonic() + patience_s
        while not what():
            if time.monotonic() > before:
                said = (self.folder / "log").read_text()[-4_000:]
                raise TimeoutError(f"it never came to be; the log ends:\n{said}")
            time.sleep(0.05)

    # -- counts --------------------------------------------------------------------------------------------

    def filed(self) -> dict[str, Filed]:
        """Every attempt that has arrived, by what its endpoint was told as its id."""
        found: dict[str, Filed] = {}
        unpack = wire.unpacker(Filed)
        path = self.folder / "plane" / "requests.sqlite"
        if not path.exists():
            return found
        with contextlib.closing(sqlite3.connect(path)) as database:
            for (body,) in database.execute("SELECT body FROM attempt"):
                each: Filed = unpack.decode(body)
                assert each.admitted.upstream_id not in found, "told twice"
                found[each.admitted.upstream_id] = each
        return found

    def used(self) -> dict[str, dict[str, Used]]:
        """Each provider's own count."""
        return {name: process.used() for name, process in self.providers.items()}

    def posted(self) -> dict[tuple[str, str], int]:
        """What the ledger has of each metric with each provider's party, in whole units."""
        path = self.folder / "plane" / "ledger.sqlite"
        found: dict[tuple[str, str], int] = {}
        with contextlib.closing(sqlite3.connect(path)) as database:
            rows = database.execute(
                "SELECT stream.provider, stream.metric, sum(usage_event.micro) FROM usage_event"
                " JOIN stream ON stream.id = usage_event.stream GROUP BY 1, 2"
            )
            for provider, metric, micro in rows:
                found[provider, metric] = micro // 1_000_000
        return found

    def spooled(self) -> int:
        """Epochs that are not yet shipped and done with."""
        spools = (self._home(node) / "spool" for node in self.ports)
        return sum(each.is_dir() for spool in spools if spool.exists() for each in spool.iterdir())


@contextmanager
def running(made: Plant, workers: int = 2) -> Iterator[Plant]:
    """Started, with one host of the gateway; ended afterwards."""
    try:
        made.start_server()
        made.start_gateway(workers)
        yield made
    finally:
        made.close()


@contextmanager
def plant(folder: Path, workers: int = 2) -> Iterator[Plant]:
    """One with two mocks that serve the same model."""
    azure, oci = Process(), Process()
    infrastructure = INFRASTRUCTURE.format(azure=azure.url, oci=oci.url)
    with running(Plant(folder, infrastructure, {"azure": azure, "oci": oci}), workers) as made:
        yield made
