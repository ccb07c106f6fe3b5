"""One run: a drawn world, a hostile wire, faults until the events are used up; then all is healed and must converge."""

from __future__ import annotations

import traceback
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import msgspec

from stargate.base.time import DAY, FOREVER, HOUR, SECOND, Instant
from stargate.broker import Effect, Envelope, Machine
from stargate.broker.command import Cancel, Command, Declare, MarkSupply, Report, SetCapacity, Submit, Wake
from stargate.broker.sourcing.fact import LeaseSigned, MarketOpened
from stargate.rehearsal.clock import Clock, Event
from stargate.rehearsal.draw import stream
from stargate.rehearsal.swarm.body import Body
from stargate.rehearsal.swarm.case import FAULTS, Batch, Case, Crash
from stargate.rehearsal.swarm.converged import unsettled
from stargate.rehearsal.swarm.lies import LIES
from stargate.rehearsal.swarm.people import amend, wish
from stargate.rehearsal.swarm.plan import START, Plan, draw
from stargate.rehearsal.swarm.storage import Storage
from stargate.rehearsal.swarm.subject import Subject

HEARTBEAT_US = 6 * HOUR
"""In a quiet world something is said at least so often: engines repeat what they have said."""
HEALING_STEPS = 5_000
"""Instants at which something happens after healing; more is going round in circles."""
HEALING_US = 10 * DAY
STARTS = 20
"""For each workload, after healing: more is going round in circles."""
WISHES = 0.05
CRASHES: tuple[Crash, ...] = ("written", "unwritten", "torn")
REMEMBERED = 20
"""Envelopes that may be delivered once more."""


class Result(msgspec.Struct, frozen=True):
    """What came of a run."""

    case: Case
    events: int
    """What has reached the machine: commands, reports, wakes, lies, repeated deliveries and crashes."""
    facts: int
    """Entries that came of them, each of which was checked."""
    violations: tuple[str, ...]
    digest: str
    """Of every entry."""
    marks: dict[str, int]
    tape: tuple[Batch, ...] = ()
    """What was said, where something was violated."""


def run(case: Case) -> Result:
    """Play one case to its end, or to its first violation."""
    if case.tape:
        return _replay(case)
    plan = draw(case)
    if not plan.habits.on_disk:
        return _play(case, plan, None)
    with TemporaryDirectory(prefix="stargate-swarm-") as folder:
        return _play(case, plan, Storage(Path(folder)))


def _play(case: Case, plan: Plan, storage: Storage | None) -> Result:
    swarm = Run(case, plan, Subject(storage))
    violations = _violations(swarm.subject, swarm.play)
    swarm.subject.marks["fault breaks"] = swarm.broke
    return _result(case, swarm.subject, violations, tuple(swarm.tape) if violations else ())


def _replay(case: Case) -> Result:
    """What was said once is said again, whatever is answered."""
    subject = Subject()

    def play() -> None:
        for batch in case.tape:
            subject.tell(batch)
        subject.close()

    return _result(case, subject, _violations(subject, play))


def _result(
    case: Case, subject: Subject, violations: tuple[str, ...], tape: tuple[Batch, ...] = ()
) -> Result:
    marks = {mark: times for mark, times in sorted(subject.marks.items()) if times}
    return Result(case, subject.events, subject.facts, violations, subject.digest.hexdigest(), marks, tape)


def _violations(subject: Subject, play: Callable[[], None]) -> tuple[str, ...]:
    try:
        play()
    except Exception as error:  # noqa: BLE001 - whatever the broker raises is what we look for
        if not subject.found:
            subject.found.append(_said(error))
    return tuple(subject.found)


def _said(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}, {last.name})"


