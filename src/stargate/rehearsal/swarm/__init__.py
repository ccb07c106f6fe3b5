"""The swarm: random worlds under random faults, drawn from seeds, in which every promise must hold.

seed ─► plan (infrastructure, agreements, policy, work, rates) ─► run: wire, lies, outages, crashes
─► subject: machine, journal, checker (invariants, promises, chips, money, replay) ─► healed ─► converged?
"""

from stargate.rehearsal.swarm.case import Batch, Case
from stargate.rehearsal.swarm.keep import keep, kept
from stargate.rehearsal.swarm.run import Result, run
from stargate.rehearsal.swarm.shrink import smaller
from stargate.rehearsal.swarm.swarm import Outcome, plain, swarm

__all__ = ["Batch", "Case", "Outcome", "Result", "keep", "kept", "plain", "run", "smaller", "swarm"]
