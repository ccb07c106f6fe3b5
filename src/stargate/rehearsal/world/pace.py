"""How running time turns into work: a checkpoint after every interval of work, and the stall that each one costs.

    running time   |-- interval --|stall|-- interval --|stall|-- what is left --|
    saved                               ^ first              ^ second

There is none at the very end. What is interrupted goes on from the last checkpoint whose stall was over.
"""

from __future__ import annotations

import msgspec


class Progress(msgspec.Struct, frozen=True, gc=False):
    """Where an attempt stands. `done + stalled` is its running time."""

    done_us: int
    """Work of this attempt, saved or not."""
    saved_us: int
    stalled_us: int


class Pattern(msgspec.Struct, frozen=True, gc=False):
    """Checkpoints of one attempt."""

    interval_us: int = 0
    """Of work between two; 0: none."""
    stall_us: int = 0
    """For which each stops the work."""

    def run_us(self, work_us: int) -> int:
        """Running time of so much work, undisturbed."""
        if self.interval_us <= 0 or work_us <= 0:
            return work_us
        return work_us + (work_us - 1) // self.interval_us * self.stall_us

    def after(self, ran_us: int, work_us: int) -> Progress:
        """Progress after a running time, of so much work in all. What is finished counts as saved."""
        if ran_us >= self.run_us(work_us):
            return Progress(work_us, work_us, ran_us - work_us)
        if self.interval_us <= 0:
            return Progress(ran_us, 0, 0)
        whole, rest = divmod(ran_us, self.interval_us + self.stall_us)
        done = whole * self.interval_us + min(rest, self.interval_us)
        return Progress(done, whole * self.interval_us, ran_us - done)

    def next_save_us(self, ran_us: int) -> int:
        """The running time at which the next checkpoint is complete, after this one; there must be an interval."""
        cycle = self.interval_us + self.stall_us
        return (ran_us // cycle + 1) * cycle
