"""What a steward tells operators: what it ships, what it does not get rid of, and that it lives."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from stargate.gateway.metering import Backlog, Shipper
from stargate.gateway.observing import Shelf, Snapshot, process_gauges
from stargate.gateway.record import Receipt

PUT_S = 1.0
"""How often it puts down what it has counted."""
_log = logging.getLogger("stargate.gateway.steward")


class Watch:
    """One steward's. Raises OSError where the host's folder cannot be written."""

    def __init__(self, metrics: Path, clock_us: Callable[[], int]) -> None:
        self._shelf = Shelf(metrics, f"steward-{secrets.token_hex(8)}")
        self._clock_us = clock_us
        self._shipments = Counter(arrived=0, failed=0)
        self._shipped = 0
        self._unfit = 0

    def arrived(self, receipt: Receipt, attempts: int) -> None:
        """A batch is with the control plane."""
        self._shipments["arrived"] += 1
        self._shipped += attempts
        self._unfit += len(receipt.unfit)

    def failed(self) -> None:
        """It is not, or that is not known."""
        self._shipments["failed"] += 1

    async def run(self, shipper: Shipper) -> None:
        """Put down what was counted, until cancelled."""
        try:
            while True:
                snapshot = self.snapshot(await shipper.backlog())
                try:
                    await asyncio.to_thread(self._shelf.put, snapshot)
                except OSError as error:
                    _log.warning("what was counted cannot be put down: %s", error)
                await asyncio.sleep(PUT_S)
        finally:
            self._shelf.close()

    def snapshot(self, backlog: Backlog) -> Snapshot:
        """What it has counted, and what is not yet shipped."""
        age_us = max(0, self._clock_us() - backlog.oldest_us) if backlog.oldest_us else 0
        return Snapshot(
            [
                *(("shipments", (result,), count) for result, count in self._shipments.items()),
                ("shipped_attempts", (), self._shipped),
                ("unfit_attempts", (), self._unfit),
                ("starts", ("steward",), 1),
            ],
            (),
            [
                *process_gauges("steward"),
                ("spool_backlog_attempts", (), backlog.attempts),
                ("spool_backlog_age_seconds", (), age_us / 1e6),
                ("spool_unresolved_attempts", (), backlog.unresolved),
                ("spool_bytes", (), backlog.size_bytes),
                ("spool_epochs", (), backlog.epochs),
                ("spool_unreadable_epochs", (), len(backlog.troubles)),
            ],
        )
