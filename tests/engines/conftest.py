"""Stages for engines. One for a whole module where tests do not get in each other's way: agents take time to start."""

from __future__ import annotations

from itertools import count

import pytest

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """For the whole session, so that stages may stand longer than one test."""
    return "asyncio"


@pytest.fixture
def job() -> str:
    """The first attempt of a workload that nobody else has."""
    return f"job{next(_NUMBERS)}.0.1"
