"""The world around the broker in a rehearsal: engines that run work, parties that answer, traffic that scales.

    effects (start, stop, notify) ─► Engines, Parties ─► reports and answers, each at its moment, to the clock
    entries (what the broker decided) ─► seen, to know when attempts are over and what is being asked for

What decides is not here, nor what goes wrong by date or by lot: that is `stargate.rehearsal.faults`.
"""

from stargate.rehearsal.world.behaviour import Behaviour, Behaviours
from stargate.rehearsal.world.engines import Engines, Spent, Totals
from stargate.rehearsal.world.pace import Pattern
from stargate.rehearsal.world.parties import Parties, PartyModel
from stargate.rehearsal.world.world import World

__all__ = [
    "Behaviour",
    "Behaviours",
    "Engines",
    "Parties",
    "PartyModel",
    "Pattern",
    "Spent",
    "Totals",
    "World",
]
