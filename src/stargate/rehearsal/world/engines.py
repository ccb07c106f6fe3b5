"""Engine models for many pools: they start, run, save, break and stop gangs, and report as real engines do.

An attempt's course is drawn when it starts, from a stream of its own, and nothing happens in between: what is
interrupted is settled from where it stood. Failures are exponential, so drawing them at the start is exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from stargate.base.time import HOUR, Duration, Instant
from stargate.broker import CheckpointAttempt, StartAttempt, StopAttempt
from stargate.broker.command import Cancel, Report
from stargate.broker.fact import Checkpointed, Ended, Started
from stargate.rehearsal.clock import Clock, Event
from stargate.rehearsal.draw import stream
from stargate.rehearsal.schedule import Row
from stargate.rehearsal.world.behaviour import STEP, Behaviour, Behaviours
from stargate.rehearsal.world.pace import Pattern
from stargate.rehearsal.world.task import ENDLESS, Live, Spent, Task, Totals

__all__ = ["Engines", "Spent", "Totals"]

ASSUMED = Duration(1 * HOUR)
"""Run time of work of which nothing is known."""
SECOND_US = STEP


class Engines:
    """Every engine at once. What they do depends on the seed and on what they are asked, and on nothing else."""

    def __init__(self, behaviours: Behaviours, clock: Clock, seed: int, assumed: Duration = ASSUMED) -> None:
        """`assumed` is the run time of work that states none and comes from no trace."""
        self._behaviours = behaviours
        self._clock = clock
        self._seed = seed
        self._assumed = assumed
        self.tasks: dict[tuple[str, int], Task] = {}
        """By workload and slot, in order of submission."""
        self.live: dict[str, Live] = {}
        self.totals = Totals()
        self.spent: list[Spent] = []
        """Every attempt that is over, in order."""

    def expect(self, workload: str, task: Task) -> None:
        """How long a workload that will be submitted really runs, and how it ends: as its trace says."""
        self.tasks[workload, 0] = task

    # -- effects -------------------------------------------------------------------------------------------

    def start(self, effect: StartAttempt, now: Instant) -> Iterable[Event]:
        """Run a gang. The same start again changes nothing."""
        if effect.attempt in self.live:
            return ()
        behaviour, chip = self._behaviours[effect.pool]
        chance = stream(self._seed, f"attempt/{effect.attempt}")
        task = self._task(effect, chip, now)
        chips = len(effect.nodes) * effect.chips_per_node
        accepted = now.plus(behaviour.accept.draw(chance))
        pattern = _pattern(effect, behaviour)
        live = Live(
            attempt=effect.attempt,
            task=task,
            behaviour=behaviour,
            chips=chips,
            begun_us=now,
            running_us=accepted,
            work_us=round((task.total_us - task.saved_us) * behaviour.stretch),
            pattern=pattern,
            end_us=accepted,
            how="refused",
            told_us=task.saved_us,
        )
        self.live[effect.attempt] = live
        task.attempts += 1
        task.pool, task.chips = effect.pool, chips
        if behaviour.refused and chance.random() < behaviour.refused:
            live.running_us = accepted + 1
            refused = Report(effect.attempt, "failed", failure="no_capacity", detail="the engine has no room")
            return self._sent(((accepted, refused),), behaviour, chance)
        live.running_us = accepted + behaviour.start.draw(chance)
        live.end_us = live.running_us + pattern.run_us(live.work_us)
        live.how = task.ending
        rate = behaviour.failures_per_us(chip, chips)
        if rate:
            broken = live.running_us + round(min(chance.expovariate(rate), ENDLESS))
            if broken < live.end_us:
                live.end_us, live.how = broken, "broken"
        return self._sent(tuple(self._course(live, accepted)), behaviour, chance)

    def _course(self, live: Live, accepted: Instant) -> Iterator[Event]:
        """What will be reported of an attempt that nobody interrupts."""
        running = Instant(live.running_us)
        if running > accepted:
            yield accepted, Report(live.attempt, "accepted")
        yield running, Report(live.attempt, "running", step=live.task.saved_us // STEP + 1)
        yield from self._end(live)

    def _end(self, live: Live) -> Iterator[Event]:
        """How it ends by itself."""
        if live.end_us >= ENDLESS:
            return
        end = Instant(live.end_us)
        if live.how == "cancelled":
            # It is about the workload, not the attempt: it must not come when the attempt has ended before.
            live.cancelling = self._clock.set(end, Cancel(live.task.workload, "its owner"))
            return
        if live.how == "broken":
            step = self._safe_us(live, end) // STEP
            if step > live.told_us // STEP:
                yield end, Report(live.attempt, "checkpointed", step=step)
            detail = "its infrastructure broke"
            yield (
                end,
                Report(live.attempt, "failed", failure="infrastructure", step=step or None, detail=detail),
            )
            return
        last = live.task.total_us // STEP
        if live.how == "failed":
            yield end, Report(live.attempt, "failed", failure="user", step=last, detail="the program failed")
        else:
            yield end, Report(live.attempt, "done", step=last)

    def stop(self, effect: StopAttempt, now: Instant) -> Iterable[Event]:
        """Save if there is time, and stop. What has ended by itself has reported that."""
        live = self.live.get(effect.attempt)
        if live is None:
            # Unknown, or given up for lost and told so once more: it does not run.
            return () if effect.reason == "lost" else ((now, Report(effect.attempt, "stopped")),)
        on_stop = live.behaviour.saving.on_stop
        if live.how == "cancelled" and now >= live.end_us:
            live.cancelling = 0
            return ((now, Report(effect.attempt, "stopped")),)
        saves = live.pattern.interval_us > 0 and now > live.running_us and not live.task.serves
        end = now if not saves else now.plus(min(on_stop, effect.grace))
        if live.how != "cancelled" and live.end_us <= end:
            return ()
        live.stop_us, live.end_us, live.how = now, end, "stopped"
        live.saves = saves and on_stop <= effect.grace
        safe = self._safe_us(live, end) // STEP
        told: list[Event] = []
        if safe > live.told_us // STEP and saves:
            told.append((end, Report(effect.attempt, "checkpointed", step=safe)))
        told.append((end, Report(effect.attempt, "stopped", step=safe or None)))
        chance = stream(self._seed, f"stop/{effect.attempt}")
        return self._sent(tuple(told), live.behaviour, chance)

    def checkpoint(self, effect: CheckpointAttempt, now: Instant) -> Iterable[Event]:
        """Say what is saved."""
        live = self.live.get(effect.attempt)
        safe = 0 if live is None else self._safe_us(live, now) // STEP
        return ((now, Report(effect.attempt, "checkpointed", step=safe)),) if safe else ()

    def adopt(self, effect: StartAttempt, running: Instant, end: Instant, now: Instant) -> Iterable[Event]:
        """An attempt that ran before the rehearsal began goes on, and ends when it was expected to."""
        behaviour, chip = self._behaviours[effect.pool]
        serves = effect.workload.kind == "serve"
        work = ENDLESS if serves else max(end, now.plus(SECOND_US)) - running
        task = Task(effect.workload_id, work, serves=serves, submit_us=running, first_us=running)
        self.tasks.setdefault((effect.workload_id, effect.slot), task)
        chips = len(effect.nodes) * effect.chips_per_node
        task.chips, task.pool, task.attempts = chips, effect.pool, 1
        pattern = _pattern(effect, behaviour)
        live = Live(
            effect.attempt, task, behaviour, chips, running, running, work, pattern, running + pattern.run_us(work),
            "done",
        )  # fmt: skip
        chance = stream(self._seed, f"attempt/{effect.attempt}")
        rate = behaviour.failures_per_us(chip, chips)
        if rate and (broken := now + round(min(chance.expovariate(rate), ENDLESS))) < live.end_us:
            live.end_us, live.how = broken, "broken"
        self.live[effect.attempt] = live
        return self._sent(tuple(self._end(live)), behaviour, chance)

    def _task(self, effect: StartAttempt, chip: str, now: Instant) -> Task:
        key = (effect.workload_id, effect.slot)
        task = self.tasks.get(key)
        if task is None:
            work = effect.workload
            serves = work.kind == "serve"
            known = work.time_limit or self._assumed
            task = Task(effect.workload_id, ENDLESS if serves else known, serves=serves, submit_us=now)
            self.tasks[key] = task
        if effect.workload.sizes:
            _resize(task, effect, chip)
        return task

    @staticmethod
    def _safe_us(live: Live, at: int) -> int:
        """Work of the task that is saved by then."""
        saved = live.progress(at).saved_us
        return live.task.saved_us + round(saved / live.behaviour.stretch)

    @staticmethod
    def _sent(events: tuple[Event, ...], behaviour: Behaviour, chance: random.Random) -> Iterable[Event]:
        """The reports as they arrive."""
        how = behaviour.reports
        if not how.late and not how.repeated:
            return events
        found: list[Event] = []
        for at, command in events:
            later = at.plus(how.late_by.draw(chance))
            found.append((later if chance.random() < how.late else at, command))
            if chance.random() < how.repeated:
                found.append((later, command))
        return found

    # -- what the broker made of it ------------------------------------------------------------------------

    def started(self, fact: Started, at: Instant) -> Iterable[Event]:
        """The broker knows that it runs: checkpoints are reported from now on."""
        return self._next_save(fact.attempt, at)

    def saved(self, fact: Checkpointed, at: Instant) -> Iterable[Event]:
        """The broker knows of a checkpoint; the next one follows."""
        live = self.live.get(fact.attempt)
        if live is not None:
            live.told_us = max(live.told_us, fact.step * STEP)
        return self._next_save(fact.attempt, at)

    def _next_save(self, attempt: str, at: Instant) -> Iterable[Event]:
        live = self.live.get(attempt)
        if live is None or not live.pattern.interval_us or live.stop_us >= 0 or live.task.serves:
            return ()
        every = live.behaviour.saving.reported_every
        if not every:
            return ()
        ran = max(0, at - live.running_us) + max(0, every - live.pattern.interval_us - live.pattern.stall_us)
        when = live.running_us + live.pattern.next_save_us(ran)
        if when >= live.end_us:
            return ()
        return ((Instant(when), Report(attempt, "checkpointed", step=self._safe_us(live, when) // STEP)),)

    def ended(self, fact: Ended, at: Instant) -> None:
        """An attempt is over for the broker: settle what it did."""
        live = self.live.pop(fact.attempt, None)
        if live is None:
            return
        if live.cancelling:
            self._clock.withdraw(live.cancelling)
        end = min(at, live.end_us)
        how = live.how if end == live.end_us and fact.outcome != "lost" else "lost"
        task = live.task
        kept = lost = stalled = 0
        ran = end > live.running_us or (how in {"done", "failed", "cancelled"} and end == live.running_us)
        if ran:
            progress = live.progress(end)
            kept, stalled = progress.saved_us, progress.stalled_us
            lost = progress.done_us - kept
            task.ran_us += end - live.running_us
            task.first_us = live.running_us if task.first_us < 0 else task.first_us
            whole = kept >= live.work_us
            task.saved_us = task.total_us if whole else task.saved_us + round(kept / live.behaviour.stretch)
            if whole:
                task.end_us = end
        waited = (live.running_us if ran else end) - live.begun_us
        spent = Spent(
            live.attempt, task.workload, task.pool, live.chips, how, live.begun_us, waited, kept, lost, stalled,
            at - end,
        )  # fmt: skip
        self.spent.append(spent)
        self.totals.add(spent)

    def rows(self, origin: Instant) -> Iterator[Row]:
        """Every task whose work is complete, in order of submission; seconds from `origin`."""
        for task in self.tasks.values():
            if task.end_us >= 0:
                yield Row(
                    task.workload,
                    (task.submit_us - origin) // SECOND_US,
                    (task.first_us - origin) // SECOND_US,
                    (task.end_us - origin) // SECOND_US,
                    task.chips,
                    task.ran_us // SECOND_US,
                )


def _pattern(effect: StartAttempt, behaviour: Behaviour) -> Pattern:
    """A program that saves nothing saves nothing however its engine behaves."""
    own = effect.workload.checkpoint
    if own is None or effect.workload.kind == "serve":
        return Pattern()
    interval = behaviour.saving.interval
    return Pattern(own.interval if interval is None else interval, behaviour.saving.stall)


def _resize(task: Task, effect: StartAttempt, chip: str) -> None:
    """Sized work takes as long as its size for this kind of machine says; what is done stays done in proportion."""
    for size in effect.workload.sizes:
        fits = size.resources.chip in {chip, None} and size.nodes == len(effect.nodes)
        if size.duration and fits and size.resources.chips_per_node == effect.chips_per_node:
            if task.total_us != size.duration:
                task.saved_us = task.saved_us * size.duration // task.total_us
                task.total_us = size.duration
            return
