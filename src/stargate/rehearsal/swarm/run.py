"""One run: a drawn world, a hostile wire, faults until the events are used up; then all is healed and must converge."""

from __future__ import annotations

import traceback
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import msgspec

from stargate.base import wire
from stargate.base.errors import UserError
from stargate.base.time import DAY, FOREVER, HOUR, Instant
from stargate.broker import Effect, Entry, Envelope, Machine, Outcome
from stargate.broker.command import Command, Declare, MarkSupply, Report, SetCapacity, Submit, Wake
from stargate.broker.sourcing.fact import MarketOpened
from stargate.broker.sourcing.offer import is_open
from stargate.rehearsal.clock import Clock, Event
from stargate.rehearsal.draw import stream
from stargate.rehearsal.swarm.body import Body
from stargate.rehearsal.swarm.case import FAULTS, Case
from stargate.rehearsal.swarm.checker import Checker
from stargate.rehearsal.swarm.converged import unsettled
from stargate.rehearsal.swarm.lies import LIES
from stargate.rehearsal.swarm.people import amend, wish
from stargate.rehearsal.swarm.plan import START, draw

HEARTBEAT_US = HOUR
"""In a quiet world something is said at least so often: engines repeat what they have said."""
HEALING_STEPS = 400
"""Instants at which something may happen after healing; then nothing may be left to do."""
HEALING_US = 10 * DAY
WISHES = 0.05
REMEMBERED = 20
"""Envelopes that may be delivered once more."""


class Result(msgspec.Struct, frozen=True):
    """What came of a run."""

    case: Case
    events: int
    """Commands said and facts checked."""
    violations: tuple[str, ...]
    digest: str
    """Of every entry."""
    marks: dict[str, int]


def run(case: Case) -> Result:
    """Play one case to its end, or to its first violation."""
    swarm = Run(case)
    try:
        swarm.play()
    except Exception as error:  # noqa: BLE001 - whatever the broker raises is what we look for
        if not swarm.found:
            swarm.found.append(_said(error))
    swarm.marks["fault breaks"] = swarm.broke
    marks = dict(sorted(swarm.checker.marks.items()))
    return Result(case, swarm.events, tuple(swarm.found), swarm.digest.hexdigest(), marks)


def _said(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}, {last.name})"


class Run:
    """The driver of one case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.plan = draw(case)
        self.machine = Machine()
        self.checker = Checker()
        self.clock = Clock(START)
        self.found: list[str] = []
        self.events = 0
        self.digest = blake2b(digest_size=16)
        self._rates = dict(self.plan.rates.of)
        self._body = Body(case.seed, self._rates["breaks"])
        self._chances = {name: stream(case.seed, f"fault/{name}") for name in FAULTS}
        self._people = stream(case.seed, "people")
        self._checks = stream(case.seed, "checks")
        self._said = 0
        self._batches = 0
        self._past: list[Envelope] = []
        self._healed_until = FOREVER

    @property
    def marks(self) -> Counter[str]:
        """What was reached."""
        return self.checker.marks

    @property
    def broke(self) -> int:
        """Attempts that the engines let fail."""
        return self._body.broke

    def play(self) -> None:
        """All of it. Raises whatever goes wrong."""
        plan = self.plan
        self._say(START, [Declare(plan.infrastructure, plan.agreements, plan.policy)])
        for at, name, work in plan.work:
            self.clock.set(at, Submit(name, work), turn=2)
        self._swizzle()
        while self._said < self.case.events:
            self._step()
        self._heal()
        for _ in range(HEALING_STEPS):
            if not self._settle_step():
                break
        self._check()
        self._note(unsettled(self.machine.state, self.clock.now))

    # -- one instant ---------------------------------------------------------------------------------------

    def _step(self) -> None:
        at = min(self._next(), self.clock.now.plus(HEARTBEAT_US))
        at = max(at, self.clock.now)
        if self._happens("jumps") and self._chances["jumps"].random() < 0.5:
            at = at.plus(round(self._chances["jumps"].random() * DAY))
            self.marks["fault jumps"] += 1
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
        after = self.machine.next_due() or FOREVER
        assert after > at, f"something is due at {after} and does not come about"
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
        if chance.random() < 0.2:
            pool = chance.choice(records.infrastructure.pools)
            return SetCapacity(pool.id, chance.randint(0, max(one.nodes for one in pool.nodes)))
        places: dict[str, list[str]] = {
            "provider": [one.id for one in records.infrastructure.providers],
            "site": [one.id for one in records.infrastructure.sites],
            "pool": [one.id for one in records.infrastructure.pools],
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
            chance.shuffle(names)
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
        self._batches += 1
        self.events += len(envelopes)
        answers = self.machine.handle_all(envelopes)
        outcomes = [one for one in answers if isinstance(one, Outcome)]
        assert len(answers) == len(envelopes), "every command has an answer"
        assert all(isinstance(one, Outcome | UserError) for one in answers), (
            "an answer is an outcome or a refusal"
        )
        if self._happens("crashes"):
            self._crash(at, commands, outcomes)
            return
        self._commit(outcomes)
        for outcome in outcomes:
            self._ask(outcome.effects, at)
            for entry in outcome.entries:
                if isinstance(entry.fact, MarketOpened):
                    self._send(list(self._body.bid(entry.fact, self.machine.state, at)))
        if self._checks.random() < 0.02:
            self._check()

    def _stamp(self, at: Instant) -> Instant:
        """When a command is received, by a clock that may have been set back."""
        if self._happens("jumps"):
            return at.plus(-round(self._chances["jumps"].random() * DAY))
        return at

    def _ask(self, effects: tuple[Effect, ...], at: Instant) -> None:
        for effect in effects:
            self._send(self._body.answer(effect, self.machine.state, at))

    def _commit(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            for entry in outcome.entries:
                self._see(entry)

    def _see(self, entry: Entry) -> None:
        self.events += 1
        self.digest.update(wire.pack(entry))
        found = self.checker.see(entry)
        self._note([f"after entry {entry.seq} ({type(entry.fact).__name__}): {one}" for one in found])

    def _note(self, found: list[str]) -> None:
        self.found += found
        assert not found, "what was violated has been noted"

    def _crash(self, at: Instant, commands: list[Command], outcomes: list[Outcome]) -> None:
        """The process dies at a write: the batch is on record, or it is torn and nothing of it is."""
        chance = self._chances["crashes"]
        written = chance.random() < 0.5
        self.marks["fault crashes"] += 1
        self.marks["crash written" if written else "crash unwritten"] += 1
        if written:
            self._commit(outcomes)
        else:
            for command in commands:  # nobody was answered, so everybody says it again
                if not isinstance(command, Wake):
                    self.clock.set(at.plus(1_000_000), command)
        self.machine = self.checker.restart(snapshot=chance.random() < 0.5)
        state = self.machine.state
        if any(is_open(offer) for offer in state.sourcing.offers.values()):
            self.marks["crash while an offer is open"] += 1
        if state.stopping:
            self.marks["crash while work stops"] += 1
        self._ask(self.machine.outstanding(), at)

    # -- the end -------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        """Nothing goes wrong any more: what is lost comes back, and everybody says what is so."""
        now = self.clock.now
        for name in self._rates:
            self._rates[name] = 0.0
        self._body.kind = True
        self._body.breaks = 0.0
        self._healed_until = now.plus(HEALING_US)
        records = self.machine.state.records
        healing: list[Command] = []
        for name in list(records.marks):
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

    def _check(self) -> None:
        self._note(self.checker.compare(self.machine))
