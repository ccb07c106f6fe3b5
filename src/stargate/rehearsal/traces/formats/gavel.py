"""Gavel's traces (Narayanan et al., OSDI'20): tab-separated `*.trace` of typed jobs.

Three generations are read: 6 columns (seen in the repository; its types mostly lack the batch size that the table
below asks for), 7 (the `msr` traces) and 10 (what Gavel's code of 2021 parses); of the last two, real files. A job
states steps, not seconds: seconds are steps over the steps a second that Gavel's own table gives for a V100
(`data/gavel_v100.json`). As in Gavel, jobs whose type and size the table lacks cannot run and are left out. Their
SLO, a multiple of the duration, becomes the deadline.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import msgspec

from stargate.rehearsal.traces.cell import chips, number, optional, word
from stargate.rehearsal.traces.format import Format, Options, first_rows, mostly
from stargate.rehearsal.traces.job import FARTHEST_SECONDS, Job
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source

# Where the type, the steps, the accelerators and the arrival stand in a row, by its number of columns.
PLACES = {6: (0, 3, 5, 4), 7: (0, 4, 6, 5), 10: (0, 5, 6, 9)}
SLO = 8
"""Where the SLO stands in a row of 10; negative: none."""
MOST_STEPS = 10**12


class _Throughputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    steps_per_second: dict[str, dict[int, float]]


@cache
def throughputs() -> dict[str, dict[int, float]]:
    """Steps a second on V100s, by job type and number of accelerators."""
    text = files("stargate.rehearsal.traces").joinpath("data/gavel_v100.json").read_bytes()
    return msgspec.json.decode(text, type=_Throughputs).steps_per_second


def read(source: Source, skipped: Skipped, options: Options) -> Iterator[Job]:
    """The jobs in the file's order, called by their line as Gavel counts them: from 0."""
    index = -1
    for line, text in source.lines():
        if not text.strip():
            continue
        index += 1
        try:
            yield _job(index, text.split("\t"))
        except ValueError as error:
            skipped.count(str(error), line)


def _job(index: int, columns: list[str]) -> Job:
    places = PLACES.get(len(columns))
    if places is None:
        raise ValueError("the row has neither 6, 7 nor 10 columns")
    model, steps, count, arrival = (columns[place].strip() for place in places)
    held = chips(count)
    rate = throughputs().get(model, {}).get(held)
    if rate is None:
        raise ValueError("Gavel's table has no throughput for this type on so many accelerators")
    run = round(number(steps, "the number of steps", MOST_STEPS) / rate)
    slo = optional(columns[SLO]) if len(columns) == 10 else None
    return Job(
        id=str(index),
        submit_seconds=int(number(arrival, "the arrival")),
        run_seconds=min(run, FARTHEST_SECONDS),
        chips=held,
        requested_seconds=min(run, FARTHEST_SECONDS),
        chip="V100",
        model=word(model),
        deadline_seconds=None if slo is None else min(round(slo * run), FARTHEST_SECONDS),
    )


def _fits(head: str) -> bool:
    return mostly(first_rows(head), _is_row)


def _is_row(line: str) -> bool:
    columns = line.split("\t")
    places = PLACES.get(len(columns))
    return places is not None and all(optional(columns[place]) is not None for place in places[1:])


FORMAT = Format(
    name="gavel",
    about="Gavel (stanford-futuredata/gavel: *.trace)",
    expects="6, 7 or 10 columns separated by tabs: job type, command, …, steps, arrival, accelerators",
    files=r".*\.trace",
    fits=_fits,
    read=read,
    gives="jobs",
)
