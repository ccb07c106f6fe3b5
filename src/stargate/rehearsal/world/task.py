"""What the engines of a rehearsal keep: of each gang its work, of each attempt where it stands, and what was spent."""

from __future__ import annotations

from typing import Literal

import msgspec

from stargate.rehearsal.world.behaviour import Behaviour
from stargate.rehearsal.world.pace import Pattern, Progress

Ending = Literal["done", "failed", "cancelled"]
"""How work ends that is not interrupted: `failed` by the program's own fault."""
How = Literal["done", "failed", "cancelled", "stopped", "broken", "lost", "refused"]
"""How an attempt ended. `broken`: its infrastructure failed; `lost`: the broker gave it up with its pool."""

ENDLESS = 10**17
"""Work of a replica: more than any horizon."""


class Task(msgspec.Struct, gc=False):
    """The work of one slot, over all its attempts."""

    workload: str
    total_us: int
    """On an engine that does not stretch it."""
    ending: Ending = "done"
    serves: bool = False
    """A replica: what it has served needs no saving."""
    submit_us: int = 0
    chips: int = 0
    """Of its gang when it last ran."""
    saved_us: int = 0
    ran_us: int = 0
    """Running time of all its attempts."""
    first_us: int = -1
    """When it first ran; -1: not yet."""
    end_us: int = -1
    """When its work was complete; -1: not yet."""
    pool: str = ""
    """Where it ran last."""
    attempts: int = 0


class Live(msgspec.Struct, gc=False):
    """An attempt that the engines have, and the broker has not ended."""

    attempt: str
    task: Task
    behaviour: Behaviour
    chips: int
    begun_us: int
    running_us: int
    """When the program runs; it may be to come."""
    work_us: int
    """What is left of the task, as long as it takes here."""
    pattern: Pattern
    end_us: int
    """When it ends by itself, or because it was asked to stop."""
    how: How
    stop_us: int = -1
    """When it was asked to stop; -1: it was not."""
    saves: bool = False
    """It saves before it stops."""
    cancelling: int = 0
    """The event with which its owner cancels the workload; 0: none."""
    told_us: int = 0
    """Work of the task that the broker knows to be safe."""

    def progress(self, at_us: int) -> Progress:
        """Work and stalls until a moment; time to save at the end is a stall."""
        until = at_us if self.stop_us < 0 else min(at_us, self.stop_us)
        ran = max(0, until - self.running_us)
        found = self.pattern.after(ran, self.work_us)
        saving = max(0, at_us - max(until, self.running_us))
        saved = found.saved_us
        if self.task.serves or (self.saves and at_us >= self.end_us):
            saved = found.done_us
        return Progress(found.done_us, saved, found.stalled_us + saving)


class Spent(msgspec.Struct, frozen=True, gc=False):
    """One attempt that is over. `kept + lost + stalled` is its running time."""

    attempt: str
    workload: str
    pool: str
    chips: int
    how: How
    begun_us: int
    """When the broker asked for it."""
    waited_us: int
    """Until it ran, or ended without having run."""
    kept_us: int
    """Work that no later attempt has to do again."""
    lost_us: int
    stalled_us: int
    """Saving checkpoints."""
    idle_us: int
    """Its chips were held although it was over: its report was late."""

    @property
    def ran_us(self) -> int:
        """Running time."""
        return self.kept_us + self.lost_us + self.stalled_us


class Totals(msgspec.Struct):
    """Sums over attempts that are over, in chip-microseconds."""

    attempts: int = 0
    waited: int = 0
    kept: int = 0
    lost: int = 0
    stalled: int = 0
    idle: int = 0
    hows: dict[How, int] = {}
    """How many attempts ended how."""

    def add(self, spent: Spent) -> None:
        """Count an attempt."""
        chips = spent.chips
        self.attempts += 1
        self.waited += chips * spent.waited_us
        self.kept += chips * spent.kept_us
        self.lost += chips * spent.lost_us
        self.stalled += chips * spent.stalled_us
        self.idle += chips * spent.idle_us
        self.hows[spent.how] = self.hows.get(spent.how, 0) + 1

    @property
    def goodput_fraction(self) -> float:
        """Of the chip-time that attempts held, the part that was work and was kept; 0 where there was none."""
        held = self.waited + self.kept + self.lost + self.stalled + self.idle
        return self.kept / held if held else 0.0
