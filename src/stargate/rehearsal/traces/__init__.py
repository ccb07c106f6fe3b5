"""Traces of other people's clusters and services as streams of `Job` and `Request`.

Readers, one for each published format; transformations of streams; a generator for what nobody published;
a writer to SWF. What is done with the jobs (clock, broker, faults, reports) lives outside.
"""

from stargate.rehearsal.traces.job import Job, Status
from stargate.rehearsal.traces.request import Request

__all__ = ["Job", "Request", "Status"]
