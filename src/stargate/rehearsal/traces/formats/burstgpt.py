"""BurstGPT (Wang et al., KDD'25): `BurstGPT_*.csv`, with or without failures.

Timestamp, Model, Request tokens, Response tokens, Total tokens, Log Type; the third collection has Session ID and
Elapsed time between the first two. Known from the README of HPMLL/BurstGPT and its published first rows; no
file was read here. Times count from midnight of some first day, for the third collection 225 days before its
first row: they are counted from the first row instead. An answer without tokens is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator

from stargate.rehearsal.traces.cell import number, tokens, word
from stargate.rehearsal.traces.format import Format, Options, has_columns
from stargate.rehearsal.traces.request import Request
from stargate.rehearsal.traces.row import Row, fitting, rows
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source


def read(source: Source, skipped: Skipped, options: Options) -> Iterator[Request]:
    """The requests in the file's order."""
    return fitting(rows(source, skipped), _request, skipped)


def _request(line: int, row: Row) -> Request:
    answer = tokens(row["Response tokens"], "the number of response tokens")
    return Request(
        at_seconds=number(row["Timestamp"], "the time"),
        input_tokens=tokens(row["Request tokens"], "the number of request tokens"),
        output_tokens=answer,
        client=word(row.get("Log Type", "")),
        session=word(row.get("Session ID", "")),
        model=word(row["Model"]),
        status="completed" if answer else "failed",
    )


FORMAT = Format(
    name="burstgpt",
    about="BurstGPT (HPMLL/BurstGPT: BurstGPT_*.csv)",
    expects="the columns Timestamp, Model, Request tokens and Response tokens",
    files=r"BurstGPT_.*\.csv",
    fits=has_columns("Timestamp", "Model", "Request tokens", "Response tokens"),
    read=read,
    gives="requests",
    relative=False,
)
