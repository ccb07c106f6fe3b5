"""Statements over many rows, measured here: `python -m bench.statement [--json FILE] [--rows N] [--rounds N]`.

An archive of one month with N usage rows (default: ten million) and as many entries, each of an hour of a job, is
read through the ledger's own questions, beside bare DuckDB aggregations over the same Parquet files, each of which
answers the same and no more:

- statement: the lines between two parties, down to the digest. Target: at most twice the bare aggregation.
- by team and day: the same statement in groups.
- usage: what each team used, at the prices quoted and as charged. Two bare aggregations: usage, and charges.

Both run in turn, each time on a connection of its own; figures are medians of the rounds, CPU time is that of this
process with DuckDB's threads, ratios are of CPU time. The peak of memory is that of a process of its own for each of
our reports, and for the page with all that is behind each line. The rows are made by DuckDB in the archive's format:
they did not pass through a ledger, are more regular than real ones, and no root is over them. Needs Linux. Ends with
status 1 when the target is missed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from stargate.base.time import Instant
from stargate.ledger import Ledger
from stargate.ledger.archive import Archive, Closing, File, Manifest
from stargate.ledger.archive.duck import connect
from stargate.ledger.archive.manifest import write
from stargate.ledger.statement import draw
from stargate.ledger.statement.page import LINES_LIMIT, page
from stargate.ledger.store.copying import COPIED

TARGET = 2.0
MONTH = "2026-01"
START = Instant.parse("2026-01-01")
PARTIES = ("openai", "oracle")
HOURS = 744
JOBS = 20_000
TEAMS = 40

Row = dict[str, Any]


def main() -> int:
    """Measure everything and report; 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    parser.add_argument("--rows", type=int, default=10_000_000, help="usage rows, and entries")
    parser.add_argument("--rounds", type=int, default=5, help="how often")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-statement-") as name:
        folder = Path(name)
        make(folder, options.rows)
        figures = measured(folder, options.rows, options.rounds)
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            peaks = {name: pool.apply(peak, (folder, name)) for name in REPORTS}
    for row in figures:
        print("  ".join(f"{key} {_text(value)}" for key, value in row.items()))
    print("peak MiB: " + "  ".join(f"{name} {mib:,.0f}" for name, mib in peaks.items()))
    print()
    print(json.dumps({"figures": figures, "peak_mib": peaks}))
    if options.json:
        said = json.dumps({"figures": figures, "peak_mib": peaks}, indent=2)
        Path(options.json).write_text(f"{said}\n", encoding="utf-8")
    if figures[0]["cpu_ratio"] > TARGET:
        print(
            f"MISSED: {figures[0]['cpu_ratio']:.2f} of a bare aggregation, target {TARGET}", file=sys.stderr
        )
        return 1
    return 0


def measured(folder: Path, rows: int, rounds: int) -> list[Row]:
    """Every report, ours and bare in turn."""
    reports: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "statement": (partial(statement, folder), partial(bare, folder, (BARE_STATEMENT,))),
        "by_team_and_day": (partial(groups, folder), partial(bare, folder, (BARE_GROUPS,))),
        "usage": (partial(usage, folder), partial(bare, folder, (BARE_USAGE, BARE_CHARGED))),
    }
    figures = []
    for name, (ours, plain) in reports.items():
        taken = [(*timed(ours), *timed(plain)) for _ in range(rounds)]
        wall, cpu, bare_wall, bare_cpu = (statistics.median(column) for column in zip(*taken, strict=True))
        figures.append(
            {
                "what": name,
                "rows": rows,
                "cpu_s": cpu,
                "bare_cpu_s": bare_cpu,
                "cpu_ratio": statistics.median(row[1] / row[3] for row in taken),
                "wall_s": wall,
                "bare_wall_s": bare_wall,
                "ratio": statistics.median(row[0] / row[2] for row in taken),
                "load": os.getloadavg()[0],
            }
        )
    return figures


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


# -- ours ----------------------------------------------------------------------------------------------------------


def statement(folder: Path) -> object:
    """As `stargate statement` makes it."""
    return Ledger(Archive(folder)).statement(PARTIES, MONTH)


def groups(folder: Path) -> object:
    """As `stargate statement --by team,day` makes it, without the statement."""
    ledger = Ledger(Archive(folder))
    position = ledger.store.position()
    drawn = draw((), {}, PARTIES, MONTH, as_of_entry=position.entry_seq)
    return ledger.grouped(drawn, ("team", "day"))


def usage(folder: Path) -> object:
    """As `stargate usage --by team` makes it."""
    return Ledger(Archive(folder)).used(MONTH, ("team",))


def paper(folder: Path) -> object:
    """As `stargate statement --html` makes it."""
    ledger = Ledger(Archive(folder))
    drawn = ledger.statement(PARTIES, MONTH)
    return page(drawn, ledger.details(drawn, LINES_LIMIT))


REPORTS: dict[str, Callable[[Path], object]] = {
    "nothing": Archive,
    "statement": statement,
    "by_team_and_day": groups,
    "usage": usage,
    "page": paper,
}


def peak(folder: Path, name: str) -> float:
    """MiB that a process of its own takes for a report."""
    REPORTS[name](folder)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]  # Linux says it


# -- bare ----------------------------------------------------------------------------------------------------------

