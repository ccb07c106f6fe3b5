"""Traces of other people's clusters and services as streams of `Job` and `Request`.

Readers, one for each published format (`open_trace`); transformations of streams (`transform`); a generator for
what nobody published (`demand`); a writer to SWF (`to_swf`). What is done with the jobs (clock, broker, faults,
reports) lives outside.
"""

from stargate.rehearsal.traces.job import Job, Status
from stargate.rehearsal.traces.node import Node, read_nodes
from stargate.rehearsal.traces.request import Request
from stargate.rehearsal.traces.skipped import Skip, Skipped
from stargate.rehearsal.traces.swf import to_swf
from stargate.rehearsal.traces.trace import Trace, open_trace

__all__ = [
    "Job",
    "Node",
    "Request",
    "Skip",
    "Skipped",
    "Status",
    "Trace",
    "open_trace",
    "read_nodes",
    "to_swf",
]
