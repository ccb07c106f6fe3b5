"""What the record says of usage: events, and sums of those that are alike."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator
from decimal import Decimal

from stargate.agreements import Period
from stargate.base.time import HOUR, Instant
from stargate.ledger.record import Rollup, UsageEvent
from stargate.ledger.record.opening import SOURCE as OPENING
from stargate.ledger.store.chain import Position
from stargate.ledger.store.database import Database, Row

_PART = 1_000_000
FEW = 50_000
"""Events that are looked through by their numbers; more, by when they began."""


class ReadingUse:
    """Questions about usage, and how far the record goes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def name(self) -> str:
        """Where it lies."""
        return self._database.name

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Questions asked within see one state of the record."""
        with self._database.reading():
            yield

    def position(self) -> Position:
        """How far the record goes."""
        query = "SELECT seq, usage_seq, terms_seq, entry_seq, hash FROM block ORDER BY seq DESC LIMIT 1"
        rows = self._database.run(query)
        return Position._make((*rows[0][:4], bytes(rows[0][4]))) if rows else Position()

    def rollups(
        self,
        after_seq: int,
        upto_seq: int,
        within: Period | None = None,
        grain: int = HOUR,
        metrics: Collection[str] | None = None,
    ) -> Iterator[Rollup]:
        """Usage on record after one number and up to another, what is alike summed over each hour (or `grain`).

        An hour of which only a part lies within the span starts with the span.
        """
        which, values = _which(after_seq, upto_seq, within)
        if metrics is not None:
            if not metrics:
                return
            which += f" AND {_of_metrics(metrics, 'stream')}"
            values += sorted(metrics)  # type: ignore[arg-type]  # values of a query
        query = (
            "SELECT used.span, used.whole, used.rest, stream.metric, stream.party, stream.provider, stream.quoted_usd,"
            " stream.attributes FROM (SELECT start_us / ? * ? AS span, stream,"
            # In two parts, that no sum of 64 bits overflows: what one event says too much, another takes back.
            f" sum(micro / {_PART}) AS whole, sum(micro % {_PART}) AS rest"
            f" FROM usage_event WHERE {which} GROUP BY 1, 2) AS used"
            " JOIN stream ON stream.id = used.stream ORDER BY used.span, stream.digest"
        )
        values = [grain, grain, *values]
        read: dict[str, dict[str, str]] = {}
        for start, whole, rest, metric, party, provider, quoted, text in self._database.stream(query, values):
            attributes = read.get(text)
            if attributes is None:
                attributes = read[text] = json.loads(text)
            yield Rollup(
                hour=Instant(start if within is None else max(start, within.start)),
                metric=metric,
                party=party,
                provider=provider,
                quoted_usd=decimal_of(quoted),
                attributes=attributes,
                micro=int(whole) * _PART + int(rest),
            )

    def usage(
        self, within: Period, upto_seq: int | None = None, metrics: Collection[str] | None = None
    ) -> Iterator[UsageEvent]:
        """The events themselves, in the order in which they came; with metrics, those of them."""
        limit = self.position().usage_seq if upto_seq is None else upto_seq
        where, values = "u.start_us >= ? AND u.start_us < ? AND u.seq <= ?", [within.start, within.end, limit]
        if metrics is not None:
            where += f" AND {_of_metrics(metrics, 'u.stream')}"
            values += sorted(metrics)  # type: ignore[arg-type]  # values of a query
        return iter(()) if metrics is not None and not metrics else self._events(where, values)

    def openings(self) -> Iterator[UsageEvent]:
        """What was brought from other books: see `record/opening.py`."""
        return self._events("u.source IN (SELECT id FROM source WHERE name LIKE ?)", (f"{OPENING}%",))

    def _events(self, where: str, values: Row) -> Iterator[UsageEvent]:
        query = (
            "SELECT source.name, u.event, stream.metric, u.micro, u.start_us, u.end_us, stream.party,"
            " stream.provider, stream.quoted_usd, stream.attributes, u.corrects FROM usage_event AS u"
            " JOIN stream ON stream.id = u.stream JOIN source ON source.id = u.source"
            f" WHERE {where} ORDER BY u.seq"
        )
        for row in self._database.stream(query, values):
            yield UsageEvent(
                source=row[0],
                key=row[1],
                metric=row[2],
                quantity=Decimal(row[3]).scaleb(-6),
                start=Instant(row[4]),
                end=None if row[5] is None else Instant(row[5]),
                party=row[6],
                provider=row[7],
                quoted_usd=decimal_of(row[8]),
                attributes=json.loads(row[9]),
                corrects=row[10],
            )

    def usage_sealed(self, within: Period, upto_seq: int) -> Iterator[tuple[str, str, bytes]]:
        """Source, key and fingerprint of each event of a span, in the order of their names."""
        query = (
            "SELECT source.name, u.event, u.fingerprint FROM usage_event AS u JOIN source ON source.id = u.source"
            " WHERE u.start_us >= ? AND u.start_us < ? AND u.seq <= ? ORDER BY source.name, u.event"
        )
        for source, event, fingerprint in self._database.stream(query, (within.start, within.end, upto_seq)):
            yield source, event, bytes(fingerprint)

    def hours_used(
        self, after_seq: int, upto_seq: int, within: Period | None = None
    ) -> list[tuple[Instant, int]]:
        """The hours in which usage lies that came after one number and up to another, in order, with its events."""
        which, values = _which(after_seq, upto_seq, within)
        query = f"SELECT start_us / ? * ?, count(*) FROM usage_event WHERE {which} GROUP BY 1 ORDER BY 1"
        rows = self._database.run(query, (HOUR, HOUR, *values))
        return [(Instant(hour), int(events)) for hour, events in rows]


def _which(after_seq: int, upto_seq: int, within: Period | None) -> tuple[str, list[int]]:
    """The condition that picks events after one number and up to another, in a span, and its values.

    Few numbers name few rows, else a span does. SQLite would always go by the numbers: `+` keeps it from that.
    """
    values = [after_seq, upto_seq]
    if within is None:
        return "seq > ? AND seq <= ?", values
    seq = "seq" if upto_seq - after_seq <= FEW else "+seq"
    return f"{seq} > ? AND {seq} <= ? AND start_us >= ? AND start_us < ?", [*values, within.start, within.end]


def _of_metrics(metrics: Collection[str], stream: str) -> str:
    return f"{stream} IN (SELECT id FROM stream WHERE metric IN ({', '.join('?' * len(metrics))}))"


def decimal_of(text: str | None) -> Decimal | None:
    """A number as the record writes it, where there is one."""
    return None if text is None else Decimal(text)
