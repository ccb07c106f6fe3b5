"""How a gang ended, and whose fault it was, from how each of its ranks ended. Pure."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Literal

import msgspec

from stargate.engines.local.wire import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

SHELL_SIGNAL_BASE = 128
"""A shell exits with this plus the signal's number when its command was killed."""

_OWN_FAULT = {
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGPIPE,
    signal.SIGSEGV,
    signal.SIGSYS,
    signal.SIGTRAP,
    signal.SIGXCPU,
    signal.SIGXFSZ,
}
"""Signals that a program brings upon itself. The others come from outside."""


Fault = Literal["no_capacity", "preempted", "infrastructure", "user"]
"""`FailureClass` of the broker; repeated here because an agent carries no broker."""


class Ending(msgspec.Struct, frozen=True):
    """Why the engine itself ends a gang."""

    phase: Literal["stopped", "failed"]
    failure: Fault | None
    detail: str


class RankEnd(msgspec.Struct, frozen=True):
    """How one rank ended."""

    rank: int
    phase: str
    """`setup` or `run`."""
    code: int
    """Exit code; negative for a signal."""
    asked: bool = False
    """The engine had told it to end."""
    lost: bool = False
    """Its shim died, so nobody knows."""

    @property
    def well(self) -> bool:
        """It ended by itself and says that it succeeded."""
        return self.code == 0 and not self.asked and not self.lost

    @property
    def signal(self) -> int:
        """The signal that killed it, also when a shell tells; 0 for none."""
        if self.code < 0:
            return -self.code
        number = self.code - SHELL_SIGNAL_BASE
        return number if 0 < number < signal.NSIG else 0


def judge(
    ends: Sequence[RankEnd], ending: Ending | None, step: int | None, metrics: dict[str, Decimal]
) -> Outcome:
    """The outcome of a gang all of whose ranks are over. `ending`: the engine's own reason, if it had one."""
    assert ends or ending, "a gang without ranks ended for a reason of the engine's"
    if ends and all(end.well for end in ends):
        return Outcome("done", None, step, "", metrics)
    if ending is not None:
        return Outcome(ending.phase, ending.failure, step, ending.detail)
    blamed = [end for end in ends if not end.asked and not end.well]
    assert blamed, "a gang that did not end well and was not told to end has somebody to blame"
    broken = [end for end in blamed if end.lost or _from_outside(end)]
    if broken:
        return Outcome("failed", "infrastructure", step, _describe(broken[0]))
    return Outcome("failed", "user", step, _describe(blamed[0]))


def _from_outside(end: RankEnd) -> bool:
    return end.signal != 0 and end.signal not in _OWN_FAULT


def _describe(end: RankEnd) -> str:
    what = f"rank {end.rank}" if end.phase == "run" else f"{end.phase} of rank {end.rank}"
    if end.lost:
        return f"{what} was lost with the process that watched it"
    if end.signal:
        try:
            name = signal.Signals(end.signal).name
        except ValueError:
            name = f"signal {end.signal}"
        return f"{what} was killed by {name}"
    return f"{what} exited with code {end.code}"
