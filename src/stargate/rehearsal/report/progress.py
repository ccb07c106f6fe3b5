"""Workloads and attempts as their facts come: waits, what was held, what of it was kept.

An attempt holds its gang from placement to end. Of that time is kept: for what finished, all since the program began;
for what was stopped in good order and saves checkpoints, all until it was asked to; for what broke, up to its last
checkpoint; for a replica of a service, all that it served. Where it is known how long a step takes (`Pace`), steps
decide, as a checkpoint may be reported long after it was made; and of what is kept, the time to save is told apart.
"""

from __future__ import annotations

from array import array
from collections import Counter

import msgspec

from stargate.base.money import cost_micro_usd
from stargate.base.time import SECOND
from stargate.broker import State
from stargate.broker.ask import least_chips
from stargate.broker.fact import (
    Accepted,
    Checkpointed,
    Ended,
    Placed,
    Requeued,
    Started,
    Stopping,
    Submitted,
    WorkloadEnded,
)
from stargate.broker.records import AttemptState, WorkloadState
from stargate.rehearsal.figures import SHORT_SECONDS
from stargate.rehearsal.report.gait import Pace
from stargate.rehearsal.report.job import Line, Lines, Outcome
from stargate.rehearsal.report.sizes import Sizes
from stargate.workloads import Workload


class Attempt(msgspec.Struct, gc=False):
    """An attempt that holds its gang."""

    id: str
    workload: str
    chips: int
    pool: str
    provider: str
    supply: str
    price_micro_usd_per_chip_hour: int
    placed_us: int
    accepted_us: int = -1
    """-1: not yet; so with all that follow."""
    started_us: int = -1
    safe_us: int = -1
    safe_step: int = -1
    stopping_us: int = -1
    reason: str = ""

    def metered(self, at: int) -> int:
        """Micro-USD from the engine's acceptance on."""
        if self.accepted_us < 0:
            return 0
        return cost_micro_usd(self.price_micro_usd_per_chip_hour, self.chips, max(0, at - self.accepted_us))


class Toil(msgspec.Struct, gc=False):
    """A workload that has not ended."""

    team: str
    kind: str
    saves: bool
    interval_us: int
    """Of work between two checkpoints; 0: none."""
    submit_us: int
    deadline_us: int | None
    start_us: int = -1
    chips: int = 0
    held_us: int = 0
    kept_us: int = 0
    kept_chip_us: int = 0
    attempts: int = 0
    preemptions: int = 0
    migrations: int = 0
    recoveries: int = 0
    restarts: int = 0
    provider: str = ""
    pool: str = ""
    metered_micro_usd: int = 0
    safe_step: int = -1
    """Its last checkpoint that is known; what begins next begins there."""
    doubt_us: int = 0
    """Of its last attempt: time that is held for lost, until the next one begins further on."""
    doubt_chips: int = 0
    doubt_pool: str = ""


class TeamCount(msgspec.Struct):
    """Sums over a team."""

    workloads: int = 0
    used_chip_us: int = 0
    useful_chip_us: int = 0
    metered_micro_usd: int = 0
    waits: int = 0
    waited_us: int = 0
    preemptions: int = 0


