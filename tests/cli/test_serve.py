"""`stargate serve`: a service is waited for until its replicas answer and a gateway has routes to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stargate.cli import serve
from tests.cli.conftest import Run, until
from tests.cli.scripted_gateway import ScriptedGateway, scripted_gateway

SERVICE = """
name: site
kind: serve
model: site-1
resources: {accelerators: H100:1}
service: {replicas: 2, readiness_probe: /}
run: exec python3 -m http.server --bind 127.0.0.1 $STARGATE_SERVICE_PORT
"""
NOWHERE = "http://127.0.0.1:1/v1"


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as found:
        yield found


def test_it_waits_until_a_gateway_can_ask_all_replicas(
    on_server: Run, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "ROUTED_S", 0.2)
    gateway.routes = 2**60
    ran = on_server("serve", "-", "--id", "site-a", "--gateway", gateway.url, stdin=SERVICE)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[-1] == f"site-1 is served at {gateway.url}"
    assert "2 of 2 replicas ready" in ran.out
    assert f"stargate chat --gateway {gateway.url} site-1 Hello" in ran.err
    assert f"curl {gateway.url}/chat/completions" in ran.err
    assert on_server("show", "site-a", "--json").json["ready"] == 2

    # The same once more is the same service; a gateway whose routes are older, or that has none, cannot ask it yet.
    for routes in (1, None):
        gateway.routes = routes
        words = ("serve", "-", "--id", "site-a", "--gateway", gateway.url, "--json")
        found = on_server(*words, stdin=SERVICE).json
        assert found == {
            "id": "site-a", "status": "running", "replicas": 2, "ready": 2, "model": "site-1",
            "gateway": gateway.url, "routed": False,
        }  # fmt: skip
    assert on_server("status", "--json").json["routes"] > 1

    # No gateway is there: it is ready all the same, and the way to one is said.
    ran = on_server("serve", "-", "--id", "site-a", "--gateway", NOWHERE, stdin=SERVICE)
    assert (ran.code, "`stargate gateway`" in ran.err) == (0, True)
    assert f"no gateway at {NOWHERE} has routes to it" in ran.out
    on_server("cancel", "site-a")
    until(lambda: on_server("show", "site-a", "--json").json["ready"] == 0)


def test_it_waits_for_so_long_and_says_where_to_look(on_server: Run) -> None:
    silent = SERVICE.replace("name: site", "name: mute").replace("exec python3", "exec sleep 600 #")
    ran = on_server("serve", "-", "--id", "mute-a", "--timeout", "1s", "--gateway", NOWHERE, stdin=silent)
    assert ran.code == 1
    assert "after 1s 0 of 2 replicas of mute-a answer" in ran.err
    ran = on_server("serve", "-", "--id", "mute-a", "--no-wait", "--json", stdin=silent)
    assert (ran.code, ran.json["id"]) == (0, "mute-a")
    on_server("cancel", "mute-a")
    ended = on_server("serve", "-", "--id", "mute-a", "--timeout", "20s", "--gateway", NOWHERE, stdin=silent)
    assert ended.code == 1


def test_the_same_name_again_is_another_version(on_server: Run) -> None:
    first = SERVICE.replace("site", "page").replace("replicas: 2", "replicas: 1")
    found = on_server("serve", "-", "--gateway", NOWHERE, "--json", stdin=first).json
    id = found["id"]
    assert id.startswith("page-")
    second = first.replace("--bind", "--protocol HTTP/1.1 --bind")
    again = on_server("serve", "-", "--gateway", NOWHERE, "--json", stdin=second).json
    assert (again["id"], again["ready"]) == (id, 1)
    shown = on_server("show", id, "--json").json
    assert "HTTP/1.1" in shown["workload"]["run"]
    assert "rollout" not in shown
    assert {each["stop_reason"] for each in shown["attempts"][:2]} & {"replaced", "scaled_down"}
    on_server("cancel", id)
    until(lambda: on_server("show", id, "--json").json["ready"] == 0)


def test_only_a_service_is_served(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("name: job\nresources: {accelerators: H100:1}\nrun: echo\n", encoding="utf-8")
    ran = run("serve", file)
    assert ran.code == 2
    assert "job is no service" in ran.err
    assert "`stargate submit`" in ran.err
