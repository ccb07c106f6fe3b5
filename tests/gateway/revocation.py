"""How long a revoked key is still good: on every worker of two hosts of the gateway.

python -m tests.gateway.revocation --times 20
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.gateway.plant import NODE, Plant, plant

HOSTS = (NODE, "node-2")
WORKERS = 2
PREFIX = len("req_") + 16
"""Of the ids that one worker gives to requests."""
PATIENCE_S = 30.0


class Line:
    """A connection that is kept open: it stays with one worker."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self.worker = ""

    def ask(self, token: str) -> int:
        """The status of a small question."""
        self._connection.request("GET", "/v1/models", headers={"authorization": f"Bearer {token}"})
        with self._connection.getresponse() as answer:
            answer.read()
            self.worker = answer.headers["x-request-id"][:PREFIX]
            return answer.status

    def close(self) -> None:
        """Leave."""
        self._connection.close()


@contextmanager
def lines(made: Plant) -> Iterator[list[Line]]:
    """One to every worker of every host."""
    found: dict[tuple[str, str], Line] = {}
    with ExitStack() as stack:
        before = time.monotonic() + PATIENCE_S
        while len(found) < len(HOSTS) * WORKERS:
            assert time.monotonic() < before, "there are workers that no connection comes to"
            for host in HOSTS:
                line = stack.enter_context(closing(Line(made.ports[host])))
                line.ask("")
                found.setdefault((host, line.worker), line)
        yield list(found.values())


@contextmanager
def hosts(folder: Path) -> Iterator[Plant]:
    """A plant with all of them."""
    with plant(folder, WORKERS) as made:
        for host in HOSTS[1:]:
            made.start_gateway(WORKERS, host)
        yield made


def revoke(made: Plant, reached: list[Line]) -> list[float]:
    """Make a key that all workers know and revoke it: seconds until each refused it, for good."""
    status, key = made.ask("/v1/keys", {"name": "short-lived", "role": "application"}, plane=True)
    assert status == 201, key
    for line in reached:
        made.wait(lambda line=line: line.ask(key["key"]) == 200)
    began = time.monotonic()
    status, said = made.ask(f"/v1/keys/{key['id']}/revoke", {}, plane=True)
    assert status in (200, 201), said
    took: dict[int, float] = {}
    while len(took) < len(reached):
        assert time.monotonic() - began < PATIENCE_S, f"still good on {len(reached) - len(took)} workers"
        for n, line in enumerate(reached):
            refused = line.ask(key["key"]) == 401
            assert refused or n not in took, "good again"
            if refused:
                took.setdefault(n, time.monotonic() - began)
        time.sleep(0.005)
    return list(took.values())


def main() -> None:
    """Prints the slowest worker of each time."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.revocation")
    parser.add_argument("--times", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, hosts(Path(folder)) as made, lines(made) as reached:
        slowest = [max(revoke(made, reached)) for _ in range(asked.times)]
    said = {"workers": len(reached), "times": len(slowest), "slowest_s": round(max(slowest), 3),
            "median_of_slowest_s": round(statistics.median(slowest), 3)}  # fmt: skip
    print(json.dumps(said))


if __name__ == "__main__":
    main()
