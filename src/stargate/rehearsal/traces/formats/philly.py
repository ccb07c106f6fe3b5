"""Microsoft's Philly trace (Jeon et al., ATC'19), in both forms that people have.

`cluster_job_log` is the JSON of msr-fiddle/philly-traces: one array of jobs with their attempts. Known from
that repository's README and notebook; the file itself was not seen. As in the notebook, the accelerators are
those of the first attempt, and the run time goes from the first attempt's start to the last one's end.

`philly.csv` (timestamp, duration, num_gpus, gpu_time, cluster) is the shorter table that ElasticFlow, Pollux and
Sia ship; read from the real file. It has no ids: a job is called by its row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from stargate.rehearsal.traces.cell import LONGEST_TEXT, chips, moment, status, whole, word
from stargate.rehearsal.traces.format import Format, Options, has_columns
from stargate.rehearsal.traces.job import FARTHEST_SECONDS, Job
from stargate.rehearsal.traces.row import Row, fitting, rows
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source

LONGEST_ELEMENT = 8 * 1024 * 1024
"""Characters of one job in the JSON."""

_NEXT = re.compile(r"[,\]]\s*(?=\{)|\}\s*,\s*(?=\{\s*\"(?:status|vc|jobid|attempts|submitted_time|user)\")")


class _Server(msgspec.Struct):
    ip: str = ""
    gpus: list[Any] = []


class _Attempt(msgspec.Struct):
    start_time: str | None = None
    end_time: str | None = None
    detail: list[_Server] = []


class _Entry(msgspec.Struct):
    jobid: str
    submitted_time: str | None = None
    status: str = ""
    vc: str | None = None
    user: str | None = None
    attempts: list[_Attempt] = []


def elements(source: Source, skipped: Skipped) -> Iterator[Any]:
    """The elements of one JSON array, of which only one at a time is in memory.

    Where the text is no JSON, reading goes on at what looks like the next element.
    """
    decoder = json.JSONDecoder()
    held, begun, pieces = "", False, source.chunks()
    more = True
    while more or held.strip(" \t\r\n,]"):
        piece = next(pieces, "")
        more = bool(piece)
        held += piece
        if not begun:
            _, bracket, held = held.lstrip("\ufeff \t\r\n").partition("[")
            begun = bool(bracket)
        at = 0
        while begun:
            at = _start(held, at)
            if at >= len(held) or (more and len(held) - at < 2):
                break
            try:
                value, end = decoder.raw_decode(held, at)
            except (ValueError, RecursionError):
                if more and len(held) - at < LONGEST_ELEMENT:
                    break  # the element may end in what was not read yet
                skipped.count("not JSON")
                found = _NEXT.search(held, at + 1)
                at = found.end() if found else len(held)
            else:
                yield value
                at = end
        held = held[at:]


def _start(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,]":
        at += 1
    return at


def _read_log(source: Source, skipped: Skipped, options: Options) -> Iterator[Job]:
    for position, value in enumerate(elements(source, skipped), start=1):
        try:
            yield _from_entry(msgspec.convert(value, _Entry))
        except msgspec.ValidationError:
            skipped.count("not a job: a field is missing or of the wrong type", position)
        except ValueError as error:
            skipped.count(str(error), position)


def _from_entry(entry: _Entry) -> Job:
    if not entry.attempts:
        raise ValueError("the job never ran: it has no attempts")
    first, last = entry.attempts[0], entry.attempts[-1]
    submit = int(moment(entry.submitted_time or "", "the submission"))
    start = int(moment(first.start_time or "", "the first attempt's start"))
    end = int(moment(last.end_time or "", "the last attempt's end"))
    held = [len(server.gpus) for server in first.detail]
    count = sum(held)
    if count == 0:
        raise ValueError("the first attempt names no accelerator")
    if end < start:
        raise ValueError("the job ends before it starts")
    return Job(
        id=entry.jobid[:LONGEST_TEXT],
        submit_seconds=submit,
        run_seconds=end - start,
        chips=count,
        requested_seconds=end - start,
        user=word(entry.user or ""),
        team=word(entry.vc or ""),
        status=status(entry.status),
        nodes=len(held),
        chips_per_node=held[0] if len(set(held)) == 1 else 0,
        wait_seconds=start - submit if 0 <= start - submit <= FARTHEST_SECONDS else None,
    )


def _read_table(source: Source, skipped: Skipped, options: Options) -> Iterator[Job]:
    return fitting(rows(source, skipped), _from_row, skipped)


def _from_row(line: int, row: Row) -> Job:
    count = chips(row["num_gpus"])
    if count == 0:
        raise ValueError("the job holds no accelerator")
    run = whole(row["duration"], "the duration")
    return Job(
        id=str(line - 1),
        submit_seconds=int(moment(row["timestamp"], "the submission")),
        run_seconds=run,
        chips=count,
        requested_seconds=run,
        team=word(row["cluster"]),
    )


def _looks_like_log(head: str) -> bool:
    start = head.lstrip("\ufeff \t\r\n")
    return start.startswith("[") and '"jobid"' in head and '"attempts"' in head


LOG = Format(
    name="philly",
    about="Philly (msr-fiddle/philly-traces: cluster_job_log)",
    expects="a JSON array of jobs with `jobid`, `submitted_time` and `attempts`",
    files=r"cluster_job_log(\.json)?",
    fits=_looks_like_log,
    read=_read_log,
    gives="jobs",
    ordered=False,
    relative=False,
)

TABLE = Format(
    name="philly-csv",
    about="Philly as a table (ElasticFlow, Pollux, Sia: philly.csv)",
    expects="the columns timestamp, duration, num_gpus, gpu_time and cluster",
    files=r"philly.*\.csv",
    fits=has_columns("timestamp", "duration", "num_gpus", "cluster"),
    read=_read_table,
    gives="jobs",
    relative=False,
)
