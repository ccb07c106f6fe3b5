"""More or less of a trace: in time, in size, in number."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from stargate.rehearsal.traces.job import FARTHEST_SECONDS, MOST_CHIPS, Job
from stargate.rehearsal.traces.request import Request
from stargate.rehearsal.traces.transform.moment import Record, at, moved

Factor = Annotated[float, Meta(gt=0, le=1_000_000)]


class Scale(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do", tag="scale"
):
    """Factors; what is not given stays. Of requests, `run` and `chips` change nothing."""

    time: Factor = 1.0
    """Of the time between submissions: 0.5 makes a trace twice as dense."""
    run: Factor = 1.0
    """Of run times, requested times and deadlines."""
    chips: Factor = 1.0
    """Of the accelerators of each job, to the nearest, at least one."""
    most_chips: Annotated[int, Meta(ge=1, le=MOST_CHIPS)] = MOST_CHIPS
    """No job becomes larger."""
    count: Annotated[float, Meta(ge=0, le=10_000)] = 1.0
    """Of the number of records: 0.1 keeps every tenth by lot, 2.5 gives each once or twice more."""
    spread_seconds: Annotated[int, Meta(ge=0, le=FARTHEST_SECONDS)] = 3600
    """Copies come at random within this time after their original."""
    seed: int = 0


def scaled(records: Iterable[Record], how: Scale) -> Iterator[Record]:
    """The records, in order, with factors applied. Copies are called `17~1`, `17~2`.

    Memory: the copies that wait for their time, at most those of `spread_seconds`.
    """
    chance = random.Random(how.seed)  # noqa: S311 - reproducible, not secret
    certain = int(how.count)
    rest = how.count - certain
    waiting: list[tuple[float, int, Record]] = []
    place = 0
    for original in records:
        record = _sized(original, how)
        now = at(record)
        while waiting and waiting[0][0] <= now:
            yield heapq.heappop(waiting)[2]
        copies = certain + (chance.random() < rest) if rest else certain
        if copies:
            yield record
        for number in range(1, copies):
            later = now + chance.random() * how.spread_seconds
            place += 1
            copy = moved(record, later, f"~{number}")
            heapq.heappush(waiting, (at(copy), place, copy))
    while waiting:
        yield heapq.heappop(waiting)[2]


def _sized(record: Record, how: Scale) -> Record:
    changes = _changes(record, how)
    sized = msgspec.structs.replace(record, **changes) if changes else record
    return sized if how.time == 1 else moved(sized, at(sized) * how.time)


def _changes(record: Job | Request, how: Scale) -> dict[str, Any]:
    if not isinstance(record, Job) or (how.run == 1 and how.chips == 1 and how.most_chips == MOST_CHIPS):
        return {}
    chips = min(max(round(record.chips * how.chips), min(record.chips, 1)), how.most_chips)
    nodes = record.nodes
    if chips != record.chips and nodes:
        nodes = -(-chips // record.chips_per_node) if record.chips_per_node else 0
    deadline = record.deadline_seconds
    return {
        "chips": chips,
        "nodes": nodes,
        "run_seconds": _longer(record.run_seconds, how.run),
        "requested_seconds": _longer(record.requested_seconds, how.run),
        "deadline_seconds": None if deadline is None else _longer(deadline, how.run),
    }


def _longer(seconds: int, factor: float) -> int:
    return min(round(seconds * factor), FARTHEST_SECONDS)
