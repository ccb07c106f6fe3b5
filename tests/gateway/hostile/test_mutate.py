"""A few hundred changed requests; the command beside this sends as many as one likes."""

from __future__ import annotations

import asyncio

from tests.gateway.alone import Alone
from tests.gateway.hostile.mutate import faults, run


def test_changed_requests_do_no_harm(gateway: Alone) -> None:
    """Most are refused, some are sound, none is a fault of ours."""
    before_bytes = gateway.worker.memory_info().rss
    found = asyncio.run(run(gateway, 300, seed=7))
    assert found[200] > 9
    assert found[400] > 99
    assert not faults(gateway, found, before_bytes)
