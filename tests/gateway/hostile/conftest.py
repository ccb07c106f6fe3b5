"""A gateway for all that is done to it here, and the provider behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.alone import Alone, alone, endpoint, routes
from tests.gateway.provider import Process, spawn


@pytest.fixture(scope="module")
def provider() -> Iterator[Process]:
    with spawn() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(provider: Process, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    folder = tmp_path_factory.mktemp("hostile") / "gateway"
    known = routes(endpoint(provider.url))
    with alone(folder, known, body_bytes=1 << 20, receive_s=1.0, send_s=1.0, open_requests=200) as made:
        yield made
        assert "Traceback" not in made.log()
