"""What the system says of this process."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

from stargate.gateway.observing.snapshot import Gauges

_STATM = Path("/proc/self/statm")


def process_gauges(kind: str) -> Gauges:
    """Memory and CPU time of this process, a `worker` or a `steward`."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    labels = (kind, str(os.getpid()))
    resident_bytes = used.ru_maxrss * 1_024
    with suppress(OSError, ValueError):
        resident_bytes = int(_STATM.read_bytes().split()[1]) * resource.getpagesize()
    return [
        ("processes", (kind,), 1),
        ("process_resident_memory_bytes", labels, resident_bytes),
        ("process_cpu_seconds", labels, used.ru_utime + used.ru_stime),
    ]
