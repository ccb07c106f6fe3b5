"""A scripted engine: it survives a crash of the server, as real engines do, and remembers every attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from stargate.base.time import SECOND, Duration, Instant
from stargate.broker import CheckpointAttempt, Effect, StartAttempt, StopAttempt
from stargate.broker.command import FailureClass, Report

Phase = Literal["accepted", "running", "checkpointed", "done", "failed", "stopped"]

ACCEPT = Duration(1 * SECOND)
BOOT = Duration(5 * SECOND)
SAVE_EVERY = Duration(60 * SECOND)
STEPS_PER_SAVE = 100
STOP = Duration(2 * SECOND)


@dataclass(frozen=True)
class Said:
    """A report that is due at a time."""

    at: Instant
    report: Report
    again: bool = False
    """Not for the first time."""


@dataclass
class Run:
    """One attempt as the engine knows it."""

    effect: StartAttempt
    began: Instant
    plan: list[Said]
    alive: bool = True
    told: list[Said] = field(default_factory=list)


@dataclass
class ScriptedEngine:
    """Serves all pools. A program saves its state every minute and ends after `lengths` steps of 100 a minute."""

    lengths: dict[str, int]
    """Steps until a workload is done."""
    failures: dict[str, FailureClass]
    """Attempts that fail after their first saved state."""
    runs: dict[str, Run] = field(default_factory=dict)
    unknown_stops: set[str] = field(default_factory=set)
    """Attempts that were stopped before they were started: they may not start any more."""
    unreachable: set[str] = field(default_factory=set)
    """Providers that neither hear nor say anything; their programs go on."""
    log: list[str] = field(default_factory=list)
    """What really began and ended, in order."""

    def ask(self, effect: Effect, at: Instant) -> list[Said]:
        """Do what an effect asks; the reports that follow at once. What cannot arrive is lost."""
        if isinstance(effect, StartAttempt | StopAttempt) and self._provider(effect) in self.unreachable:
            return []
        if isinstance(effect, StartAttempt):
            return self._start(effect, at)
        if isinstance(effect, StopAttempt):
            return self._stop(effect, at)
        assert not isinstance(effect, CheckpointAttempt), "programs save by themselves here"
        return []

    def due(self, until: Instant) -> list[Said]:
        """Reports that programs bring about until a time; dead programs say nothing."""
        found = []
        for run in self.runs.values():
            while run.alive and run.plan and run.plan[0].at <= until:
                said = run.plan.pop(0)
                run.told.append(said)
                if run.effect.provider not in self.unreachable:
                    found.append(said)
                if said.report.phase in {"done", "failed", "stopped"}:
                    self._end(run, said.report.phase)
        return found

    def next_due(self) -> Instant | None:
        """When the next report comes."""
        return min((run.plan[0].at for run in self.runs.values() if run.alive and run.plan), default=None)

    def lose(self, provider: str) -> None:
        """Everything that runs at a provider dies without a word."""
        for run in self.runs.values():
            if run.alive and run.effect.provider == provider:
                self._end(run, "lost")

    def heal(self, provider: str, at: Instant) -> list[Said]:
        """A provider is reachable again: its engine says where everything stands."""
        self.unreachable.discard(provider)
        runs = [run for run in self.runs.values() if run.effect.provider == provider and run.told]
        return [Said(at, run.told[-1].report, again=True) for run in runs]

    def alive(self) -> dict[str, StartAttempt]:
        """What runs."""
        return {name: run.effect for name, run in self.runs.items() if run.alive}

    def _provider(self, effect: StartAttempt | StopAttempt) -> str:
        if isinstance(effect, StartAttempt):
            return effect.provider
        known = self.runs.get(effect.attempt)
        return known.effect.provider if known is not None else ""

    def _start(self, effect: StartAttempt, at: Instant) -> list[Said]:
        known = self.runs.get(effect.attempt)
        if known is not None:
            # At least once, and nothing twice: what was said last is said again.
            assert known.effect == effect, "an attempt was asked for again, and differently"
            return [Said(at, known.told[-1].report, again=True)] if known.told else []
        if effect.attempt in self.unknown_stops:
            return [Said(at, Report(effect.attempt, "stopped"))]
        self._check_nodes(effect)
        self.log.append(f"{effect.attempt} began on {effect.pool} {effect.nodes} at {at}")
        self.runs[effect.attempt] = Run(effect, at, self._plan(effect, at))
        return []

    def _plan(self, effect: StartAttempt, at: Instant) -> list[Said]:
        first = self._saved(effect.workload_id, effect.slot)
        last = self.lengths[effect.workload_id]
        plan = [
            Said(at.plus(ACCEPT), Report(effect.attempt, "accepted")),
            Said(at.plus(BOOT), Report(effect.attempt, "running", step=first)),
        ]
        if effect.workload.kind == "serve":
            return plan  # it neither saves nor ends by itself
        saves = range(first + STEPS_PER_SAVE, last, STEPS_PER_SAVE)
        for number, step in enumerate(saves, 1):
            moment = at.plus(BOOT + number * SAVE_EVERY)
            plan.append(Said(moment, Report(effect.attempt, "checkpointed", step=step)))
            if effect.attempt in self.failures:
                why = self.failures[effect.attempt]
                plan.append(
                    Said(moment.plus(SECOND), Report(effect.attempt, "failed", why, step, "scripted"))
                )
                return plan
        end = at.plus(BOOT + (len(saves) + 1) * SAVE_EVERY)
        plan.append(Said(end, Report(effect.attempt, "done", step=last)))
        return plan

    def _saved(self, workload: str, slot: int) -> int:
        """The newest saved step: on shared storage, where the next attempt finds it."""
        return max(
            (
                said.report.step or 0
                for run in self.runs.values()
                if (run.effect.workload_id, run.effect.slot) == (workload, slot)
                for said in run.told
                if said.report.phase == "checkpointed"
            ),
            default=0,
        )

    def _stop(self, effect: StopAttempt, at: Instant) -> list[Said]:
        run = self.runs.get(effect.attempt)
        if run is None:
            self.unknown_stops.add(effect.attempt)
            return [Said(at, Report(effect.attempt, "stopped"))]
        if not run.alive:
            return (
                [Said(at, run.told[-1].report)] if run.told else [Said(at, Report(effect.attempt, "stopped"))]
            )
        if not (run.plan and run.plan[0].report.phase == "stopped"):
            steps = [said.report.step for said in run.told if said.report.step is not None]
            stopped = Report(effect.attempt, "stopped", step=steps[-1] if steps else None)
            run.plan = [Said(at.plus(STOP), stopped)]
        return []

    def _end(self, run: Run, how: str) -> None:
        run.alive = False
        run.plan = []
        self.log.append(f"{run.effect.attempt} ended: {how}")

    def _check_nodes(self, effect: StartAttempt) -> None:
        """No chip serves two programs."""
        for other in self.alive().values():
            if other.pool == effect.pool:
                shared = set(other.nodes) & set(effect.nodes)
                used = other.chips_per_node + effect.chips_per_node
                assert not shared or used <= 8, f"{other.attempt} and {effect.attempt} share {shared}"
