"""Golden journals: what each release wrote, and what it folds to.

`python -m tests.journal.golden.make`, from the root of the repository, writes the journal of this release: once,
when the release is cut. Later releases read the file as it was written.

`python -m tests.journal.golden.make --digests` records what this program folds the journals to. A state whose
records have changed has another digest for the same history; the figures that do not depend on
the layout must stay what they were, or it refuses.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stargate import __version__
from stargate.broker import Machine
from stargate.journal import SqliteReader, restart
from stargate.journal.restart import form
from tests.crash.faulty import FaultyJournal
from tests.crash.server import serve
from tests.crash.story import world

FOLDER = Path(__file__).parent


def figures(machine: Machine) -> dict[str, Any]:
    """What a history comes to, whatever the layout of the state."""
    records = machine.state.records
    return {
        "at": str(records.at),
        "workloads": {id: state.status for id, state in records.workloads.items()},
        "attempts": {id: state.outcome for id, state in records.attempts.items()},
        "needs": {id: need.outcome or need.status for id, need in records.sourcing.needs.items()},
        "offers": {id: offer.status for id, offer in records.sourcing.offers.items()},
        "leases": {id: lease.status for id, lease in records.sourcing.leases.items()},
        "cost_micro_usd": sum(state.cost_micro_usd for state in records.workloads.values()),
    }


def record(kept: Path) -> None:
    """Write beside a journal what this program folds it to."""
    told = kept.with_suffix(".json")
    known = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
    with SqliteReader(kept) as reader:
        found = restart(reader)
    head, now = str(found.head), figures(found.state)
    if known and (known["head"], known["figures"]) != (head, now):
        sys.exit(f"{kept.name} comes to something else than it did: that is a fault, not a new layout")
    digests = known.get("digests", {}) | {form(): found.state.state.digest()}
    text = json.dumps({"head": head, "figures": now, "digests": digests}, indent=2)
    told.write_text(text + "\n", encoding="utf-8")


def make(kept: Path) -> None:
    """Tell the story of `tests.crash.story`, and keep its journal, snapshots included, in one file."""
    with TemporaryDirectory() as name:
        path = Path(name) / "journal.db"
        journal = FaultyJournal(path)
        serve(world(), journal, snapshot_every=40)
        journal.close()
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
        connection.close()
        kept.write_bytes(path.read_bytes())


if __name__ == "__main__":
    if sys.argv[1:] == ["--digests"]:
        for journal in sorted(FOLDER.glob("*.db")):
            record(journal)
    elif (FOLDER / f"{__version__}.db").exists():
        sys.exit(f"the golden journal of {__version__} exists; a release is written once")
    else:
        make(FOLDER / f"{__version__}.db")
        record(FOLDER / f"{__version__}.db")
