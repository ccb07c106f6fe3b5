"""The deterministic machine that decides: queue, placement, sourcing, preemption, migration, recovery.

Here live commands (what is asked), facts (what happened), effects (what the outside is asked to do) and the state
between them: `decide` holds all policy and reads only, `evolve` applies facts without policy, `react` turns them into
effects. No clock, no randomness, no I/O: time and ids come in with the command, so live operation, replay, tests and
simulation run the same code. Writing facts down is the journal's work, doing what effects ask is the engines'.
"""

from stargate.base.errors import InternalError
from stargate.broker.command import Command, Envelope
from stargate.broker.effect import CheckpointAttempt, Effect, Notify, StartAttempt, StopAttempt
from stargate.broker.explain import Candidate, Explanation, explain
from stargate.broker.fact import Entry, Fact
from stargate.broker.ground import Ground
from stargate.broker.machine import Machine, Outcome
from stargate.broker.policy import Policy
from stargate.broker.state import State

if not __debug__:
    raise InternalError(
        "the broker was started with assertions off, and they guard every invariant",
        "run Python without -O and without PYTHONOPTIMIZE",
    )

__all__ = [
    "Candidate",
    "CheckpointAttempt",
    "Command",
    "Effect",
    "Entry",
    "Envelope",
    "Explanation",
    "Fact",
    "Ground",
    "Machine",
    "Notify",
    "Outcome",
    "Policy",
    "StartAttempt",
    "State",
    "StopAttempt",
    "explain",
]
