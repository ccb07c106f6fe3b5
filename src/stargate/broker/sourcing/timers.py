"""When something is due: a sorted list in the state, with nothing stale in it."""

from __future__ import annotations

from bisect import bisect_left, insort

from stargate.base.time import FOREVER, Instant
from stargate.broker.sourcing.records import Need, SourcingState, Timer, TimerKind


def arm(sourcing: SourcingState, at: Instant | None, kind: TimerKind, id: str, clause: str = "") -> None:
    """Something is due; a time that never comes is not kept."""
    if at is not None and at < FOREVER:
        insort(sourcing.timers, Timer(at, kind, id, clause))


def disarm(sourcing: SourcingState, at: Instant | None, kind: TimerKind, id: str, clause: str = "") -> None:
    """It is no longer due; nothing happens if it was not."""
    if at is None:
        return
    timer = Timer(at, kind, id, clause)
    place = bisect_left(sourcing.timers, timer)
    if place < len(sourcing.timers) and sourcing.timers[place] == timer:
        del sourcing.timers[place]


def look(sourcing: SourcingState, need: Need, at: Instant) -> None:
    """The need can move on."""
    if need.look_at is None and need.status != "closed":
        need.look_at = at
        need.waits_for = ""
        arm(sourcing, at, "look", need.id)


def look_unless_covered(sourcing: SourcingState, need: Need, at: Instant) -> None:
    """Something has changed for a need that still asks or waits."""
    if need.status != "covered":
        look(sourcing, need, at)


def looked(sourcing: SourcingState, need: Need) -> None:
    """The need has been looked at."""
    disarm(sourcing, need.look_at, "look", need.id)
    need.look_at = None


def missed_start(need: Need) -> Instant:
    """The first instant at which a fixed start is missed."""
    moved = need.requirement.start_by + need.shift - need.stated_shift + 1
    return Instant(min(moved, FOREVER))
