"""More than a gateway takes is shed, and all that it took comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.gateway.alone import alone, endpoint, routes
from tests.gateway.hostile.overload import load
from tests.gateway.provider import spawn

LIMIT = 16


def test_ten_times_too_many_are_shed_and_leave_nothing_behind(tmp_path: Path) -> None:
    """With 429 and when to come again; as many are served as there is room for; memory and files come back."""
    with (
        spawn() as provider,
        alone(tmp_path / "gateway", routes(endpoint(provider.url)), open_requests=LIMIT) as gateway,
    ):
        asyncio.run(load(gateway.url, LIMIT, 0.5))
        files, held_bytes = gateway.worker.num_fds(), gateway.worker.memory_info().rss
        found = asyncio.run(load(gateway.url, 10 * LIMIT, 3.0))
        assert found.statuses.keys() == {200, 429}
        assert found.told
        assert found.statuses[200] >= LIMIT
        assert gateway.get("/health/ready")[1]["open_requests"] == 0
        assert gateway.worker.memory_info().rss - held_bytes < 32 << 20
        assert gateway.worker.num_fds() <= files + 2 * LIMIT + 10 * LIMIT
        assert "Traceback" not in gateway.log()
