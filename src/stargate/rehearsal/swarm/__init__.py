"""The swarm: random worlds under random faults, drawn from seeds, in which every promise must hold.

seed ─► plan (infrastructure, agreements, policy, work, rates) ─► run: wire, lies, outages, crashes
─► checker: invariants, promises, chips, money, replay ─► healed ─► converged?
"""

from stargate.rehearsal.swarm.case import Case
from stargate.rehearsal.swarm.run import Result, run
from stargate.rehearsal.swarm.swarm import Outcome, keep, kept, plain, smaller, swarm

__all__ = ["Case", "Outcome", "Result", "keep", "kept", "plain", "run", "smaller", "swarm"]
