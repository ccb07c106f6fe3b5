"""Several transformations in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stargate.rehearsal.traces.job import Job
from stargate.rehearsal.traces.transform.assign import Assign, assigned
from stargate.rehearsal.traces.transform.filter import Filter, filtered
from stargate.rehearsal.traces.transform.scale import Scale, scaled
from stargate.rehearsal.traces.transform.splice import Splice, spliced

Transformation = Scale | Splice | Filter | Assign


def transformed(jobs: Iterable[Job], steps: Iterable[Transformation]) -> Iterator[Job]:
    """The jobs after each step in turn; nothing is read before it is asked for."""
    stream = iter(jobs)
    for step in steps:
        if isinstance(step, Scale):
            stream = scaled(stream, step)
        elif isinstance(step, Splice):
            stream = spliced(stream, step)
        elif isinstance(step, Filter):
            stream = filtered(stream, step)
        else:
            stream = assigned(stream, step)
    return stream
