"""Parts of traces, set one after the other or one over the other."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.rehearsal.traces.job import FARTHEST_SECONDS, Job, Seconds
from stargate.rehearsal.traces.transform.moment import Record, at, moved


class Splice(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do", tag="splice"
):
    """A window of a trace, how often it is played, and when it begins."""

    from_seconds: Seconds = 0
    to_seconds: Seconds | None = None
    """Exclusive; not given: to the end."""
    repeat: Annotated[int, Meta(ge=1, le=100_000)] = 1
    period_seconds: Annotated[int, Meta(ge=1, le=FARTHEST_SECONDS)] | None = None
    """From one beginning to the next; not given: the window's length, or of an open window until after its last
    submission."""
    shift_seconds: Seconds = 0
    """When the first one begins."""

    def __post_init__(self) -> None:
        if self.to_seconds is not None and self.to_seconds <= self.from_seconds:
            raise ValueError("the window ends before it begins; make to_seconds larger than from_seconds")


def spliced(records: Iterable[Record], how: Splice) -> Iterator[Record]:
    """The window's records, its start moved to `shift_seconds`. Repeats are called `17+1`, `17+2`.

    Reading ends with the window. Memory: the window, where it is repeated; else nothing. Repeats that are longer
    than their period overlap, and come in order nevertheless.
    """
    if how.repeat == 1:
        for record in _window(records, how):
            yield moved(record, at(record) - how.from_seconds + how.shift_seconds)
        return
    held = list(_window(records, how))
    if not held:
        return
    length = at(held[-1]) + 1 if how.to_seconds is None else how.to_seconds
    period = how.period_seconds or max(int(length) - how.from_seconds, 1)
    plays = (
        _play(held, number, how.shift_seconds - how.from_seconds + number * period)
        for number in range(how.repeat)
    )
    if period >= length - how.from_seconds:
        for play in plays:
            yield from play
    else:
        yield from heapq.merge(*plays, key=at)


def _window(records: Iterable[Record], how: Splice) -> Iterator[Record]:
    for record in records:
        if how.to_seconds is not None and at(record) >= how.to_seconds:
            return
        if at(record) >= how.from_seconds:
            yield record


def _play(held: list[Record], number: int, shift: int) -> Iterator[Record]:
    suffix = f"+{number}" if number else ""
    for record in held:
        yield moved(record, at(record) + shift, suffix)


def merged(streams: Mapping[str, Iterable[Job]]) -> Iterator[Job]:
    """Several ordered streams of jobs as one; a job's id is led by its stream's name, as `philly/17`."""
    return heapq.merge(*(_named(name, jobs) for name, jobs in streams.items()), key=at)


def _named(name: str, jobs: Iterable[Job]) -> Iterator[Job]:
    for job in jobs:
        yield msgspec.structs.replace(job, id=f"{name}/{job.id}")
