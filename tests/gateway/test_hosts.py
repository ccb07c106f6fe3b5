"""Two hosts of the gateway as their users run them share each limit and each budget, whoever of them dies."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.gateway.plant import NODE, Plant, plant

pytestmark = pytest.mark.slow
OTHER = "node-2"
NODES = (NODE, OTHER)
CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16}
COST_MICRO_USD = 16


@pytest.fixture(params=["control plane", "postgres"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plant]:
    """By the bank that they share."""
    words = (
        () if request.param == "control plane" else ("--limits", request.getfixturevalue("cluster").make())
    )
    with plant(tmp_path, 2) as found:
        found.start_gateway(2, OTHER, *words)
        if words:
            found.kill_gateway()
            found.start_gateway(2, NODE, *words)
        yield found


def asked(made: Plant, token: str, count: int) -> Counter[str]:
    """So many requests at once over both hosts: what came of them."""

    def ask(nth: int) -> str:
        status, answer = made.ask("/v1/chat/completions", CHAT, token=token, node=NODES[nth % 2])
        return "done" if status == 200 else str((answer or {}).get("error", {}).get("code", status))

    with ThreadPoolExecutor(8) as threads:
        return Counter(threads.map(ask, range(count)))


def known(made: Plant, token: str) -> None:
    """All workers of both hosts know the key: who answers is chance."""
    for _ in range(8):
        made.wait(lambda: all(made.ask("/v1/models", token=token, node=node)[0] == 200 for node in NODES))


def until(made: Plant, token: str, enough: Callable[[Counter[str]], bool]) -> Counter[str]:
    """Ask on, until it is so or was not for long."""
    found: Counter[str] = Counter()
    before = time.monotonic() + 20
    while not enough(found) and time.monotonic() < before:
        found += asked(made, token, 16)
        time.sleep(0.3)
    return found


def test_two_hosts_share_a_minute_and_a_budget(made: Plant) -> None:
    """And a steward that dies is no way to more."""
    minute = made.key("minute", requests_per_minute=30)
    known(made, minute)
    found = asked(made, minute, 20)
    assert found == {"done": 20}
    made.workers()[-1].kill()
    made.wait(lambda: "steward" in " ".join(made.workers()[-1].cmdline()))
    found += until(made, minute, lambda each: each["done"] >= 10)
    assert found["done"] <= 30
    assert found["rate_limit_exceeded"] > 0
    budget = made.key("budget", budget_micro_usd=50 * COST_MICRO_USD + 15)
    known(made, budget)
    found = until(made, budget, lambda each: each["done"] >= 50 and each["insufficient_quota"] > 20)
    assert 48 <= found["done"] <= 50, "a slice or two may lie idle at a worker"
    made.wait(lambda: len(made.filed()) >= 20 + found["done"])


def test_while_the_control_plane_is_away_budgets_stop_and_the_rest_goes_on(made: Plant) -> None:
    """Nobody knows what is left of the money; of a limit each host may give its part, or a database says."""
    free, minute = made.key("free"), made.key("minute", requests_per_minute=40)
    budget = made.key("budget", budget_micro_usd=10**9)
    for token in (free, minute, budget):
        known(made, token)
    assert asked(made, budget, 4) == {"done": 4}
    made.kill_server()
    found = until(made, budget, lambda each: each["limits_unknown"] > 30)
    assert found["limits_unknown"] > 30
    assert asked(made, free, 8) == {"done": 8}
    found = asked(made, minute, 60)
    assert found["done"] == 40, "two hosts, each with its half"
    made.start_server()
    made.wait(lambda: asked(made, budget, 4)["done"] == 4)
