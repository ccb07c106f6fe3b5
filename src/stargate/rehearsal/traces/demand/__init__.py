"""Demand that nobody published, calibrated to what was: jobs by the statistics of large clusters.

A law is fitted to a cluster's published means, medians and shares; `data/demand.yaml` holds both, with sources.
It meets, exactly in expectation: the mean, median and longest run time; the mean, median and largest number of
accelerators; the accelerator-seconds of a job (so large jobs run long, as they did); of completed, cancelled and
failed jobs the share by number and by accelerator-seconds. Arrivals follow the hours and weekdays of a real table.

It does not claim: bursts of submissions, users' habits, waits (those are what a rehearsal finds out), or the
order of sizes between the published figures: sizes are powers of two whose fractions fall geometrically.
"""

from stargate.rehearsal.traces.demand.generate import Demand, busy_chips, generated
from stargate.rehearsal.traces.demand.law import Law
from stargate.rehearsal.traces.demand.published import Arrivals, Profile, Statistics, shipped

__all__ = ["Arrivals", "Demand", "Law", "Profile", "Statistics", "busy_chips", "generated", "shipped"]
