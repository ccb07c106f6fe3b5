"""Companies as they answer: offers of first refusal, deliveries that are due, quotes for what the market is asked.

Each answer is decided when the party hears of the matter, from a stream named after it, and said after a while.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stargate.agreements.right import Terms
from stargate.base.errors import UserError
from stargate.base.money import micro_usd
from stargate.base.time import FOREVER, Duration, Instant
from stargate.broker import Notify, State
from stargate.broker.sourcing.command import Answer, AnswerOffer, ReportDelivery, SubmitQuote
from stargate.broker.sourcing.fact import MarketOpened
from stargate.broker.sourcing.fit import free_chips
from stargate.broker.sourcing.holding import choose_pool
from stargate.broker.sourcing.offer import is_open
from stargate.broker.sourcing.records import Lease, Offer
from stargate.catalog import Pool
from stargate.catalog.dated import Id
from stargate.rehearsal.clock import Event
from stargate.rehearsal.draw import AT_ONCE, Chance, Delay, stream

ANYBODY = "anybody"
"""A model under this name speaks for every party without one of its own."""


class AnswerRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a holder answers to an offer. Of its rules the first that fits, and is drawn, counts; none: silence."""

    answer: Literal["accept", "partial", "decline", "cannot_meet", "waive", "ignore"]
    """`accept` and `partial` become `cannot_meet` where no pool of the holder fits."""
    chance: Chance = 1.0
    after: Delay = AT_ONCE
    clauses: Annotated[tuple[str, ...], Meta(max_length=1_000)] = ()
    """Only offers under these, as `agreement/clause`; none: all."""
    at_least_chips: Annotated[int, Meta(ge=0)] = 0
    at_most_chips: Annotated[int, Meta(ge=1)] | None = None
    from_: Instant | None = msgspec.field(name="from", default=None)
    """Only offers made from then on."""
    until: Instant | None = None
    """Only offers made before."""
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """`partial`: of the offered chips, in whole nodes."""
    unmet: Annotated[tuple[str, ...], Meta(max_length=16)] = ("start_by",)
    """`cannot_meet`: parts of the requirement."""

    def fits(self, offer: Offer, at: Instant) -> bool:
        """Whether it speaks of an offer."""
        most = self.at_most_chips
        return (
            offer.chips >= self.at_least_chips
            and (most is None or offer.chips <= most)
            and (not self.clauses or offer.right.clause in self.clauses)
            and (self.from_ is None or at >= self.from_)
            and (self.until is None or at < self.until)
        )


class Delivers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What becomes of a lease whose start has come before its capacity."""

    chance: Chance = 1.0
    """It delivers; otherwise it gives up, after as long."""
    after: Delay = AT_ONCE


class QuoteRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A pool that is quoted for, whenever the market is asked for something it may serve."""

    pool: Id
    usd_per_chip_hour: Decimal | None = None
    """Not given: the catalog's price at the time."""
    times: Annotated[float, Meta(gt=0, le=1_000)] = 1.0
    """The price times this."""
    spread: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """And up to this fraction more or less, each as likely."""
    chance: Chance = 1.0
    after: Delay = AT_ONCE
    starts_after: Duration = Duration(0)
    """From the quote on."""
    valid_for: Duration | None = None


class PartyModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one company behaves."""

    party: str
    """`anybody`: all that have no model of their own."""
    answers: Annotated[tuple[AnswerRule, ...], Meta(max_length=1_000)] = ()
    delivers: Delivers | None = None
    """Not given: what is not there by itself is neither delivered nor given up before its grace ends."""
    quotes: Annotated[tuple[QuoteRule, ...], Meta(max_length=1_000)] = ()


class Parties:
    """All of them. They read the broker's state, as people read its notices."""

    def __init__(self, models: Iterable[PartyModel], state: State, seed: int) -> None:
        self._models = {model.party: model for model in models}
        self._state = state
        self._seed = seed
        self._heard: set[str] = set()
        """Notices are repeated after a crash, and answered once."""

    def hear(self, notice: Notify, now: Instant) -> Iterable[Event]:
        """What a party does about a notice."""
        model = self._models.get(notice.party) or self._models.get(ANYBODY)
        if model is None or notice.id in self._heard:
            return ()
        self._heard.add(notice.id)
        sourcing = self._state.sourcing
        chance = stream(self._seed, f"notice/{notice.subject}/{notice.party}")
        offer = sourcing.offers.get(notice.subject)
        if offer is not None:
            asked = offer.right.holder == notice.party and is_open(offer) and not offer.answers
            return self._answer(model, offer, now, chance) if asked else ()
        lease = sourcing.leases.get(notice.subject)
        if lease is not None and lease.party == notice.party and lease.delivery == "due":
            return _deliver(model, lease, now, chance)
        return ()

    def _answer(
        self, model: PartyModel, offer: Offer, now: Instant, chance: random.Random
    ) -> tuple[Event, ...]:
        for rule in model.answers:
            if not rule.fits(offer, now) or chance.random() >= rule.chance:
                continue
            if rule.answer == "ignore":
                return ()
            per_node = offer.requirement.chips_per_node
            chips: int | None = None
            answer: Answer = rule.answer
            unmet: tuple[str, ...] = ()
            if answer == "partial":
                chips = max(per_node, int(offer.chips * rule.share) // per_node * per_node)
            if answer in {"accept", "partial"} and not self._can_serve(offer, chips or offer.chips, now):
                answer, chips = "cannot_meet", None
            if answer == "cannot_meet":
                unmet = rule.unmet
            said = AnswerOffer(offer.id, answer, offer.right.holder, chips=chips, unmet=unmet)
            return ((now.plus(rule.after.draw(chance)), said),)
        return ()

    def _can_serve(self, offer: Offer, chips: int, now: Instant) -> bool:
        need = self._state.sourcing.needs[offer.need]
        try:
            choose_pool(self._state, need, offer.right.holder, chips, now, "")
        except UserError:
            return False
        return True

    def bid(self, fact: MarketOpened, now: Instant) -> Iterator[Event]:
        """Quotes for a need of which the market hears."""
        for party in sorted(self._models):
            for place, rule in enumerate(self._models[party].quotes):
                pool = self._state.catalog_pools.get(rule.pool)
                chance = stream(self._seed, f"quote/{fact.need}/{party}/{place}")
                if pool is not None and chance.random() < rule.chance:
                    yield from self._quote(fact.need, pool, rule, now, chance)

    def _quote(
        self, need_id: str, pool: Pool, rule: QuoteRule, now: Instant, chance: random.Random
    ) -> Iterator[Event]:
        at = now.plus(rule.after.draw(chance))
        listed = pool.price_at(at) if rule.usd_per_chip_hour is None else rule.usd_per_chip_hour
        if listed is None:
            return
        need = self._state.sourcing.needs[need_id]
        chips = min(need.missing_chips, free_chips(self._state, need.requirement, pool, at))
        if chips < 1:
            return  # nobody offers what is let already
        factor = rule.times * (1 + rule.spread * (2 * chance.random() - 1))
        terms = Terms(
            chips=chips,
            price_micro_usd_per_chip_hour=round(micro_usd(listed) * factor),
            start=at.plus(rule.starts_after),
            duration=need.requirement.duration,
            chip_type=pool.chip,
            jurisdiction=self._state.sites[pool.site].jurisdiction,
        )
        name = f"{need_id}.{pool.id}.v{need.version}"
        until = None if rule.valid_for is None else Instant(min(at + rule.valid_for, FOREVER))
        yield at, SubmitQuote(name, need_id, pool.provider, pool.id, terms, until)


def _deliver(model: PartyModel, lease: Lease, now: Instant, chance: random.Random) -> tuple[Event, ...]:
    how = model.delivers
    if how is None:
        return ()
    at = now.plus(how.after.draw(chance))
    if chance.random() < how.chance:
        said = ReportDelivery(lease.id, lease.ordered_chips, evidence="delivered", reported_by=lease.party)
    else:
        said = ReportDelivery(
            lease.id, lease.chips if lease.status == "active" else 0, failed=True, reported_by=lease.party
        )
    return ((at, said),)
