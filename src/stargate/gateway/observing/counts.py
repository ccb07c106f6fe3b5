"""What a worker counts of requests. All of it is plain numbers, found by one look for each way that requests go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from stargate.gateway.observing.family import BY_NAME
from stargate.gateway.observing.histogram import Histogram
from stargate.gateway.observing.passage import Passage
from stargate.gateway.observing.snapshot import Labels
from stargate.gateway.record import Admitted, Endpoint, Settled

LEFT_STATUS = 499
"""What is counted as the status where the client left before it was told one; nginx's word for it."""
WAYS_LIMIT = 5_000
_KINDS = ("input", "cached", "output", "reasoning")
_FIRST, _DURATION, _TOKEN = (
    BY_NAME[name].bounds_us
    for name in ("time_to_first_token_seconds", "request_duration_seconds", "time_per_output_token_seconds")
)


class Way:
    """What is counted of one model, provider and operation."""

    __slots__ = ("attempts", "duration", "first", "requests", "token", "tokens")

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}
        self.attempts: dict[tuple[str, int], int] = {}
        """By outcome and status."""
        self.tokens: dict[str, list[int]] = {}
        """By who counted them."""
        self.first = Histogram(_FIRST)
        self.duration = Histogram(_DURATION)
        self.token = Histogram(_TOKEN)


class Counted(NamedTuple):
    """All of it, for a snapshot."""

    counters: list[tuple[str, Labels, int]]
    histograms: list[tuple[str, Labels, list[int], int]]


class Counts:
    """One worker's."""

    def __init__(self) -> None:
        self._ways: dict[tuple[str, str, str], Way] = {}
        self._refusals: dict[str, int] = {}

    def settled(self, endpoint: Endpoint, admitted: Admitted, settled: Settled) -> Way:
        """An attempt is settled; where it is counted."""
        name = (admitted.model, endpoint.provider, admitted.operation)
        way = self._ways.get(name)
        if way is None:
            way = self._new(name)
        key = (settled.outcome, settled.status)
        way.attempts[key] = way.attempts.get(key, 0) + 1
        if settled.counted != "none":
            used = settled.tokens
            sums = way.tokens.get(settled.counted)
            if sums is None:
                sums = way.tokens[settled.counted] = [0, 0, 0, 0]
            sums[0] += used.input_tokens
            sums[1] += used.cached_tokens
            sums[2] += used.output_tokens
            sums[3] += used.reasoning_tokens
        return way

    def ended(self, passage: Passage, now_us: int) -> None:
        """A request is over."""
        way, settled = passage.way, passage.settled
        if passage.code:
            self._refusals[passage.code] = self._refusals.get(passage.code, 0) + 1
        if way is None or settled is None:
            # Nobody was asked, so the model may be any text of a client's: it is no label.
            name = ("", "", passage.operation)
            way = self._ways.get(name) or self._new(name)
            key = ("refused" if passage.code else "done" if passage.status else "aborted", passage.status)
        else:
            key = (settled.outcome, passage.status)
            if settled.outcome == "done":
                way.duration.note(now_us - passage.began_us)
                if passage.stream and passage.first_us:
                    way.first.note(passage.first_us - passage.began_us)
                    if settled.tokens.output_tokens > 1:
                        way.token.note((now_us - passage.first_us) // (settled.tokens.output_tokens - 1))
        way.requests[key] = way.requests.get(key, 0) + 1

    def _new(self, name: tuple[str, str, str]) -> Way:
        if len(self._ways) >= WAYS_LIMIT:
            name = ("other", "other", name[2])
        return self._ways.setdefault(name, Way())

    def taken(self) -> Counted:
        """As it stands."""
        counters: list[tuple[str, Labels, int]] = [
            ("refusals", (code,), count) for code, count in self._refusals.items()
        ]
        histograms: list[tuple[str, Labels, list[int], int]] = []
        for labels, way in self._ways.items():
            counters += _by_outcome("requests", labels, way.requests)
            counters += _by_outcome("attempts", labels, way.attempts)
            for source, sums in way.tokens.items():
                counters += [
                    ("tokens", (labels[0], labels[1], kind, source), count)
                    for kind, count in zip(_KINDS, sums, strict=True)
                ]
            histograms += [
                (name, labels, histogram.counts, histogram.sum_us)
                for name, histogram in (
                    ("time_to_first_token_seconds", way.first),
                    ("request_duration_seconds", way.duration),
                    ("time_per_output_token_seconds", way.token),
                )
                if any(histogram.counts)
            ]
        return Counted(counters, histograms)


def _by_outcome(
    name: str, labels: Labels, found: dict[tuple[str, int], int]
) -> Iterator[tuple[str, Labels, int]]:
    for (outcome, status), count in found.items():
        told = LEFT_STATUS if name == "requests" and not status else status
        yield name, (*labels, outcome, str(told)), count
