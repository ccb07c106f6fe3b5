"""A ledger of an older format, kept as rows: `python -m tests.ledger.store.golden` writes `step1.json`.

The tables are those of the first step. It was released so, and is never edited: later changes are steps of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from stargate.base.time import DAY
from stargate.ledger import Ledger, Store, open_store
from stargate.ledger.record.month import span_of
from stargate.ledger.store import schema, sqlite
from tests.ledger.making import BEGIN, MONTHS, events, paper

KEPT = Path(__file__).with_name("step1.json")
TABLES = (
    "stream", "source", "usage_event", "terms", "subject", "standing", "account", "entry", "balance", "month",
    "progress", "block",
)  # fmt: skip


def first_step() -> str:
    """Its digest."""
    return sha256("\n".join(schema.STEPS[0]).encode()).hexdigest()


def older(patch: pytest.MonkeyPatch, *modules: Any) -> None:
    """For as long as the patch holds, programs know the first step only."""
    for module in modules:
        patch.setattr(module, "STEPS", schema.STEPS[:1])
        patch.setattr(module, "KEPT", tuple(name for name in schema.KEPT if name in TABLES))


def write(store: Store) -> None:
    """A month that is closed, and one that is open."""
    ledger = Ledger(store)
    ledger.declare([paper()], (), BEGIN)
    ledger.take(events(40), BEGIN)
    ledger.rate(BEGIN)
    ledger.close(MONTHS[0], span_of(MONTHS[0]).end.plus(DAY))


def rows(store: Store, table: str) -> Iterator[list[Any]]:
    """As they go into JSON: bytes as {"hex": ...}."""
    for row in store._database.run(f"SELECT * FROM {table} ORDER BY 1, 2"):
        yield [{"hex": value.hex()} if isinstance(value, bytes) else value for value in row]


def fill(store: Store) -> None:
    """Put the rows that are kept into a ledger of the first step."""
    kept = json.loads(KEPT.read_text())
    with store._database.writing():
        for table, columns in kept["columns"].items():
            read = [
                tuple(bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for value in row)
                for row in kept["rows"][table]
            ]
            store._database.insert(table, columns, read)


def main() -> None:
    """Write the file."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        older(patch, sqlite, schema)
        store = open_store(Path(folder, "ledger.sqlite"), durable=False)
        write(store)
        columns = {
            table: [row[1] for row in store._database.run(f"PRAGMA table_info({table})")] for table in TABLES
        }
        kept = {
            "first_step": first_step(),
            "columns": columns,
            "rows": {table: list(rows(store, table)) for table in TABLES},
        }
        store.close()
    KEPT.write_text(json.dumps(kept, ensure_ascii=False).replace("], [", "],\n[") + "\n")


if __name__ == "__main__":
    main()
