"""An engine for tests: it runs nothing, and lies on demand. The same seed gives the same lies.

Nothing happens by itself. A test calls `tick`, and with each tick every attempt goes on by one stage of its script;
what the engine would say passes through `Faults`, which may repeat, delay, reorder, lose or contradict it.
Without faults it keeps the contract of `stargate.engines.engine` and passes the same tests as real engines.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Literal, get_args

import msgspec

from stargate.base.errors import NotFoundError
from stargate.broker.command import FailureClass, MarkSupply, Report
from stargate.broker.effect import CheckpointAttempt, StartAttempt, StopAttempt
from stargate.engines.engine import LOG_PAGE_LIMIT, LogPage, Progress, Say

Lie = Literal[
    "done_before_running",
    "done_after_stopped",
    "done_then_failed",
    "failed_then_running",
    "failed_without_class",
    "running_never_started",
    "running_unknown_attempt",
    "done_unknown_attempt",
    "stopped_unasked",
    "accepted_twice_late",
    "step_backwards",
    "step_negative",
    "step_enormous",
    "checkpoint_beyond_step",
    "checkpoint_backwards",
    "class_on_done",
    "metrics_absurd",
    "detail_enormous",
    "detail_control_characters",
    "lost_unknown_provider",
    "lost_while_running",
    "up_never_lost",
]
"""Things that are not so, said about whatever runs."""

_HUGE = 2**63


class Script(msgspec.Struct, frozen=True):
    """What an attempt would do if it really ran."""

    ticks: int = 3
    """How long it runs; 0: until it is stopped."""
    steps_per_tick: int = 10
    failure: FailureClass | None = None
    """None: it ends well."""
    ignores_stop: bool = False
    """It ends only when its provider does."""


class Faults(msgspec.Struct, frozen=True):
    """How the engine misbehaves: each a probability per report, but for `lie`, which is per tick."""

    duplicate: float = 0
    delay: float = 0
    """Held back for 1 to 20 ticks, so others overtake it."""
    lose: float = 0
    lie: float = 0
    lies: tuple[Lie, ...] = get_args(Lie)
    mute_start: float = 0
    """A start is never answered, and nothing runs."""


class _Attempt(msgspec.Struct):
    """One attempt that pretends to run."""

    effect: StartAttempt
    script: Script
    stage: Literal["accepted", "running", "ended"] = "accepted"
    ticks: int = 0
    stopping: bool = False
    first_step: int = 1
    saved: int | None = None
    outcome: Report | None = None

    @property
    def step(self) -> int:
        return self.first_step - 1 + self.ticks * self.script.steps_per_tick


class FakeEngine:
    """Pretends. Satisfies `stargate.engines.Engine`; state survives `close` and `open`, as with real ones."""

    def __init__(
        self,
        say: Say,
        seed: int = 0,
        script: Callable[[StartAttempt], Script] = lambda _: Script(),
        faults: Faults = Faults(),  # noqa: B008 - frozen
    ) -> None:
        self._say_now = say
        self._random = random.Random(seed)  # noqa: S311 - faults, not secrets
        self._script = script
        self.faults = faults
        """May be replaced at any time."""
        self.started: list[str] = []
        """Every attempt that ever began to run, in order: a test looks for repetitions here."""
        self._attempts: dict[str, _Attempt] = {}
        self._barred: dict[str, Report] = {}
        self._saved: dict[tuple[str, int], int] = {}
        """(workload, slot) to the step its checkpoint holds."""
        self._lost: set[str] = set()
        self._held: list[tuple[int, int, Report | MarkSupply]] = []
        self._now = 0
        self._said = 0

    async def open(self) -> None:
        """Say again how everything stands."""
        for attempt in self._attempts.values():
            self._repeat(attempt)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def start(self, effect: StartAttempt) -> None:
        """Begin a script, once ever."""
        known = self._attempts.get(effect.attempt)
        if known is not None:
            self._repeat(known)
        elif effect.attempt in self._barred:
            self._say(self._barred[effect.attempt])
        elif effect.provider in self._lost:
            self._bar(Report(effect.attempt, "failed", "no_capacity", detail=f"{effect.provider} is lost"))
        elif self._random.random() >= self.faults.mute_start:
            first = self._saved.get((effect.workload_id, effect.slot), 0) + 1
            attempt = _Attempt(effect, self._script(effect), first_step=first)
            self._attempts[effect.attempt] = attempt
            self.started.append(effect.attempt)
            self._say(Report(effect.attempt, "accepted"))

    async def stop(self, effect: StopAttempt) -> None:
        """Ends with the next tick."""
        attempt = self._attempts.get(effect.attempt)
        if attempt is None:
            self._bar(Report(effect.attempt, "stopped", detail=effect.reason))
        elif attempt.outcome is not None:
            self._say(attempt.outcome)
        else:
            attempt.stopping = True

    async def checkpoint(self, effect: CheckpointAttempt) -> None:
        """Saves at once."""
        attempt = self._attempts.get(effect.attempt)
        if attempt is not None and attempt.stage == "running":
            self._save(attempt)

    async def logs(self, attempt: str, rank: int | None, offset: int, limit: int) -> LogPage:
        """One line per tick."""
        known = self._attempts.get(attempt)
        if known is None or (rank is not None and not 0 <= rank < len(known.effect.nodes)):
            raise NotFoundError(f"there is no log of rank {rank} of attempt {attempt}", "Start it first.")
        data = b"".join(b"tick %d\n" % n for n in range(known.ticks))[offset:][: min(limit, LOG_PAGE_LIMIT)]
        return LogPage(data, offset + len(data))

    def progress(self, attempt: str) -> Progress | None:
        """What the script has reached."""
        known = self._attempts.get(attempt)
        if known is None or known.stage == "accepted":
            return None
        done = known.outcome is not None and known.outcome.phase == "done"
        return Progress(known.first_step, known.step, checkpoint_step=known.saved, done=done)

    def tick(self) -> None:
        """A moment passes: every attempt goes on, delayed reports become due, lies are told."""
        self._now += 1
        for attempt in list(self._attempts.values()):
            if attempt.stage != "ended" and attempt.effect.provider not in self._lost:
                self._advance(attempt)
        if self._random.random() < self.faults.lie:
            self._lie(self._random.choice(self.faults.lies))
        due = sorted(held for held in self._held if held[0] <= self._now)
        self._held = [held for held in self._held if held[0] > self._now]
        for _, _, said in due:
            self._say_now(said)

    def lose(self, provider: str, evidence: str = "lost on purpose") -> None:
        """The provider is gone with all that runs there."""
        self._lost.add(provider)
        self._say(MarkSupply("provider", provider, "lost", evidence))
        for attempt in self._attempts.values():
            if attempt.effect.provider == provider and attempt.outcome is None:
                self._end(attempt, "failed", "infrastructure", f"{provider} was lost")

    def restore(self, provider: str) -> None:
        """The provider is back, empty."""
        self._lost.discard(provider)
        self._say(MarkSupply("provider", provider, "up"))

    def running(self) -> tuple[str, ...]:
        """Attempts that really run (as far as anything does here), in the order they began."""
        return tuple(name for name, attempt in self._attempts.items() if attempt.outcome is None)

    def _advance(self, attempt: _Attempt) -> None:
        if attempt.stopping and not attempt.script.ignores_stop:
            if attempt.stage == "running":
                self._save(attempt)
            self._end(attempt, "stopped")
        elif attempt.stage == "accepted":
            attempt.stage = "running"
            self._say(Report(attempt.effect.attempt, "running", step=attempt.first_step))
        else:
            attempt.ticks += 1
            self._save(attempt)
            if attempt.ticks == attempt.script.ticks:
                failure = attempt.script.failure
                self._end(attempt, "failed" if failure else "done", failure)

    def _save(self, attempt: _Attempt) -> None:
        if attempt.step > (attempt.saved or 0):
            attempt.saved = attempt.step
            self._saved[attempt.effect.workload_id, attempt.effect.slot] = attempt.step
            self._say(Report(attempt.effect.attempt, "checkpointed", step=attempt.step))

    def _end(
        self,
        attempt: _Attempt,
        phase: Literal["done", "failed", "stopped"],
        failure: FailureClass | None = None,
        detail: str = "",
    ) -> None:
        step = attempt.step if attempt.stage == "running" else None
        metrics = {"loss": Decimal("2.5")} if phase == "done" else {}
        attempt.stage = "ended"
        attempt.outcome = Report(attempt.effect.attempt, phase, failure, step, detail, metrics)
        self._say(attempt.outcome)

    def _bar(self, report: Report) -> None:
        self._barred.setdefault(report.attempt, report)
        self._say(self._barred[report.attempt])

    def _repeat(self, attempt: _Attempt) -> None:
        name = attempt.effect.attempt
        if attempt.outcome is not None:
            self._say(attempt.outcome)
            return
        self._say(Report(name, "accepted"))
        if attempt.stage == "running":
            self._say(Report(name, "running", step=attempt.first_step))
            if attempt.saved is not None:
                self._say(Report(name, "checkpointed", step=attempt.saved))

    def _say(self, said: Report | MarkSupply) -> None:
        """Say it, subject to faults."""
        if self._random.random() < self.faults.lose:
            return
        for _ in range(2 if self._random.random() < self.faults.duplicate else 1):
            if self._random.random() < self.faults.delay:
                self._said += 1
                self._held.append((self._now + self._random.randint(1, 20), self._said, said))
            else:
                self._say_now(said)

    def _lie(self, lie: Lie) -> None:
        """Say one thing that is not so, about an attempt at random (or one that nobody knows)."""
        names = list(self._attempts) or ["nobody.0.1"]
        name = self._random.choice(names)
        known = self._attempts.get(name)
        step = known.step if known is not None else 0
        said: dict[Lie, tuple[Report | MarkSupply, ...]] = {
            "done_before_running": (Report(name, "done", step=step),),
            "done_after_stopped": (Report(name, "stopped"), Report(name, "done", step=step)),
            "done_then_failed": (Report(name, "done"), Report(name, "failed", "user")),
            "failed_then_running": (Report(name, "failed", "infrastructure"), Report(name, "running")),
            "failed_without_class": (Report(name, "failed"),),
            "running_never_started": (Report(f"{name}9", "running", step=1),),
            "running_unknown_attempt": (Report("nobody.0.1", "running", step=1),),
            "done_unknown_attempt": (Report("nobody.0.1", "done", step=1),),
            "stopped_unasked": (Report(name, "stopped"),),
            "accepted_twice_late": (Report(name, "accepted"), Report(name, "accepted")),
            "step_backwards": (Report(name, "running", step=0),),
            "step_negative": (Report(name, "checkpointed", step=-1),),
            "step_enormous": (Report(name, "checkpointed", step=_HUGE - 1),),
            "checkpoint_beyond_step": (Report(name, "checkpointed", step=step + 1_000_000),),
            "checkpoint_backwards": (Report(name, "checkpointed", step=0),),
            "class_on_done": (Report(name, "done", "user"),),
            "metrics_absurd": (Report(name, "done", metrics={"loss": Decimal("-1E+400")}),),
            "detail_enormous": (Report(name, "failed", "user", detail="x" * 1_000_000),),
            "detail_control_characters": (Report(name, "failed", "user", detail="\x00\x1b[2J\n\u202e"),),
            "lost_unknown_provider": (MarkSupply("provider", "nobody", "lost", "a lie"),),
            "lost_while_running": tuple(
                MarkSupply("provider", attempt.effect.provider, "lost", "a lie")
                for attempt in list(self._attempts.values())[:1]
            ),
            "up_never_lost": (MarkSupply("provider", known.effect.provider if known else "nobody", "up"),),
        }
        for each in said[lie]:
            self._say_now(each)
