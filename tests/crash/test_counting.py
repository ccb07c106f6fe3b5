"""Kill a server with its ledger, again and again: every hour is counted once, as if nobody had disturbed it.

The undisturbed run is the journal itself, followed from its beginning into an empty ledger.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from stargate.agreements import Period
from stargate.base.time import Instant
from stargate.cli import main
from stargate.ledger import Store, open_store
from stargate.ledger.verify import verify
from tests.crash.counting import BEGIN

KILLS = int(os.environ.get("STARGATE_KILLS", "6"))
SEED = int(os.environ.get("STARGATE_SEED", "1"))
ALWAYS = Period(BEGIN, Instant.parse("2030-01-01"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180 + 30 * KILLS)]


def test_killed_at_any_moment_it_counts_each_hour_once(tmp_path: Path) -> None:
    """Lines, usage and mark are those of an undisturbed run; the chain verifies."""
    chance, epoch_ns = random.Random(SEED), time.time_ns()
    command = [sys.executable, "-m", "tests.crash.counting", str(tmp_path), str(epoch_ns)]
    for _ in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.2, 3))
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
    folder = tmp_path / "server"
    kept, other = folder / "ledger.sqlite", tmp_path / "undisturbed.sqlite"
    lively = open_store(kept)
    assert len(list(lively.usage(ALWAYS))) > 0, "it counted something while it lived"
    lively.close()
    for ledger in (kept, other):
        words = ["ledger", "follow", str(folder), "--quiet", "--ledger", str(ledger)]
        said = CliRunner().invoke(main, words)
        assert said.exit_code == 0, said.output
        assert "refused" not in said.output
    one, two = (open_store(path, readonly=True) for path in (kept, other))
    assert said_by(one) == said_by(two)
    assert verify(one.audit()).faults == ()
    one.close()
    two.close()


def said_by(store: Store) -> tuple[object, ...]:
    """What a ledger comes to, whatever the way it came about."""
    events = sorted((event.source, event.key, event.fingerprint()) for event in store.usage(ALWAYS))
    lines = sorted((line.key.id, line.micro, line.posted_micro) for line in store.lines("2026-03"))
    return events, lines, store.balances(), store.progress("journal:main")
