"""The engines and parties of the swarm: they do what they are asked, and say what is so. The wire does the rest."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from stargate.agreements.right import Terms
from stargate.base.money import micro_usd
from stargate.base.time import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from stargate.broker import Effect, Notify, StartAttempt, State, StopAttempt
from stargate.broker.command import Command, FailureClass, Report
from stargate.broker.sourcing.command import AcknowledgeOffer, AnswerOffer, ReportDelivery, SubmitQuote
from stargate.broker.sourcing.fact import LeaseSigned, MarketOpened
from stargate.broker.sourcing.offer import is_open
from stargate.broker.sourcing.records import Lease, Offer
from stargate.rehearsal.clock import Event
from stargate.rehearsal.draw import stream

FAILURES: tuple[FailureClass, ...] = ("no_capacity", "preempted", "infrastructure", "user")

ANSWERS = ("accept", "partial", "decline", "cannot_meet", "counter", "waive", "silence")
EAGER = (*ANSWERS, "accept", "accept", "accept")
UNWILLING = (*ANSWERS, "decline", "decline", "silence")
"""How holders answer, one as likely as another; it depends on the seed which."""
VALID = (0, 0, HOUR, DAY)
"""How long a quote stands; 0: until it is withdrawn."""
BARGAIN = ((9, HOUR), (15, 0))
"""A good price, in tenths of the list's, that is gone before a holder has thought about it; a bad one that stays."""
SAVES = (1, 3, 8, 20)
"""Checkpoints that an attempt tells of."""


class Task(msgspec.Struct):
    """An attempt, as its engine has it."""

    attempt: str
    reports: list[tuple[Instant, Report]]
    """What it says, and from when on that is so."""