BARE_STATEMENT = (
    "SELECT s.clause, s.kind, s.payer, s.payee, s.metric, s.price_usd, s.quoted_usd, sum(e.amount), sum(e.micro),"
    " count(*), min(e.start_us), max(e.end_us) FROM 'entry' AS e JOIN 'subject' AS s ON s.id = e.subject"
    f" WHERE e.month = '{MONTH}' AND s.payer IN {PARTIES} AND s.payee IN {PARTIES} GROUP BY ALL ORDER BY ALL"
)
BARE_GROUPS = (
    "SELECT s.attributes ->> 'team' AS team, e.start_us // 86400000000 AS day, s.payer, s.payee, sum(e.amount),"
    " sum(e.micro), count(*) FROM 'entry' AS e JOIN 'subject' AS s ON s.id = e.subject"
    f" WHERE e.month = '{MONTH}' AND s.payer IN {PARTIES} AND s.payee IN {PARTIES} GROUP BY ALL ORDER BY ALL"
)
BARE_USAGE = (
    "SELECT s.metric, s.attributes ->> 'team' AS team, s.quoted_usd, sum(u.micro)"
    " FROM 'usage_event' AS u JOIN 'stream' AS s ON s.id = u.stream GROUP BY ALL ORDER BY ALL"
)
BARE_CHARGED = (
    "SELECT s.metric, s.attributes ->> 'team' AS team, sum(e.micro), sum(e.amount) FROM 'entry' AS e"
    " JOIN 'subject' AS s ON s.id = e.subject GROUP BY ALL ORDER BY ALL"
)


def bare(folder: Path, queries: tuple[str, ...]) -> object:
    """The rows of queries over the files themselves."""
    connection = connect()
    found = []
    for query in queries:
        asked = query
        for table in COPIED:
            asked = asked.replace(f"'{table}'", f"'{folder / MONTH / table}.parquet'")
        found.append(connection.execute(asked).fetchall())
    connection.close()
    return found


# -- the archive ---------------------------------------------------------------------------------------------------


def make(folder: Path, rows: int) -> None:
    """A month of jobs, each an hour at a time, as an archive has it."""
    (folder / MONTH).mkdir()
    connection = duckdb.connect()
    connection.execute("SET memory_limit = '1GB'")
    said = (
        "json_object('chip', 'gb200', 'product', 'product-' || j % 12, 'site', 'site-' || j % 9,"
        f" 'team', 'team-' || j % {TEAMS}, 'workload', 'lm-' || j)"
    )
    payee = "['microsoft', 'oracle', 'coreweave'][j % 3 + 1]"
    job = f"(i * 7919 % {JOBS})"
    start = f"({int(START)} + i * {HOURS} // {rows} * 3600000000)"
    micro = "((8 * 3600 + i % 97) * 1000000)"
    zero = "repeat('00', 16)::BLOB"
    tables = {
        "usage_event": (
            f"i + 1 AS seq, 1 AS source, 'lm-' || {job} || '.0.' || i % 5 || '@' || {start} || '/' || i AS event,"
            f" {zero} AS fingerprint, {job} + 1 AS stream, {micro} AS micro, {start} AS start_us,"
            f" {start} + 3600000000 AS end_us, '' AS corrects, {start} + 3600000000 AS recorded_us"
            f" FROM range({rows}) t(i)"
        ),
        "entry": (
            f"i + 1 AS seq, i + 1 AS line, unhex(lpad(hex(i), 32, '0')) AS line_id, {job} + 1 AS subject,"
            f" {start} AS start_us, {start} + 3600000000 AS end_us, 1 AS nth, {micro} * 9 // 4 // 3600 AS amount,"
            f" {micro} AS micro, '{MONTH}' AS month, {start} + 3600000000 AS recorded_us, {rows} AS usage_seq,"
            f" {micro} // 1000000 || ' chip_seconds / 3,600 x $2.25 a chip_hour (the price quoted)' AS says,"
            f" '' AS text_ref, NULL::BIGINT AS due_us, NULL::BIGINT AS corrects FROM range({rows}) t(i)"
        ),
        "terms": (
            "1 AS seq, 'agreements' AS kind, ''::BLOB AS digest, 0 AS recorded_us, '\\x90'::BLOB AS body"
        ),
        "block": (f"1 AS seq, {rows} AS usage_seq, 1 AS terms_seq, {rows} AS entry_seq, {zero} AS hash"),
        "source": "1 AS id, 'journal:main' AS name",
        "stream": (
            f"j + 1 AS id, {zero} AS digest, 'chip_seconds' AS metric, 'openai' AS party, {payee} AS provider,"
            f" '2.25' AS quoted_usd, {said}::VARCHAR AS attributes FROM range({JOBS}) t(j)"
        ),
        "subject": (
            f"j + 1 AS id, {zero} AS digest, 'usage' AS kind, 'openai' AS payer, {payee} AS payee, '{MONTH}' AS month,"
            " '' AS clause, 'usd' AS unit, 'chip_seconds' AS metric, '2.25' AS price_usd, '2.25' AS quoted_usd,"
            f" '' AS portion, {said}::VARCHAR AS attributes FROM range({JOBS}) t(j)"
        ),
    }
    files = []
    for table, query in tables.items():
        path = folder / MONTH / f"{table}.parquet"
        connection.execute(f"COPY (SELECT {query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        size = path.stat().st_size
        files.append(File(table=table, path=f"{MONTH}/{path.name}", rows=rows, size_bytes=size, sha256=""))
    connection.close()
    upto = dict.fromkeys(COPIED, 1) | {"usage_event": rows, "entry": rows, "stream": JOBS, "subject": JOBS}
    closing = Closing(
        month=MONTH, closed_at=START, root="00" * 32, block="00" * 32, upto=upto, files=tuple(files)
    )
    write(folder, Manifest(closings=(closing,)))


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