class Run:
    """The driver of one case."""

    def __init__(self, case: Case, plan: Plan, subject: Subject) -> None:
        self.case = case
        self.plan = plan
        self.subject = subject
        self.tape: list[Batch] = []
        self.clock = Clock(START)
        self._rates = dict(plan.rates.of)
        self._together_us = plan.habits.together_us
        self._body = Body(case.seed, self._rates["breaks"])
        self._chances = {name: stream(case.seed, f"fault/{name}") for name in FAULTS}
        self._people = stream(case.seed, "people")
        self._said = 0
        self._past: list[Envelope] = []
        self._coming = deque(plan.work)
        """Work that is still to be submitted. Once all is healed, nobody comes any more."""
        self._healed_until = FOREVER

    @property
    def machine(self) -> Machine:
        """The one that runs now."""
        return self.subject.machine

    @property
    def marks(self) -> Counter[str]:
        """What was reached."""
        return self.subject.marks

    @property
    def broke(self) -> int:
        """Attempts that the engines let fail."""
        return self._body.broke

    def play(self) -> None:
        """All of it. Raises whatever goes wrong."""
        plan = self.plan
        self._say(START, [Declare(plan.infrastructure, plan.agreements, plan.policy)])
        self._swizzle()
        while self._said < self.case.events:
            self._step()
        self._heal()
        before = self.marks["Placed"]
        steps = 0
        while steps < HEALING_STEPS and self._settle_step():
            steps += 1
        self.subject.close()
        found = unsettled(self.machine.state, self.clock.now, self.subject.checker.asked_to_stop)
        starts = self.marks["Placed"] - before
        if steps == HEALING_STEPS or starts > STARTS * (len(plan.work) + 1):
            found.append(f"after all was healed it goes on and on: {steps} steps, {starts} starts")
        self.subject.note(found)

    # -- one instant ---------------------------------------------------------------------------------------

    def _step(self) -> None:
        at = min(self._next(), self.clock.now.plus(HEARTBEAT_US))
        if self._coming:
            at = min(at, self._coming[0].at)
        at = max(at, self.clock.now).plus(self._together_us)
        if self._happens("jumps") and self._chances["jumps"].random() < 0.5:
            at = at.plus(round(self._chances["jumps"].random() * DAY))
            self.marks["fault jumps"] += 1
        while self._coming and self._coming[0].at <= at:
            work = self._coming.popleft()
            self.clock.set(work.at, Submit(work.id, work.workload), turn=2)
            self.clock.set(work.until, Cancel(work.id), turn=1)
        due = self.machine.next_due() or FOREVER
        commands = self.clock.pop(at)
        quiet = not commands
        if quiet:
            self._send(self._body.repeat(self.machine.state, at))
        if due <= at or quiet:
            commands.append(Wake())
        self._trouble(at, commands)
        self._say(at, commands)

    def _settle_step(self) -> bool:
        at = max(self._next(), self.clock.now)
        if at > self._healed_until:
            return False
        commands = self.clock.pop(at)
        due = self.machine.next_due() or FOREVER
        if due <= at:
            commands.append(Wake())
        self._say(at, commands)
        return True

    def _next(self) -> Instant:
        return min(self.clock.next(), self.machine.next_due() or FOREVER)

    def _trouble(self, at: Instant, commands: list[Command]) -> None:
        """What people want, and what goes wrong, at this instant."""
        state = self.machine.state
        if self._people.random() < WISHES:
            asked = wish(self._people, state, at)
            if asked is not None:
                commands.append(asked)
        if self._happens("lies"):
            chance = self._chances["lies"]
            lie = chance.choice(LIES)
            told = lie.tell(chance, state, at)
            if told is not None:
                self.marks["fault lies"] += 1
                self.marks[f"lie {lie.name}"] += 1
                commands.insert(chance.randint(0, len(commands)), told)
        if self._happens("amendments") and self._chances["amendments"].random() < 0.2:
            self.marks["fault amendments"] += 1
            commands.append(amend(self._chances["amendments"], state, self.plan, at))
        if self._happens("outages"):
            commands.append(self._outage())

    def _outage(self) -> Command:
        """Something goes down, or comes back."""
        chance, records = self._chances["outages"], self.machine.state.records
        self.marks["fault outages"] += 1
        down = list(records.marks)
        if down and chance.random() < 0.6:
            scope, _, id = chance.choice(down).partition(":")
            return MarkSupply(scope, id, "up")  # type: ignore[arg-type]  # as it was marked
        built = self.plan.infrastructure  # a machine that lost its declaration refuses what is said of it
        if chance.random() < 0.2:
            pool = chance.choice(built.pools)
            return SetCapacity(pool.id, chance.randint(0, max(one.nodes for one in pool.nodes)))
        places: dict[str, list[str]] = {
            "provider": [one.id for one in built.providers],
            "site": [one.id for one in built.sites],
            "pool": [one.id for one in built.pools],
        }
        where: Any = chance.choice(sorted(places))
        return MarkSupply(
            where, chance.choice(places[where]), "draining" if chance.random() < 0.3 else "lost"
        )

    def _swizzle(self) -> None:
        """In some runs every provider goes down, one by one, and they come back in another order."""
        chance = self._chances["outages"]
        if not self._rates["outages"] or chance.random() < 0.7:
            return
        names = [one.id for one in self.plan.infrastructure.providers]
        at = START.plus(round(chance.random() * DAY))
        both: tuple[Literal["lost"], Literal["up"]] = ("lost", "up")
        for status in both:
            before = list(names)
            chance.shuffle(names)
            self.marks["swizzle down one by one"] += 1
            if status == "up" and names != before:
                self.marks["swizzle healed in another order"] += 1
            for name in names:
                at = at.plus(round(chance.expovariate(1) * HOUR))
                self.clock.set(at, MarkSupply("provider", name, status))

    def _happens(self, fault: str) -> bool:
        rate = self._rates[fault]
        return rate > 0 and self._chances[fault].random() < rate

    # -- the wire ------------------------------------------------------------------------------------------

    def _send(self, events: list[Event]) -> None:
        """Put what is said on its way: some of it is lost, late, or comes twice, and so it is reordered."""
        for at, command in events:
            if isinstance(command, Report) and self._happens("losses"):
                self.marks["fault losses"] += 1
                continue
            arrives = at
            if self._happens("delays"):
                self.marks["fault delays"] += 1
                arrives = self._later(at, "delays")
            self.clock.set(arrives, command)
            if self._happens("duplicates"):
                self.marks["fault duplicates"] += 1
                self.clock.set(self._later(at, "duplicates"), command)

    def _later(self, at: Instant, fault: str) -> Instant:
        return at.plus(round(self._chances[fault].expovariate(1) * self.plan.rates.lateness_us))

    def _say(self, at: Instant, commands: list[Command]) -> None:
        envelopes = []
        for command in commands:
            self._said += 1
            envelopes.append(Envelope(f"s{self._said}", self._stamp(at), command))
        if self._past and self._happens("duplicates"):
            envelopes.append(self._chances["duplicates"].choice(self._past))
        self._past = [*self._past, *envelopes][-REMEMBERED:]
        batch = self._batch(tuple(envelopes))
        self.tape.append(batch)
        outcomes = self.subject.tell(batch)
        if outcomes is None:
            self._return(at, batch, commands)
            return
        for outcome in outcomes:
            self._ask(outcome.effects, at)
            for entry in outcome.entries:
                if isinstance(entry.fact, MarketOpened):
                    self._send(list(self._body.bid(entry.fact, self.machine.state, at)))
                elif isinstance(entry.fact, LeaseSigned):
                    self._send(list(self._body.hurry(entry.fact)))

    def _batch(self, envelopes: tuple[Envelope, ...]) -> Batch:
        """The commands, and whether the process dies with them."""
        singly = self.plan.habits.singly
        if len(envelopes) > 1:
            self.marks["commit command by command" if singly else "commit of many commands"] += 1
        chance = self._chances["crashes"]
        if self._happens("crashes"):
            self.marks["fault crashes"] += 1
            crash: Crash = chance.choice(CRASHES)
            return Batch(envelopes, singly, crash, chance.random(), chance.random() < 0.5)
        return Batch(envelopes, singly, snapshot=self.plan.habits.on_disk and chance.random() < 0.05)

    def _return(self, at: Instant, batch: Batch, commands: list[Command]) -> None:
        """After a crash: nobody was answered, so everybody says it again; effects come again as well."""
        if batch.crash != "written":
            for command in commands:
                if not isinstance(command, Wake):
                    self.clock.set(at.plus(SECOND), command)
        self._ask(self.machine.outstanding(), at)

    def _stamp(self, at: Instant) -> Instant:
        """When a command is received, by a clock that may have been set back."""
        if self._happens("jumps"):
            return at.plus(-round(self._chances["jumps"].random() * DAY))
        return at

    def _ask(self, effects: tuple[Effect, ...], at: Instant) -> None:
        for effect in effects:
            self._send(self._body.answer(effect, self.machine.state, at))

    # -- the end -------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        """Nothing goes wrong any more: what is lost comes back, and everybody says what is so."""
        now = self.clock.now
        for name in self._rates:
            self._rates[name] = 0.0
        self._body.kind = True
        self._body.breaks = 0.0
        self._healed_until = now.plus(HEALING_US)
        self._together_us = 0
        records = self.machine.state.records
        healing: list[Command] = []
        for name in (*records.marks, *records.drained):
            scope, _, id = name.partition(":")
            healing.append(MarkSupply(scope, id, "up"))  # type: ignore[arg-type]  # as it was marked
        healing += [
            SetCapacity(pool.id, max(one.nodes for one in pool.nodes))
            for pool in records.infrastructure.pools
            if pool.id in records.counted
        ]
        self._say(now, healing)
        self._ask(self.machine.outstanding(), now)
        self._send(self._body.repeat(self.machine.state, now))
        self._send(self._body.ask_again(self.machine.state, now))
