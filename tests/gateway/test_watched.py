"""A host of the gateway as its operators see it: over several workers, and over the death of one."""

from __future__ import annotations

import json
import math
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.plant import Plant, plant

NODE = "watched"
CALLS = 20


class Scrapes:
    """What Prometheus would keep of a host. No counter may go back."""

    def __init__(self, made: Plant, token: str) -> None:
        self._url = f"http://127.0.0.1:{made.ports[NODE]}/metrics"
        self._token = token
        self._last: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels, now."""
        request = urllib.request.Request(self._url, headers={"authorization": f"Bearer {self._token}"})
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=30) as answer:
                families = list(text_string_to_metric_families(answer.read().decode()))
        except OSError:  # the worker that would have answered was just killed
            return math.nan
        found = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
            if family.type != "gauge"
        }
        for series, before in self._last.items():
            assert found.get(series, 0) >= before, f"{series} went back"
        self._last = found
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == f"stargate_gateway_{name}" and labels.items() <= sample.labels.items()
        )


@pytest.mark.slow
def test_a_host_is_one_whoever_of_it_dies(tmp_path: Path) -> None:
    with plant(tmp_path) as made:
        made.start_gateway(2, NODE, "--access-log", "access.log")
        status, answer = made.ask(
            "/v1/keys", {"name": "operator", "role": "application", "operator": True}, plane=True
        )
        assert status in (200, 201), answer
        token = answer["key"]
        made.wait(  # both workers know the key
            lambda: all(made.ask("/v1/models", node=NODE, token=token)[0] == 200 for _ in range(CALLS))
        )
        scrapes = Scrapes(made, token)

        def ask() -> None:
            for _ in range(CALLS):
                body = {"model": "tiny", "messages": [{"role": "user", "content": "Say something"}]}
                assert made.ask("/v1/chat/completions", body, node=NODE, token=token)[0] == 200

        def requests() -> list[str]:
            found = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
            return [line["request"] for line in found if line["operation"] == "chat/completions"]

        asked = {"operation": "chat/completions", "status": "200"}
        ask()
        made.wait(lambda: scrapes.total("requests_total", **asked) == CALLS)
        made.wait(lambda: len(requests()) == CALLS)  # a worker that is killed takes a second's lines with it
        assert scrapes.total("processes", process="worker") == 2
        *workers, _ = made.workers(NODE)
        assert len(workers) == 2
        workers[0].kill()
        made.wait(lambda: scrapes.total("starts_total", process="worker") == 3)
        ask()
        made.wait(lambda: scrapes.total("requests_total", **asked) == 2 * CALLS)
        made.wait(lambda: scrapes.total("shipped_attempts_total") == 2 * CALLS)
        made.wait(lambda: scrapes.total("spool_backlog_attempts") == 0)
        assert scrapes.total("shipments_total", result="arrived") >= 1
        assert scrapes.total("ready") == 1
        assert scrapes.total("routes_version") > 0
        made.kill_server()
        made.wait(lambda: scrapes.total("routes_age_seconds") > 1)

        made.wait(lambda: len(requests()) == 2 * CALLS)
        assert len(set(requests())) == 2 * CALLS
