"""Stated work to a size: how many of which chips, for how long. Decided once, when work is submitted.

Here live the questions to the performance model and the choice among its answers; the formulas are in
`performance`, and where a size is placed is decided by placement. What was decided is kept in the fact.
"""

from stargate.broker.sizing.asked import model_of
from stargate.broker.sizing.compare import Candidate, Comparison, compare
from stargate.broker.sizing.estimator import (
    Estimator,
    NoLayout,
    RunEstimate,
    ServiceEstimate,
    TooSlow,
)
from stargate.broker.sizing.hardware import Hardware, Machines, Pools, Unlisted
from stargate.broker.sizing.modelled import PERFORMANCE, Modelled
from stargate.broker.sizing.size import Sizes, size

__all__ = [
    "PERFORMANCE",
    "Candidate",
    "Comparison",
    "Estimator",
    "Hardware",
    "Machines",
    "Modelled",
    "NoLayout",
    "Pools",
    "RunEstimate",
    "ServiceEstimate",
    "Sizes",
    "TooSlow",
    "Unlisted",
    "compare",
    "model_of",
    "size",
]