class Body:
    """Everything outside of the broker. What it does depends on the seed and on what it is asked."""

    def __init__(self, seed: int, breaks: float) -> None:
        self._seed = seed
        self.breaks = breaks
        """Chance of an attempt to fail."""
        self.broke = 0
        """Attempts that were made to."""
        self._eager = stream(seed, "temper").random() < 0.6
        self.kind = False
        """Holders answer and providers deliver, always: the time of healing."""
        self.tasks: dict[str, Task] = {}
        """Attempts that are not over, for the engines."""
        self.over: dict[str, Report] = {}
        """How the others ended."""

    def answer(self, effect: Effect, state: State, now: Instant) -> list[Event]:
        """What will be said, and when. Effects come again after a crash."""
        if isinstance(effect, StartAttempt):
            return self._start(effect, now)
        if isinstance(effect, StopAttempt):
            return self._stop(effect, now)
        if isinstance(effect, Notify):
            return list(self._hear(effect, state, now))
        return []

    def _start(self, effect: StartAttempt, now: Instant) -> list[Event]:
        if effect.attempt in self.over:
            return [(now, self.over[effect.attempt])]
        known = self.tasks.get(effect.attempt)
        if known is None:
            chance = stream(self._seed, f"attempt/{effect.attempt}")
            known = self.tasks[effect.attempt] = Task(effect.attempt, self._course(effect, now, chance))
        return [(max(at, now), report) for at, report in known.reports]

    def _course(
        self, effect: StartAttempt, now: Instant, chance: random.Random
    ) -> list[tuple[Instant, Report]]:
        name, work = effect.attempt, effect.workload
        at = now.plus(chance.choice([0, SECOND, MINUTE]))
        course = [(at, Report(name, "accepted"))]
        begins = at.plus(chance.choice([0, SECOND, 10 * MINUTE]))
        length = work.time_limit or Duration(4 * HOUR)
        ends = begins.plus(round(length * chance.uniform(0.1, 1.0)))
        broken = chance.random() < self.breaks
        self.broke += broken
        if broken:
            ends = begins.plus(round((ends - begins) * chance.random()))
        if not (broken and chance.random() < 0.2):
            if chance.random() < 0.2:  # that it runs, and its first step a while later
                course.append((begins, Report(name, "running")))
            course.append((begins, Report(name, "running", step=1)))
            saves = chance.choice(SAVES) if work.checkpoint is not None else 0
            course += [
                (
                    Instant(begins + (ends - begins) * n // (saves + 1)),
                    Report(name, "checkpointed", step=10 * n),
                )
                for n in range(1, saves + 1)
            ]
        if broken:
            course.append((ends, Report(name, "failed", chance.choice(FAILURES))))
        elif work.kind != "serve":
            course.append((ends, Report(name, "done", step=100)))
        return course

    def _stop(self, effect: StopAttempt, now: Instant) -> list[Event]:
        name = effect.attempt
        task = self.tasks.pop(name, None)
        if name in self.over:
            return [(now, self.over[name])]
        last = None if task is None else task.reports[-1]
        if last is not None and last[1].phase in {"done", "failed"} and last[0] <= now:
            said = last[1]
        else:
            said = Report(name, "stopped")
        self.over[name] = said
        chance = stream(self._seed, f"stop/{name}")
        return [(now.plus(chance.choice([0, SECOND, round(effect.grace)])), said)]

    def repeat(self, state: State, now: Instant) -> list[Event]:
        """What engines say again of everything that the broker has not heard the end of."""
        said: list[Event] = []
        for attempt in state.live.values():
            name = attempt.id
            if name in self.over:
                said.append((now, self.over[name]))
            elif name in self.tasks:
                said += [(max(at, now), report) for at, report in self.tasks[name].reports]
        return said

    def _hear(self, notice: Notify, state: State, now: Instant) -> Iterator[Event]:
        offer = state.sourcing.offers.get(notice.subject)
        lease = state.sourcing.leases.get(notice.subject)
        chance = stream(self._seed, f"notice/{notice.id}/{self.kind}")
        if offer is not None and offer.right.holder == notice.party and is_open(offer):
            for after, said in self._answers(offer, chance):
                yield now.plus(after), said
        elif lease is not None and lease.party == notice.party and lease.delivery in {"due", "curing"}:
            yield now.plus(chance.choice([0, HOUR])), self._delivers(lease, chance)

    def _answers(self, offer: Offer, chance: random.Random) -> Iterator[tuple[int, Command]]:
        holder = offer.right.holder
        if offer.deadline is None and (self.kind or chance.random() < 0.9):
            yield chance.choice([0, MINUTE]), AcknowledgeOffer(offer.id, holder)
        after = MINUTE if self.kind else chance.choice([MINUTE, HOUR, DAY])
        answers: Any = EAGER if self._eager else UNWILLING
        answer = chance.choice(answers)
        if answer == "silence" and not self.kind:
            return
        if self.kind and answer in {"silence", "counter", "partial"}:
            answer = "decline"
        chips = None
        if answer == "partial":
            node = offer.requirement.chips_per_node
            chips = max(node, offer.chips // 2 // node * node)
        unmet = ("chips",) if answer == "cannot_meet" else ()
        yield after, AnswerOffer(offer.id, answer, holder, chips=chips, unmet=unmet)
        if answer == "accept":  # where it cannot, it says so: an acceptance that is refused is no answer
            yield after + MINUTE, AnswerOffer(offer.id, "cannot_meet", holder, unmet=("chips",))

    def _delivers(self, lease: Lease, chance: random.Random) -> ReportDelivery:
        if self.kind or chance.random() < 0.5:
            return ReportDelivery(lease.id, lease.ordered_chips, reported_by=lease.party)
        part = chance.choice([0, lease.ordered_chips // 2])
        return ReportDelivery(lease.id, part, failed=chance.random() < 0.5, reported_by=lease.party)

    def hurry(self, fact: LeaseSigned) -> Iterator[Event]:
        """Some bring a part as soon as the lease begins, before anybody has asked."""
        chance = stream(self._seed, f"hurry/{fact.lease}")
        if not self.kind and chance.random() < 0.2:
            yield fact.start, ReportDelivery(fact.lease, max(1, fact.chips // 2), reported_by=fact.party)

    def ask_again(self, state: State, now: Instant) -> list[Event]:
        """What holders say of all that is open, once nobody is silent any more."""
        return [
            (now.plus(after), said)
            for offer in state.sourcing.offers.values()
            if is_open(offer)
            for after, said in self._answers(offer, stream(self._seed, f"again/{offer.id}"))
        ]

    def bid(self, fact: MarketOpened, state: State, now: Instant) -> Iterator[Event]:
        """Quotes for a need of which the market hears."""
        need = state.sourcing.needs[fact.need]
        chance = stream(self._seed, f"market/{need.id}/{need.version}/{len(need.offers)}")
        leases = (state.sourcing.leases[id] for id in need.leases)
        failed = {lease.provider for lease in leases if lease.status == "failed"}
        for pool in state.catalog_pools.values():
            if pool.tenure != "market" or pool.provider in failed or chance.random() < 0.5:
                continue  # who has failed a need is ashamed to quote for it again
            listed = pool.price_at(now)
            ways = BARGAIN if chance.random() < 0.3 else ((chance.choice([8, 10, 12]), chance.choice(VALID)),)
            for number, (factor, valid) in enumerate(ways):
                terms = Terms(
                    chips=max(
                        1, chance.choice([need.missing_chips, need.missing_chips, pool.chips_per_node])
                    ),
                    price_micro_usd_per_chip_hour=micro_usd(listed or 2) * factor // 10,
                    start=now.plus(chance.choice([0, HOUR])),
                    duration=need.requirement.duration,
                    chip_type=pool.chip,
                    jurisdiction=state.sites[pool.site].jurisdiction,
                )
                name = _plain(f"{need.id}.{pool.id}.{now}.{number}")
                after = chance.choice([0, MINUTE, HOUR])
                yield (
                    now.plus(after),
                    SubmitQuote(
                        name, need.id, pool.provider, pool.id, terms, now.plus(valid) if valid else None
                    ),
                )


def _plain(name: str) -> str:
    return "".join(one if one.isalnum() else "-" for one in name)
