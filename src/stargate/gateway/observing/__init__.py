"""What operators see of a gateway: metrics, spans and an access log. Nobody is billed by it, and it sees no prompt.

Each process counts in plain numbers of its own (`Observer`) and puts them on a shelf of the host (`Shelf`), where
whoever is asked sums up what all have counted, the dead included. What is counted is in `family`.
"""

from stargate.gateway.observing.access_log import AccessLog
from stargate.gateway.observing.exposition import exposition
from stargate.gateway.observing.histogram import Histogram
from stargate.gateway.observing.observer import Observer
from stargate.gateway.observing.passage import Passage
from stargate.gateway.observing.process import process_gauges
from stargate.gateway.observing.shelf import Shelf
from stargate.gateway.observing.snapshot import Gauges, Snapshot
from stargate.gateway.observing.tracing import Tracing, tracing_wanted

__all__ = [
    "AccessLog", "Gauges", "Histogram", "Observer", "Passage", "Shelf", "Snapshot", "Tracing", "exposition",
    "process_gauges", "tracing_wanted",
]  # fmt: skip
