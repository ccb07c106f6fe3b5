"""What must be over once everything was healed and nothing more happens."""

from __future__ import annotations

from collections.abc import Mapping

from stargate.base.time import DAY, Instant
from stargate.broker import Envelope, Machine, State
from stargate.broker.command import Wake
from stargate.broker.sourcing.offer import is_open

SAID = 300
"""Characters of a fact that a finding quotes."""


def unsettled(state: State, now: Instant, asked_to_stop: Mapping[str, Instant]) -> list[str]:
    """What still waits, after a day or past its own date, although nothing is in its way; empty at rest."""
    found: list[str] = []
    for offer in state.sourcing.offers.values():
        by = offer.offered_at.plus(DAY) if offer.deadline is None else offer.deadline
        if is_open(offer) and by <= now:
            found.append(f"offer {offer.id} to {offer.right.holder} is {offer.status} and was never closed")
    for attempt in state.live.values():
        work = state.records.workloads[attempt.workload].workload
        since = asked_to_stop.get(attempt.id, attempt.placed_at)
        if since.plus(DAY) > now:
            continue
        if attempt.status == "stopping":
            found.append(f"{attempt.id} was asked to stop, and goes on stopping")
        elif attempt.started_at is None:
            found.append(f"{attempt.id} is {attempt.status} and never ran")
        elif work.kind != "serve":
            found.append(f"{attempt.id} runs, and its engine has long been done")
    found += [
        f"{holder.id} is being cancelled and has not ended"
        for holder in state.records.workloads.values()
        if holder.status == "cancelling"
        and not any(one.workload == holder.id for one in state.stopping.values())
    ]
    return found + _overlooked(state, now)


def _overlooked(state: State, now: Instant) -> list[str]:
    """A machine that knows nothing but the records looks at everything: whatever it finds to do was overlooked."""
    machine = Machine(State.unpack(state.pack()))
    outcome = machine.handle(Envelope("look", now, Wake()))
    return [f"only after a restart it says {one.fact}"[:SAID] for one in outcome.entries]
