"""The time of a job or request, under one name."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from stargate.rehearsal.traces.job import Job
from stargate.rehearsal.traces.request import Request

Record = TypeVar("Record", Job, Request)


def at(record: Job | Request) -> int | float:
    """When it is submitted, in seconds."""
    return record.submit_seconds if isinstance(record, Job) else record.at_seconds


def moved(record: Record, seconds: float, suffix: str = "") -> Record:
    """The same at another time; of a job in whole seconds. A job's id, or a request's session, gets the suffix."""
    changes: dict[str, Any]
    if isinstance(record, Job):
        changes = {"submit_seconds": int(seconds)}
        if suffix:
            changes["id"] = f"{record.id}{suffix}"
    else:
        changes = {"at_seconds": round(float(seconds), 6)}
        if suffix and record.session:
            changes["session"] = f"{record.session}{suffix}"
    return msgspec.structs.replace(record, **changes)
