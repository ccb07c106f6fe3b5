"""A real server with a real local engine, and a way to run commands against it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from stargate.cli import main
from stargate.engines.local import agents, retire

INFRASTRUCTURE = """
parties: [{id: lab, name: Lab}, {id: alpha-co, name: Alpha}, {id: beta-co, name: Beta}]
providers: [{id: alpha, party: alpha-co, name: Alpha}, {id: beta, party: beta-co, name: Beta}]
sites:
  - {id: north, name: North, operator: alpha-co, jurisdiction: US-TX}
  - {id: south, name: South, operator: beta-co, jurisdiction: US-NM}
pools:
  - id: alpha-1
    provider: alpha
    site: north
    chip: H100-SXM
    chips_per_node: 2
    block_nodes: 2
    nodes: [{from: 2025-01-01, nodes: 4, status: operational}]
    engine: {kind: local}
    tenure: owned
  - id: beta-1
    provider: beta
    site: south
    chip: H100-SXM
    chips_per_node: 2
    block_nodes: 2
    nodes: [{from: 2025-01-01, nodes: 4, status: operational}]
    engine: {kind: local}
    tenure: market
"""

AGREEMENTS = """
agreement:
  id: beta-2025
  parties: [lab, beta-co]
  customer: lab
  supplier: beta-co
  signed_on: 2025-01-01
  clauses:
    - id: rofr
      kind: first_refusal
      mode: first_offer
      text_ref: s. 7
      scope: [{field: kind, operator: In, values: [train]}]
"""


class Ran(msgspec.Struct, frozen=True):
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


def run_here(*words: object, stdin: str | None = None, **environment: str) -> Ran:
    """Run a command in this process, away from the settings of whoever runs the tests."""
    settings = {
        "STARGATE_DATA": None,
        "STARGATE_URL": None,
        "STARGATE_KEY": None,
        "STARGATE_LEDGER": None,
        **environment,
    }
    done = CliRunner().invoke(main, [str(word) for word in words], input=stdin, env=settings)
    return Ran(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def run() -> Run:
    """Run a command that needs no server."""
    return run_here


@pytest.fixture(scope="session")
def server_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running server. Its providers are retired at the end, so nothing of it is left running."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "infrastructure.yaml").write_text(INFRASTRUCTURE, encoding="utf-8")
    (folder / "agreements.yaml").write_text(AGREEMENTS, encoding="utf-8")
    data = folder / "data"
    words = ["up", "--data", data, "--port", 0, "--json"]
    words += ["--infrastructure", folder / "infrastructure.yaml", "--agreements", folder / "agreements.yaml"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from stargate.cli import main; main()", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["url"].startswith("http://127.0.0.1:")
        yield data
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()
        for provider in agents(data / "local"):
            asyncio.run(retire(data / "local", provider, 1.0))


@pytest.fixture
def on_server(server_data: Path) -> Run:
    """Run a command against the server."""

    def run_there(*words: object, stdin: str | None = None, **environment: str) -> Ran:
        return run_here(*words, stdin=stdin, **{"STARGATE_DATA": str(server_data), **environment})

    return run_there


def until(holds: Any, timeout_s: float = 20.0) -> None:
    """Wait for something that the server does by itself."""
    give_up = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.1)
