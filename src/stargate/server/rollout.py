"""Roll out new versions of services, a replica at a time, so that as many answer as before.

    one more than there are ─► it is ready ─► an old one drains and stops ─► a new one in its place ─► it is ready ─► …

Where there is no room for one more, an old one makes room first. A version of which a replica does not become ready in
the time that its probe gives it, or ends by itself again and again, is given up, and the service is what it was before.
All that is known of a roll-out is in the state: it goes on after a restart.
"""

from __future__ import annotations

import asyncio

import msgspec

from stargate.base.errors import StargateError
from stargate.base.ids import attempt_id
from stargate.base.time import SECOND, Instant
from stargate.broker import State
from stargate.broker.command import Command, EndRollout, Replace, Scale
from stargate.broker.records import AttemptState, WorkloadState
from stargate.broker.rollout import ROLLER, is_new
from stargate.server.driver import Driver
from stargate.server.routing import Routing
from stargate.server.served import probe_of

LOOK_S = 0.5
ROOM_S = 5
"""So long the replica beside the others may wait for room before one of them makes some."""
ENDS = 2
"""After so many of its replicas have ended by themselves a version is given up."""


class Stand(msgspec.Struct, frozen=True):
    """How far a roll-out is."""

    replicas: int
    """That the service is to have."""
    slots: int
    """That there are now."""
    old: tuple[AttemptState, ...] = ()
    """Of the version before, in places that a new one is to have."""
    fresh: tuple[AttemptState, ...] = ()
    """Of the new one."""
    ready: frozenset[str] = frozenset()
    """Those of both that answer."""
    stopping: bool = False
    waiting: bool = False
    """One waits for room."""
    ended: int = 0
    """Replicas of the new version that have ended by themselves."""


class Rollouts:
    """All that are under way."""

    def __init__(self, driver: Driver, routing: Routing) -> None:
        self._driver = driver
        self._routing = routing
        self._waits: dict[str, Instant] = {}
        """Since when a replica of a service has waited for room."""
        self._given_up: dict[str, str] = {}
        """Services that are what they were before, and why; as far as this server has seen it."""

    async def run(self) -> None:
        """Until cancelled, or the server has to stop."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                await self.look()
        except StargateError:
            return  # it is said elsewhere why nothing is decided any more

    async def look(self) -> None:
        """One step for each that can take one."""
        at = self._driver.now()
        ready = frozenset(each.id for each in self._routing.endpoints if not each.draining)
        for command in await self._driver.read(lambda state: self._steps(state, ready, at)):
            if isinstance(command, EndRollout):
                self._given_up.pop(command.workload, None)
                if command.outcome == "failed":
                    self._given_up[command.workload] = command.says
            self._driver.tell(f"{ROLLER}/{_subject(command)}/{int(at)}", command)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What an operator should look at."""
        return tuple(f"a new version of {id} was given up: {says}" for id, says in self._given_up.items())

    def given_up(self, id: str) -> str:
        """Why the last version of a service was given up, as far as this server has seen it; empty: it was not."""
        return self._given_up.get(id, "")

    def told(self, state: State, holder: WorkloadState) -> str:
        """How far the roll-out of a service is; empty: there is none."""
        rollout = holder.workload.rollout
        if rollout is None or holder.ended:
            return ""
        fresh = sum(is_new(state, holder, slot) for slot in holder.slots)
        return f"{min(fresh, rollout.replicas)} of {rollout.replicas} replicas are of the new version"

    def _steps(self, state: State, ready: frozenset[str], at: Instant) -> list[Command]:
        found: list[Command] = []
        waits: dict[str, Instant] = {}
        for id in sorted(self._routing.services):
            holder = state.records.workloads[id]
            if holder.workload.rollout is None or holder.status != "active":
                continue
            self._given_up.pop(id, None)
            stand = stand_of(state, holder, ready, at)
            if stand.waiting:
                waits[id] = self._waits.get(id, at)
            no_room = stand.waiting and at - waits[id] >= ROOM_S * SECOND
            step = failed(holder, stand, at) or advance(holder, stand, no_room=no_room)
            if step is not None:
                found.append(step)
        self._waits = waits
        return found


def stand_of(state: State, holder: WorkloadState, ready: frozenset[str], at: Instant) -> Stand:
    """How far the roll-out of a service is."""
    rollout = holder.workload.rollout
    assert rollout is not None, f"{holder.id} is not being rolled out"
    live = [state.records.attempts[slot.attempt] for slot in holder.slots if slot.status == "placed"]
    going = [attempt for attempt in live if attempt.status != "stopping"]
    names = {attempt.id for attempt in going}
    return Stand(
        replicas=rollout.replicas,
        slots=holder.replicas,
        old=tuple(each for each in going if each.placed_seq < rollout.since and each.slot < rollout.replicas),
        fresh=tuple(each for each in going if each.placed_seq > rollout.since),
        ready=ready & names,
        stopping=len(going) < len(live),
        waiting=any(slot.status == "waiting" and slot.not_before <= at for slot in holder.slots),
        ended=_ended(state, holder, rollout.since),
    )


def _ended(state: State, holder: WorkloadState, since: int) -> int:
    found = 0
    for number, slot in enumerate(holder.slots):
        for count in range(slot.number, 0, -1):
            attempt = state.records.attempts[attempt_id(holder.id, number, count)]
            if attempt.placed_seq < since:
                break
            found += attempt.outcome == "failed" and attempt.failure == "user"
            found += attempt.outcome == "done" and attempt.stop_reason is None
    return found


def failed(holder: WorkloadState, stand: Stand, at: Instant) -> EndRollout | None:
    """Give the new version up where it is no good."""
    if stand.ended >= ENDS:
        says = f"{stand.ended} replicas of the new version have ended by themselves"
        return EndRollout(holder.id, "failed", f"{says}; the one before goes on")
    patience = probe_of(holder).initial_delay
    for attempt in stand.fresh:
        since = attempt.started_at
        if attempt.id not in stand.ready and since is not None and at > since.plus(patience):
            says = f"{attempt.id}, of the new version, has not become ready within {patience}"
            return EndRollout(holder.id, "failed", f"{says}; the one before goes on")
    return None


def advance(holder: WorkloadState, stand: Stand, *, no_room: bool) -> Command | None:
    """The next step; None: something has to happen first."""
    if not stand.old:
        wanted = [each for each in stand.fresh if each.slot < stand.replicas]
        if len(wanted) == stand.replicas and all(each.id in stand.ready for each in wanted):
            says = f"{stand.replicas} of {stand.replicas} replicas are of the new version, and answer"
            return EndRollout(holder.id, "done", says)
        return None
    if stand.slots != stand.replicas + 1:
        return Scale(holder.id, stand.replicas + 1, ROLLER)
    if stand.stopping or any(each.id not in stand.ready for each in stand.fresh):
        return None
    silent = [each for each in stand.old if each.id not in stand.ready]
    if silent:
        return Replace(silent[-1].id, "replaced", "it does not answer, and a new version takes its place")
    if len(stand.ready) > stand.replicas:
        return Replace(
            stand.old[-1].id, "replaced", "a new version takes its place; one more answers already"
        )
    if no_room and not stand.ended:
        return Replace(
            stand.old[-1].id, "replaced", "a new version takes its place; there is no room for one more"
        )
    return None


def _subject(command: Command) -> str:
    return command.attempt if isinstance(command, Replace) else getattr(command, "workload", "")
