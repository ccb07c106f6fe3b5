"""Books of three months, and what FOCUS makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stargate.base.time import Instant
from stargate.ledger import Store, open_store
from stargate.ledger.focus.columns import Dataset
from stargate.ledger.focus.export import HEADERS, Export
from tests.ledger.focus.books import keep


class Exported(NamedTuple):
    """What was exported, in memory."""

    store: Store
    export: Export
    rows: dict[Dataset, list[dict[str, str]]]

    @property
    def charges(self) -> list[dict[str, str]]:
        """Rows of Cost and Usage."""
        return self.rows["Cost and Usage"]

    def like(self, **columns: str) -> list[dict[str, str]]:
        """Those that say so."""
        return [
            row for row in self.charges if all(row.get(name, "") == said for name, said in columns.items())
        ]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of three months, two of them closed; read it."""
    path = tmp_path_factory.mktemp("books") / "ledger.sqlite"
    store = open_store(path, durable=False)
    keep(store)
    store.close()
    return path


@pytest.fixture(scope="module")
def exported(books: Path) -> Iterator[Exported]:
    """All three months."""
    store = open_store(books, readonly=True)
    with store.snapshot():
        export = Export(store, "2026-01", "2026-03", Instant.parse("2026-03-20"))
        rows = {dataset: list(export.rows(dataset)) for dataset in HEADERS}
        yield Exported(store, export, rows)
    store.close()


@pytest.fixture
def tmp_store(tmp_path: Path) -> Iterator[Store]:
    """An empty ledger in a file."""
    store = open_store(tmp_path / "ledger.sqlite", durable=False)
    yield store
    store.close()
