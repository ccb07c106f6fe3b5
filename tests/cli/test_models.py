"""`stargate models`, and `stargate explain` for requests at gateways, against a server that runs a service."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from stargate.base import wire
from tests.cli.conftest import Run, until
from tests.server.told import shipment, told

SERVICE = """
name: pages
kind: serve
model: pages-1
resources: {accelerators: H100:1}
service: {replicas: 1, readiness_probe: /}
run: exec python3 -m http.server --bind 127.0.0.1 $STARGATE_SERVICE_PORT
"""


def test_a_service_is_listed_once_it_answers(on_server: Run, tmp_path: Path) -> None:
    (tmp_path / "pages.yaml").write_text(SERVICE, encoding="utf-8")
    id = on_server("submit", tmp_path / "pages.yaml", "--json").json["id"]

    def listed() -> dict[str, object]:
        items = on_server("models", "--json").json["items"]
        found: dict[str, object] = next(item for item in items if item["id"] == "pages-1")
        return found

    until(lambda: listed()["places"])
    assert listed()["places"] == [{"provider": "alpha", "site": "north", "endpoints": 1, "draining": 0}]
    (line,) = [line for line in on_server("models").out.splitlines() if line.startswith("pages-1")]
    assert "alpha north" in line
    on_server("cancel", id)
    until(lambda: "pages-1" not in on_server("models").out)


def test_why_a_request_went_where_it_went(on_server: Run, server_data: Path) -> None:
    key = on_server("key", "make", "edge", "--role", "gateway").out.strip()
    url = json.loads((server_data / "server.json").read_text(encoding="utf-8"))["url"]
    sent = shipment(
        told(1, request="req_x", outcome="unsent", counted="none", status=0), told(2, request="req_x", nth=1)
    )
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/msgpack"}
    with httpx.Client(trust_env=False) as client:
        answer = client.post(f"{url}/v1/gateway/records", content=wire.pack(sent), headers=headers)
    assert answer.status_code == 200, answer.text
    text = on_server("explain", "req_x").out
    assert "done by foundry/big, endpoint 2 of those asked" in text
    assert "big may be served to it by azure texas\n" in text
    assert "because it is exclusive to microsoft, and runs there [ms-2025/api]" in text
    assert (
        "not by oci texas, 2 endpoints: api traffic stays on azure [ms-2025/only]\n    it would take a wait until 2030"
        in text
    )
    assert [each["outcome"] for each in on_server("explain", "req_x", "--json").json["attempts"]] == [
        "unsent",
        "done",
    ]
    missing = on_server("explain", "req_y")
    assert missing.code == 2
    assert "req_y" in missing.err
