"""Random stories: any commands at any times, and after each fact the naive checker finds no broken promise."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from stargate.agreements.right import Requirement, Right, Window
from stargate.base.errors import UserError
from stargate.base.time import DAY, HOUR, Duration, Instant
from stargate.broker.sourcing.command import (
    AcknowledgeOffer,
    AnswerOffer,
    AwardNeed,
    GrantWaiver,
    OpenNeed,
    Part,
    ReopenOffer,
    ReportDelivery,
    ReviseNeed,
    SourcingCommand,
    SubmitQuote,
    WithdrawNeed,
    WithdrawQuote,
)
from stargate.broker.sourcing.offer import is_open
from tests.broker.sourcing.naive import Naive
from tests.broker.sourcing.world import LAB, T0, UTC_DAYS, World, pool, terms, usd

POOLS = (
    pool("az-a", "azure", nodes=8, price="2.50"),
    pool("az-later", "azure", nodes=16, price="2.40", from_=T0.plus(20 * DAY)),
    pool("oci-a", "oci", nodes=8, price="2.00", start_delay=Duration(DAY)),
    pool("oci-b", "oci", nodes=4, price="1.70", chip="h200"),
    pool("cw-a", "coreweave", nodes=6, price="2.20", site="jersey"),
    pool("cw-quoted", "coreweave", nodes=6, price=None),
    pool("sb-no", "softbank", nodes=8, price="1.50", site="oslo"),
)
SCARCE = (POOLS[1], *(msgspec.structs.replace(one, prices=()) for one in POOLS if one.id != "az-later"))
"""Nothing has a list price but a hall that is still being built: needs wait for quotes."""
HOLDERS = ("microsoft", "oracle", "coreweave")
NEEDS = ("a", "b", "c")

RIGHTS = st.lists(
    st.builds(
        Right,
        clause=st.just(""),
        holder=st.just(""),
        grantor=st.just(LAB),
        mode=st.sampled_from(["capability", "first_offer", "match"]),
        rank=st.integers(1, 2),
        window=st.sampled_from([Window(1), Window(1, "business_days"), Window(6, "hours")]),
        calendar=st.just(UTC_DAYS),
        partial=st.booleans(),
        tail=st.sampled_from([0, 2 * DAY, 2 * DAY]).map(Duration),
        comparison=st.sampled_from(["per_term", "as_a_whole"]),
        tolerance=st.sampled_from([Decimal(0), Decimal("0.05")]),
        sharing=st.sampled_from(["cascade", "pro_rata"]),
        weight=st.integers(1, 3),
        at_end=st.sampled_from(["complete", "void"]),
        on_amendment=st.sampled_from(["complete", "void"]),
        delivery_grace=st.sampled_from([0, DAY]).map(Duration),
        cure=st.sampled_from([0, DAY]).map(Duration),
        until=st.integers(5, 200).map(lambda days: T0.plus(days * DAY)),
        suspended=st.sampled_from(["", "", "", "", "", "a default"]),
    ),
    min_size=0,
    max_size=3,
).map(
    lambda rights: [
        msgspec.structs.replace(one, clause=f"{holder}/rofr", holder=holder)
        for one, holder in zip(rights, HOLDERS, strict=False)
    ]
)
REQUIREMENTS = st.builds(
    Requirement,
    chips=st.sampled_from([16, 32, 64]),
    chip_types=st.sampled_from([("h100",), ("h100", "h200"), ()]),
    start_by=st.integers(1, 40).map(lambda days: T0.plus(days * DAY)),
    duration=st.sampled_from([5, 30]).map(lambda days: Duration(days * DAY)),
    jurisdictions=st.sampled_from([("US",), ("US-TX",), ()]),
    chips_per_node=st.just(8),
    topology=st.sampled_from(["any", "pool", "block"]),
    max_price_micro_usd_per_chip_hour=st.sampled_from([None, usd("2.10"), usd("3")]),
    sla=st.none(),
)
DEALS = st.builds(
    terms,
    chips=st.sampled_from([16, 32, 64]),
    price_micro_usd_per_chip_hour=st.integers(10, 30).map(lambda dimes: dimes * 100_000),
    start=st.integers(0, 40).map(lambda days: T0.plus(days * DAY)),
    duration=st.sampled_from([5, 30, 60]).map(lambda days: Duration(days * DAY)),
    prepayment=st.sampled_from([Decimal(0), Decimal("0.2")]),
)


class Swarm(RuleBasedStateMachine):
    """The machine under random commands."""

    @initialize(
        rights=RIGHTS,
        window=st.sampled_from([0, DAY]),
        notice=st.sampled_from(["on_issue", "on_issue", "on_acknowledgement"]),
        scarce=st.booleans(),
    )
    def begin(self, rights: list[Right], window: int, notice: str, scarce: bool) -> None:
        pools = SCARCE if scarce else POOLS
        self.world = World(*rights, pools=pools, market_window=Duration(window), notice=notice)
        self.naive = Naive()
        self.world.watch.append(self.naive.see)
        self.steps = 0

    def do(self, command: SourcingCommand) -> None:
        before = len(self.world.log)
        try:
            self.world.do(command)
        except UserError:
            assert len(self.world.log) == before, "a refused command changes nothing"

    # -- the buyer -----------------------------------------------------------------------------------------

    @rule(
        id=st.sampled_from(NEEDS),
        wanted=REQUIREMENTS,
        moving=st.booleans(),
        parent=st.sampled_from([None, None, "a"]),
        parts=st.booleans(),
    )
    def open(self, id: str, wanted: Requirement, moving: bool, parent: str | None, parts: bool) -> None:
        split = (Part(8, {"product": "x"}), Part(wanted.chips - 8)) if parts else ()
        self.do(OpenNeed(id, wanted, LAB, parent=parent, parts=split, moving_start=moving))

    @precondition(lambda self: self.world.sourcing.open_needs)
    @rule(
        data=st.data(),
        changes=st.fixed_dictionaries(
            {},
            optional={
                "topology": st.sampled_from(["any", "pool", "block"]),
                "jurisdictions": st.sampled_from([("US",), ("US-TX",), ()]),
                "start_by": st.integers(1, 60).map(lambda days: T0.plus(days * DAY)),
                "max_price_micro_usd_per_chip_hour": st.sampled_from([None, usd("2.10"), usd("3")]),
                "chips": st.sampled_from([16, 32, 64]),
            },
        ),
    )
    def revise(self, data: st.DataObject, changes: dict[str, Any]) -> None:
        id = data.draw(st.sampled_from(sorted(self.world.sourcing.open_needs)))
        wanted = msgspec.structs.replace(self.world.need(id).requirement, **changes)
        self.do(ReviseNeed(id, wanted))

    @rule(id=st.sampled_from(NEEDS))
    def withdraw(self, id: str) -> None:
        self.do(WithdrawNeed(id))

    @precondition(lambda self: self.world.sourcing.offers)
    @rule(data=st.data())
    def reopen(self, data: st.DataObject) -> None:
        self.do(ReopenOffer(data.draw(st.sampled_from(sorted(self.world.sourcing.offers)))))

    @rule(id=st.sampled_from(NEEDS), place=st.sampled_from(POOLS))
    def award(self, id: str, place: Any) -> None:
        self.do(AwardNeed(id, f"list:{place.id}"))

    # -- holders and providers -----------------------------------------------------------------------------

    def some_offer(self, data: st.DataObject) -> Any:
        """An open one if there is any."""
        offers = self.world.sourcing.offers
        waiting = sorted(id for id, offer in offers.items() if is_open(offer))
        return offers[data.draw(st.sampled_from(waiting or sorted(offers)))]

    @precondition(lambda self: self.world.sourcing.offers)
    @rule(data=st.data(), part=st.sampled_from([1, 1, 2, 4]), named=st.none() | st.none() | DEALS)
    def take(self, data: st.DataObject, part: int, named: Any) -> None:
        offer = self.some_offer(data)
        chips = max(8, offer.chips // part // 8 * 8)
        answer: Any = "accept" if part == 1 else "partial"
        self.do(AnswerOffer(offer.id, answer, offer.right.holder, chips=chips, terms=named))

    @precondition(lambda self: self.world.sourcing.offers)
    @rule(data=st.data())
    def all_take(self, data: st.DataObject) -> None:
        for offer in tuple(self.world.sourcing.offers.values()):
            if offer.status == "offered":
                self.do(AnswerOffer(offer.id, "accept", offer.right.holder))

    @precondition(lambda self: self.world.sourcing.offers)
    @rule(data=st.data(), answer=st.sampled_from(["decline", "cannot_meet", "counter", "waive"]))
    def refuse(self, data: st.DataObject, answer: Any) -> None:
        offer = self.some_offer(data)
        unmet = ("chips",) if answer == "cannot_meet" else ()
        self.do(AnswerOffer(offer.id, answer, offer.right.holder, unmet=unmet))

    @precondition(lambda self: any(offer.deadline is None for offer in self.world.sourcing.offers.values()))
    @rule()
    def acknowledge(self) -> None:
        for id, offer in tuple(self.world.sourcing.offers.items()):
            if offer.deadline is None:
                self.do(AcknowledgeOffer(id, offer.right.holder))

    @rule(
        holder=st.sampled_from(HOLDERS),
        scope=st.sampled_from(["need", "until"]),
        need=st.sampled_from(NEEDS),
        number=st.integers(1, 20),
    )
    def waive(self, holder: str, scope: Any, need: str, number: int) -> None:
        if number > 2:
            return
        until = self.world.now.plus(2 * DAY)
        id = f"w{number}{scope}{need}{holder}"
        self.do(GrantWaiver(id, f"{holder}/rofr", holder, holder, scope, need=need, waived_until=until))

    @rule(
        data=st.data(),
        place=st.sampled_from(["cw-quoted", "cw-a", "oci-a", "az-a"]),
        deal=DEALS,
        days=st.none() | st.integers(1, 9),
    )
    def quote(self, data: st.DataObject, place: str, deal: Any, days: int | None) -> None:
        waiting = [id for id in NEEDS if id in self.world.sourcing.open_needs]
        need = data.draw(st.sampled_from(waiting or NEEDS))
        provider = self.world.catalog_pools[place].provider
        until = None if days is None else self.world.now.plus(days * DAY)
        id = f"q{len(self.world.sourcing.quotes) + 1}"
        self.do(SubmitQuote(id, need, provider, place, deal, until))

    @precondition(lambda self: self.world.sourcing.open_needs)
    @rule(data=st.data(), dimes=st.integers(10, 40), prepaid=st.sampled_from([Decimal(0), Decimal("0.3")]))
    def quote_that_fits(self, data: st.DataObject, dimes: int, prepaid: Decimal) -> None:
        id = data.draw(st.sampled_from(sorted(self.world.sourcing.open_needs)))
        need = self.world.need(id)
        deal = terms(
            chips=max(8, need.missing_chips), price_micro_usd_per_chip_hour=dimes * 100_000, prepayment=prepaid,
            start=self.world.now, duration=need.requirement.duration,
        )  # fmt: skip
        number = len(self.world.sourcing.quotes) + 1
        self.do(SubmitQuote(f"q{number}", id, "oci", "oci-a", deal))

    @rule(id=st.sampled_from(["q1", "q2", "q3", "q4"]))
    def unquote(self, id: str) -> None:
        self.do(WithdrawQuote(id))

    @precondition(lambda self: self.world.sourcing.leases)
    @rule(data=st.data(), nodes=st.integers(0, 8), failed=st.booleans())
    def report(self, data: st.DataObject, nodes: int, failed: bool) -> None:
        id = data.draw(st.sampled_from(sorted(self.world.sourcing.leases)))
        self.do(ReportDelivery(id, nodes * 8, failed))

    # -- the world -----------------------------------------------------------------------------------------

    @rule(hours=st.sampled_from([1, 7, 24, 24 * 3, 24 * 30]))
    def wait(self, hours: int) -> None:
        self.world.run_until(self.world.now.plus(hours * HOUR))

    @rule()
    def wait_for_the_next_timer(self) -> None:
        due = self.world.sourcing.timers[0].at if self.world.sourcing.timers else self.world.now
        self.world.run_until(Instant(max(due, self.world.now)))

    @rule(provider=st.sampled_from(["azure", "oci", "coreweave"]))
    def lose(self, provider: str) -> None:
        self.world.marks[provider] = "lost"
        for lease in tuple(self.world.sourcing.leases.values()):
            if lease.open and lease.provider == provider:
                self.world.lose(lease.id)
        self.world.review()

    @rule()
    def recover(self) -> None:
        self.world.marks.clear()
        self.world.review()

    @rule(rights=RIGHTS)
    def amend(self, rights: list[Right]) -> None:
        self.world.clauses[:] = [({}, one) for one in rights]
        self.world.review()

    @rule(place=st.sampled_from(POOLS), closed=st.booleans())
    def forbid(self, place: Any, closed: bool) -> None:
        if closed:
            self.world.forbidden[place.id] = "law/residency"
        else:
            self.world.forbidden.pop(place.id, None)
        self.world.review()

    # -- what always holds ---------------------------------------------------------------------------------

    @invariant()
    def a_snapshot_and_a_replay_give_the_same(self) -> None:
        if hasattr(self, "world"):
            self.steps += 1
            if self.steps % 5 == 0:
                self.world.check_snapshot()

    @invariant()
    def indexes_say_what_the_records_say(self) -> None:
        if not hasattr(self, "world"):
            return
        state = self.world.sourcing
        leased: dict[str, int] = {}
        for lease in state.leases.values():
            if lease.open:
                leased[lease.pool] = leased.get(lease.pool, 0) + lease.ordered_chips
        assert leased == state.leased_chips
        assert set(state.open_needs) == {need.id for need in state.needs.values() if need.status != "closed"}
        for need in state.needs.values():
            held = sum(state.leases[id].ordered_chips for id in need.leases if state.leases[id].open)
            assert held == need.held_chips
        active = {lease.id: lease.chips for lease in state.leases.values() if lease.status == "active"}
        assert active == self.world.placeable
        assert state.timers == sorted(state.timers)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.run_until(self.world.now.plus(400 * DAY))
            self.world.check_snapshot()


SETTINGS = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
Swarm.TestCase.settings = SETTINGS
TestSwarm = Swarm.TestCase


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_long_swarm() -> None:
    run_state_machine_as_test(Swarm, settings=settings(SETTINGS, max_examples=1_500))
