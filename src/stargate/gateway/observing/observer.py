"""Who watches a process: its counts, its log and its traces, and the loop that puts them where they are read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from stargate.gateway.observing.access_log import AccessLog
from stargate.gateway.observing.counts import Counts
from stargate.gateway.observing.exposition import exposition
from stargate.gateway.observing.family import BY_NAME
from stargate.gateway.observing.histogram import Histogram
from stargate.gateway.observing.passage import Passage
from stargate.gateway.observing.process import process_gauges
from stargate.gateway.observing.shelf import Shelf
from stargate.gateway.observing.snapshot import Gauges, Snapshot, Sum, total
from stargate.gateway.observing.tracing import Tracing
from stargate.gateway.record import Admitted, Endpoint, Settled

LOOK_S = 0.25
"""How often it looks how late the event loop is."""
PUT_S = 1.0
"""How often it puts down what it has counted, and writes the log."""
_log = logging.getLogger("stargate.gateway")


class Observer:
    """One worker's. Without a shelf, a log and tracing it counts, and nobody hears of it."""

    def __init__(
        self,
        clock_us: Callable[[], int],
        shelf: Shelf | None = None,
        log: AccessLog | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._clock_us = clock_us
        self._shelf = shelf
        self._log = log
        self._tracing = tracing
        self._counts = Counts()
        self._commits = Histogram(BY_NAME["spool_commit_seconds"].bounds_us)
        self._lags = Histogram(BY_NAME["event_loop_lag_seconds"].bounds_us)
        self._reading: asyncio.Future[Sum] | None = None
        self.gauges: Callable[[], Gauges] = tuple
        """What else is to be told of this worker as it is."""
        self.open: dict[str, Passage] = {}
        """Requests under way, by their ids."""

    # -- on the way of every request -----------------------------------------------------------------------

    def begin(self, request: str) -> Passage:
        """A request has arrived."""
        passage = self.open[request] = Passage(request, self._clock_us())
        return passage

    def asks(self, passage: Passage, operation: str, headers: Any) -> None:
        """It asks for something of a model."""
        passage.operation = operation
        traceparent = headers.get("traceparent")
        if traceparent is not None:
            passage.trace(traceparent, headers.get("tracestate"))
        if self._tracing is not None:
            self._tracing.begin(passage)

    def settled(self, endpoint: Endpoint, admitted: Admitted, settled: Settled) -> None:
        """One of its attempts is settled."""
        way = self._counts.settled(endpoint, admitted, settled)
        passage = self.open.get(admitted.request)
        if passage is None:
            return
        passage.tries += 1
        if settled.chargeable or passage.settled is None or not passage.settled.chargeable:
            passage.endpoint, passage.admitted, passage.settled, passage.way = (
                endpoint,
                admitted,
                settled,
                way,
            )
        if self._tracing is not None:
            self._tracing.settled(passage, admitted, settled)

    def end(self, passage: Passage, scope: Any) -> None:
        """It is over, whatever became of it."""
        self.open.pop(passage.request, None)
        if not passage.operation:
            return
        now_us = self._clock_us()
        self._counts.ended(passage, now_us)
        if self._log is not None:
            self._log.write(passage, now_us, scope.client)
        if passage.span is not None and self._tracing is not None:
            self._tracing.end(passage, now_us)

    def committed(self, took_us: int) -> None:
        """What had gathered in the spool is on disk, and it took so long."""
        self._commits.note(took_us)

    # -- beside it -----------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """What this process has counted."""
        counted = self._counts.taken()
        counters = [*counted.counters, ("starts", ("worker",), 1)]
        if self._log is not None:
            counters.append(("access_log_dropped_lines", (), self._log.dropped_lines))
        if self._tracing is not None:
            counters += [("spans", (result,), count) for result, count in self._tracing.spans.items()]
        streams = sum(passage.stream for passage in self.open.values())
        return Snapshot(
            counters,
            [
                *counted.histograms,
                ("spool_commit_seconds", (), self._commits.counts, self._commits.sum_us),
                ("event_loop_lag_seconds", (), self._lags.counts, self._lags.sum_us),
            ],
            [
                *process_gauges("worker"),
                ("open_requests", (), sum(bool(passage.operation) for passage in self.open.values())),
                ("open_streams", (), streams),
                *self.gauges(),
            ],
        )

    async def run(self) -> None:
        """Look how late the loop is, and put down what was counted. Until cancelled."""
        loop = asyncio.get_running_loop()
        put_s = 0.0
        while True:
            due_s = loop.time() + LOOK_S
            await asyncio.sleep(LOOK_S)
            late_s = loop.time() - due_s
            self._lags.note(max(0, round(late_s * 1e6)))
            if loop.time() >= put_s:
                put_s = loop.time() + PUT_S
                await self.put()

    async def put(self) -> None:
        """Put down what was counted, and write the log. What cannot be written now is tried again."""
        snapshot, lines = self.snapshot(), self._log.gathered() if self._log is not None else []
        try:
            await asyncio.to_thread(self._put, snapshot, lines)
        except OSError as error:
            _log.warning("what was counted cannot be put down: %s", error)

    def _put(self, snapshot: Snapshot, lines: list[bytes]) -> None:
        if self._log is not None:
            self._log.put(lines)
        if self._shelf is not None:
            self._shelf.put(snapshot)

    async def metrics(self, accept: str) -> tuple[str, bytes]:
        """Content type and text of what all processes of the host have counted. Raises OSError.

        What is told was put down before: whoever is asked next tells no less.
        """
        reading = self._reading
        if reading is None:
            reading = self._reading = asyncio.ensure_future(self._read())
            reading.add_done_callback(self._has_read)
        made = await asyncio.shield(reading)
        return await asyncio.to_thread(exposition, made, accept)

    def _has_read(self, _: object) -> None:
        self._reading = None

    async def _read(self) -> Sum:
        snapshot = self.snapshot()
        shelf = self._shelf
        if shelf is None:
            return total([snapshot])

        def read() -> Sum:
            with suppress(OSError):  # on a full disk the one before tells more than nothing
                shelf.put(snapshot)
            return shelf.total()

        return await asyncio.to_thread(read)

    async def close(self) -> None:
        """Put down the last of it."""
        await self.put()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)
        if self._shelf is not None:
            self._shelf.close()