class Progress:
    """All workloads. What has ended leaves a few numbers, and its line where lines are wanted."""

    def __init__(self, begins: int, lines: Lines | None = None, pace: Pace | None = None) -> None:
        self._begins = begins
        self._pace = pace
        self._lines = lines
        self._told = False
        """Somebody reports when programs begin: where nobody does, they begin when they are placed."""
        self.live: dict[str, Attempt] = {}
        self.open: dict[str, Toil] = {}
        self.teams: dict[str, TeamCount] = {}
        self.outcomes: Counter[Outcome] = Counter()
        self.stops: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        """Attempts that broke for no fault of their own, by pool."""
        self.metered: Counter[str] = Counter()
        """Micro-USD of ended attempts, by pool."""
        self.burned: Counter[str] = Counter()
        self.waits = array("q")
        self.completions = array("q")
        self.slowdowns = array("d")
        self.met = self.missed = self.recoveries = self.restarts = self.submitted = 0
        self.used_chip_us = self.useful_chip_us = self.discarded_chip_us = 0
        self.redone_chip_us = self.overhead_chip_us = self.saving_chip_us = 0
        self.sizes = Sizes()

    # -- a state that had lived before ---------------------------------------------------------------------------

    def adopt(self, state: State) -> None:
        """Go on from a state. What happened before the beginning is not counted."""
        for holder in state.records.workloads.values():
            if not holder.ended:
                self._adopt_work(holder)
        for attempt in state.live.values():
            self._adopt_attempt(attempt)

    def _adopt_work(self, holder: WorkloadState) -> None:
        self._enter(holder.id, holder.workload, min(holder.at, self._begins))
        if any(slot.number for slot in holder.slots):
            toil = self.open[holder.id]
            toil.start_us, toil.chips = self._begins, least_chips(holder.workload)
            steps = [slot.checkpoint_step for slot in holder.slots if slot.checkpoint_step is not None]
            toil.safe_step = max(steps, default=-1)

    def _adopt_attempt(self, attempt: AttemptState) -> None:
        begins = self._begins
        self.live[attempt.id] = Attempt(
            id=attempt.id,
            workload=attempt.workload,
            chips=attempt.chips,
            pool=attempt.pool,
            provider=attempt.provider,
            supply=attempt.supply,
            price_micro_usd_per_chip_hour=attempt.price_micro_usd_per_chip_hour,
            placed_us=begins,
            accepted_us=-1 if attempt.accepted_at is None else begins,
            started_us=-1 if attempt.started_at is None else begins,
            safe_us=-1 if attempt.safe_at is None else begins,
            safe_step=-1 if attempt.checkpoint_step is None else attempt.checkpoint_step,
            stopping_us=begins if attempt.status == "stopping" else -1,
            reason=attempt.stop_reason or "",
        )
        self._told = self._told or attempt.accepted_at is not None

    # -- facts ------------------------------------------------------------------------------------------------------

    def submitted_(self, fact: Submitted, at: int) -> None:
        """A workload came."""
        self._enter(fact.id, fact.workload, at)

    def _enter(self, name: str, work: Workload, at: int) -> None:
        self.submitted += 1
        saves = work.checkpoint is not None and work.kind != "serve"
        self.open[name] = Toil(
            team=work.team,
            kind=work.kind,
            saves=work.checkpoint is not None,
            interval_us=work.checkpoint.interval if work.checkpoint is not None and saves else 0,
            submit_us=at,
            deadline_us=None if work.deadline is None else int(work.deadline),
        )
        self.team(work.team).workloads += 1

    def placed(self, fact: Placed, at: int) -> Attempt:
        """A gang was found."""
        toil = self.open[fact.workload]
        chips = len(fact.nodes) * fact.chips_per_node
        if toil.start_us < 0:
            toil.start_us, toil.chips = at, chips
            self.waits.append(at - toil.submit_us)
            team = self.team(toil.team)
            team.waits += 1
            team.waited_us += at - toil.submit_us
            if toil.kind != "serve":
                self.sizes.of(chips).waits.append(at - toil.submit_us)
        toil.attempts += 1
        toil.provider, toil.pool = fact.provider, fact.pool
        attempt = Attempt(
            fact.attempt, fact.workload, chips, fact.pool, fact.provider, fact.supply,
            fact.price_micro_usd_per_chip_hour, at, safe_step=toil.safe_step,
        )  # fmt: skip
        self.live[fact.attempt] = attempt
        return attempt

    def accepted(self, fact: Accepted, at: int) -> None:
        """The engine has it."""
        self.live[fact.attempt].accepted_us = at
        self._told = True

    def started(self, fact: Started, at: int) -> None:
        """The program runs."""
        attempt = self.live[fact.attempt]
        if attempt.started_us < 0:
            attempt.started_us = at
        if attempt.accepted_us < 0:
            attempt.accepted_us = at
        self._told = True
        toil = self.open[attempt.workload]
        if fact.step is not None and self._pace is not None:
            self._found_again(toil, fact.step, self._pace)
        toil.doubt_us = 0

    def _found_again(self, toil: Toil, step: int, pace: Pace) -> None:
        """It begins after steps that nobody had said were saved: the attempt before had kept them after all."""
        if step - 1 > toil.safe_step and toil.doubt_us and toil.kind != "serve":
            more = pace(toil.doubt_pool).span_us(step - 1 - max(toil.safe_step, 0), toil.interval_us)
            found = min(more, toil.doubt_us)
            self.redone_chip_us -= found * toil.doubt_chips
            self.sizes.of(toil.doubt_chips).redone_chip_us -= found * toil.doubt_chips
            self._keep(toil, found, toil.doubt_pool, toil.doubt_chips)
            toil.safe_step = step - 1

    def _keep(self, toil: Toil, span_us: int, pool: str, chips: int) -> None:
        """Count running time that was kept: work, and saving it."""
        saving = 0 if self._pace is None else self._pace(pool).saving_us(span_us, toil.interval_us)
        toil.kept_us += span_us - saving
        toil.kept_chip_us += (span_us - saving) * chips
        self.saving_chip_us += saving * chips
        if toil.kind != "serve":
            size = self.sizes.of(chips)
            size.worked_chip_us += (span_us - saving) * chips
            size.saving_chip_us += saving * chips

    def checkpointed(self, fact: Checkpointed, at: int) -> None:
        """The state is safe."""
        attempt = self.live[fact.attempt]
        attempt.safe_us, attempt.safe_step = at, fact.step
        self.open[attempt.workload].safe_step = fact.step

    def stopping(self, fact: Stopping, at: int) -> None:
        """It was asked to stop."""
        attempt = self.live[fact.attempt]
        attempt.stopping_us, attempt.reason = at, fact.reason
        self.stops[fact.reason] += 1
        toil = self.open[attempt.workload]
        if fact.reason == "preempted":
            toil.preemptions += 1
            self.team(toil.team).preemptions += 1
        elif fact.reason == "migrated":
            toil.migrations += 1

    def requeued(self, fact: Requeued, at: int) -> None:
        """It waits again."""
        toil = self.open[fact.workload]
        if fact.counts == "recovery":
            toil.recoveries += 1
            self.recoveries += 1
        elif fact.counts == "restart":
            toil.restarts += 1
            self.restarts += 1

    def ended(self, fact: Ended, at: int) -> Attempt:
        """An attempt is over."""
        attempt = self.live.pop(fact.attempt)
        if fact.outcome in {"failed", "lost"}:
            cause = fact.failure or "infrastructure"
            self.failures[cause] += 1
            if cause != "user":
                self.broken[attempt.pool] += 1
                if self.open[attempt.workload].kind != "serve":
                    self.sizes.of(attempt.chips).interruptions += 1
        self._account(attempt, at, self._kept_until(attempt, fact, at), fact.cost_micro_usd)
        return attempt

    def workload_ended(self, fact: WorkloadEnded, at: int) -> None:
        """A workload is over."""
        toil = self.open.pop(fact.workload)
        if fact.outcome == "succeeded":
            self.completions.append(at - toil.submit_us)
            shortest = max(toil.kept_us, SHORT_SECONDS * SECOND)
            self.slowdowns.append(max(1.0, (at - toil.submit_us) / shortest))
        if toil.deadline_us is not None and fact.outcome != "cancelled":
            # What failed before its deadline has neither met nor missed it.
            late = at > toil.deadline_us
            self.met += fact.outcome == "succeeded" and not late
            self.missed += late
        self._close(fact.workload, toil, fact.outcome, at)

    # -- the end --------------------------------------------------------------------------------------------------

    def finish(self, at: int) -> None:
        """The rehearsal is over: what runs has kept all it did so far."""
        for attempt in self.live.values():
            until = at if attempt.stopping_us < 0 else attempt.stopping_us
            self._account(attempt, at, until, attempt.metered(at))
        for name, toil in self.open.items():
            if toil.deadline_us is not None and toil.deadline_us < at:
                self.missed += 1
            self._close(name, toil, "unfinished", None)
        self.live.clear()
        self.open.clear()

    def team(self, name: str) -> TeamCount:
        """The sums of a team."""
        found = self.teams.get(name)
        if found is None:
            found = self.teams[name] = TeamCount()
        return found

    def _began(self, attempt: Attempt, *, whole: bool) -> int:
        if attempt.started_us >= 0:
            return attempt.started_us
        if whole and attempt.accepted_us >= 0:
            return attempt.accepted_us
        return -1 if self._told else attempt.placed_us

    def _kept_until(self, attempt: Attempt, fact: Ended, at: int) -> int:
        """The moment up to which the work of an attempt that has ended is kept."""
        toil = self.open[attempt.workload]
        asked = at if attempt.stopping_us < 0 else attempt.stopping_us
        if toil.kind == "serve":
            return asked
        if fact.outcome == "done":
            return at
        counted = fact.first_step is not None and fact.last_step is not None
        saved = fact.outcome == "stopped" and toil.saves
        saved = saved and not (counted and fact.last_step == attempt.safe_step)
        if self._pace is not None and fact.first_step is not None and (counted or not saved):
            safe = fact.last_step if saved and fact.last_step is not None else attempt.safe_step
            steps = max(0, safe - fact.first_step + 1)
            return min(at, attempt.started_us + self._pace(attempt.pool).span_us(steps, toil.interval_us))
        return asked if saved else attempt.safe_us

    def _account(self, attempt: Attempt, at: int, until: int, cost: int) -> None:
        toil = self.open[attempt.workload]
        team = self.team(toil.team)
        began = self._began(attempt, whole=until == at)
        held, ran = at - attempt.placed_us, 0 if began < 0 else at - began
        kept = 0 if began < 0 else max(0, until - began)
        # From the request to stop to the end nothing is kept, and nothing is done again either.
        overhead = (
            held - ran + (at - max(attempt.stopping_us, began) if attempt.stopping_us >= 0 <= began else 0)
        )
        overhead = min(overhead, held - kept)
        chips = attempt.chips
        self.used_chip_us += held * chips
        self.overhead_chip_us += overhead * chips
        self.redone_chip_us += (held - kept - overhead) * chips
        if ran:
            toil.doubt_us, toil.doubt_chips, toil.doubt_pool = held - kept - overhead, chips, attempt.pool
        if toil.kind != "serve":
            size = self.sizes.of(chips)
            size.used_chip_us += held * chips
            size.overhead_chip_us += overhead * chips
            size.redone_chip_us += (held - kept - overhead) * chips
        toil.held_us += held
        self._keep(toil, kept, attempt.pool, chips)
        toil.metered_micro_usd += cost
        team.used_chip_us += held * chips
        team.metered_micro_usd += cost
        self.metered[attempt.pool] += cost

    def _close(self, name: str, toil: Toil, outcome: Outcome, at: int | None) -> None:
        self.outcomes[outcome] += 1
        if toil.chips and toil.kind != "serve":
            self.sizes.of(toil.chips).workloads += 1
        if outcome in {"succeeded", "unfinished"} or toil.kind == "serve":
            self.useful_chip_us += toil.kept_chip_us
            self.team(toil.team).useful_chip_us += toil.kept_chip_us
        else:
            # Nobody does again what its last attempt had not saved.
            unsaved = toil.doubt_us * toil.doubt_chips
            self.redone_chip_us -= unsaved
            self.discarded_chip_us += toil.kept_chip_us + unsaved
            if unsaved:
                size = self.sizes.of(toil.doubt_chips)
                size.redone_chip_us -= unsaved
                size.worked_chip_us += unsaved
        if self._lines is None:
            return
        begins = self._begins
        self._lines(
            Line(
                job_id=name,
                kind=toil.kind,
                team=toil.team,
                outcome=outcome,
                chips=toil.chips,
                submit_us=toil.submit_us - begins,
                start_us=None if toil.start_us < 0 else toil.start_us - begins,
                end_us=None if at is None else at - begins,
                held_us=toil.held_us,
                kept_us=toil.kept_us,
                attempts=toil.attempts,
                preemptions=toil.preemptions,
                migrations=toil.migrations,
                recoveries=toil.recoveries,
                restarts=toil.restarts,
                provider=toil.provider,
                pool=toil.pool,
                metered_micro_usd=toil.metered_micro_usd,
            )
        )
