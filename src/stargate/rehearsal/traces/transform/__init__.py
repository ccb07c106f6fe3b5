"""Changes of traces, each a strict record for YAML and a pure generator function of a stream.

transform:
  - {do: filter, where: [{field: chips, at_least: 8}]}
  - {do: scale, count: 2, seed: 7}
  - {do: assign, rules: [{by: user, team: {research: 0.7, product: 0.3}}]}
"""

from stargate.rehearsal.traces.transform.apply import Transformation, transformed
from stargate.rehearsal.traces.transform.assign import Assign, Rule, Span, assigned
from stargate.rehearsal.traces.transform.condition import Condition
from stargate.rehearsal.traces.transform.filter import Filter, filtered
from stargate.rehearsal.traces.transform.scale import Scale, scaled
from stargate.rehearsal.traces.transform.splice import Splice, merged, spliced

__all__ = [
    "Assign",
    "Condition",
    "Filter",
    "Rule",
    "Scale",
    "Span",
    "Splice",
    "Transformation",
    "assigned",
    "filtered",
    "merged",
    "scaled",
    "spliced",
    "transformed",
]
