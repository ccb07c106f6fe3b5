"""Sourcing in the real broker, under agreements as people write them: the amendment, the trigger, the delivery."""

from __future__ import annotations

from typing import Any

import pytest

from stargate.agreements import Agreement, WorldFact
from stargate.agreements.right import Requirement
from stargate.base import wire
from stargate.base.time import DAY, HOUR, Duration, Instant
from stargate.broker import Envelope, Machine, State
from stargate.broker.command import Cancel, Command, Declare, DeclareFact, MarkSupply, Submit, Wake
from stargate.broker.invariants import violations
from stargate.broker.policy import Policy, SourcingPolicy
from stargate.broker.sourcing.command import AnswerOffer, OpenNeed
from stargate.catalog import Infrastructure
from tests.broker.world import infrastructure, pool, work

SIGNED = Instant.parse("2025-01-21")
AMENDED = Instant.parse("2025-10-28")

ROFR: dict[str, Any] = {
    "kind": "first_refusal",
    "id": "new-capacity",
    "mode": "capability",
    "window": {"length": 10, "unit": "business_days"},
    "calendar": "redmond",
}
MICROSOFT: dict[str, Any] = {
    "id": "msft",
    "parties": ["lab", "microsoft"],
    "customer": "lab",
    "supplier": "microsoft",
    "signed_on": "2025-01-21",
    "calendars": [{"name": "redmond", "time_zone": "America/Los_Angeles", "holidays": ["2025-02-17"]}],
}


def agreement(**changes: Any) -> Agreement:
    return wire.convert({**MICROSOFT, **changes}, Agreement)


def amendment(rule: str) -> Agreement:
    clause = {
        "kind": "amendment",
        "id": "october",
        "from": "2025-10-28",
        "removes": ["new-capacity"],
        "on_open_offers": rule,
    }
    return agreement(id="msft-2", amends="msft", signed_on="2025-10-28", clauses=[clause], calendars=[])


def catalog() -> Infrastructure:
    return infrastructure(
        pool("az", "azure", tenure="market", nodes=16, price="2.50"),
        pool("oci", "oracle", tenure="market", nodes=16, price="2.00"),
        pool("aws", "aws", tenure="market", nodes=16, price="2.20"),
    )


class House:
    """The broker with three market pools and the agreement."""

    def __init__(self, *agreements: Agreement, at: Instant = SIGNED) -> None:
        self.machine = Machine()
        self.now = at
        self.count = 0
        policy = Policy(lab="lab", sourcing=SourcingPolicy(automatic=False))
        self.do(Declare(catalog(), agreements, policy))

    @property
    def state(self) -> State:
        return self.machine.state

    def do(self, command: Command, at: Instant | None = None) -> None:
        if at is not None:
            self.pass_until(Instant(at - 1))
            self.now = at
        self.count += 1
        self.machine.handle(Envelope(f"c{self.count}", self.now, command))
        assert not violations(self.state)

    def pass_until(self, at: Instant) -> None:
        while (due := self.machine.next_due()) is not None and due <= at:
            self.now = max(self.now, due)
            self.count += 1
            self.machine.handle(Envelope(f"c{self.count}", self.now, Wake()))
            after = self.machine.next_due()
            assert after is None or after > self.now, "what is due is dealt with"
        self.now = max(self.now, at)

    def open(self, id: str, at: Instant | None = None, **changes: Any) -> None:
        wanted: dict[str, Any] = {
            "chips": 64, "chip_types": ("H100",), "start_by": (at or self.now).plus(90 * DAY),
            "duration": Duration(30 * DAY), "chips_per_node": 8, "topology": "pool",
        }  # fmt: skip
        self.do(OpenNeed(id, Requirement(**{**wanted, **changes}), "lab", scope={"kind": "train"}), at)

    def offers(self) -> list[tuple[str, str]]:
        return [(one.right.holder, one.status) for one in self.state.sourcing.offers.values()]

    def leases(self) -> list[tuple[str, str]]:
        return [(one.pool, one.status) for one in self.state.sourcing.leases.values()]


def test_in_january_2025_azure_is_asked_first_and_cannot_meet_opens_the_market() -> None:
    house = House(agreement(clauses=[ROFR]))
    house.open("n", Instant.parse("2025-02-03T18:00:00Z"))
    assert house.offers() == [("microsoft", "offered")]
    offer = house.state.sourcing.offers["n.o1"]
    # Ten working days after 3 February, with Presidents' Day in between: 18 February is the last.
    assert offer.deadline == Instant.parse("2025-02-19T00:00:00-08:00")
    assert offer.right.clause == "msft/new-capacity"
    house.do(AnswerOffer("n.o1", "cannot_meet", "microsoft", unmet=("start_by",)))
    assert house.leases() == [("oci", "active")]
    supply = house.state.supplies.by_id["n.l1"]
    assert (supply.chips, supply.pool) == (64, "oci")


def test_under_a_letter_of_intent_nobody_has_to_be_asked() -> None:
    house = House(agreement(clauses=[ROFR], status="letter_of_intent"))
    house.open("n")
    assert house.offers() == []
    assert house.leases() == [("oci", "active")]


@pytest.mark.parametrize(("rule", "status"), [("complete", "offered"), ("void", "void")])
def test_an_offer_that_is_open_on_the_day_of_the_amendment_follows_its_rule(rule: str, status: str) -> None:
    house = House(agreement(clauses=[ROFR]), amendment(rule))
    house.open("n", Instant(AMENDED - DAY))
    assert house.offers() == [("microsoft", "offered")]
    house.pass_until(Instant(AMENDED - 1))
    assert house.offers() == [("microsoft", "offered")], "the amendment changes nothing before its day"
    house.pass_until(AMENDED)
    assert house.offers() == [("microsoft", status)]
    if rule == "complete":
        house.do(AnswerOffer("n.o1", "accept", "microsoft"), Instant(AMENDED + DAY))
        assert house.leases() == [("az", "active")]
    else:
        assert house.leases() == [("oci", "active")]
    house.open("later", Instant(AMENDED + 2 * DAY))
    assert len(house.offers()) == 1, "new needs go to the market"


def test_a_suspended_right_ends_its_open_offer_from_that_instant() -> None:
    trigger = {
        "kind": "trigger",
        "id": "default",
        "when": [{"fact": "azure_default", "operator": "Equals", "value": True}],
        "effects": [{"effect": "suspend", "clauses": ["new-capacity"]}],
    }
    house = House(agreement(clauses=[ROFR, trigger]))
    house.open("n", SIGNED.plus(HOUR))
    assert house.offers() == [("microsoft", "offered")]
    fact = WorldFact("azure_default", True, SIGNED.plus(2 * HOUR))
    house.do(DeclareFact(fact), SIGNED.plus(2 * HOUR))
    assert house.offers() == [("microsoft", "void")]
    assert house.leases() == [("oci", "active")]


def test_a_place_that_is_closed_by_an_agreement_is_left_out_with_its_clause() -> None:
    residency = {"kind": "residency", "id": "soil", "jurisdictions": ["NO"], "grantor": "lab"}
    house = House(agreement(clauses=[residency]))
    house.open("n")
    assert house.leases() == []
    need = house.state.sourcing.needs["n"]
    assert (need.status, need.waits_for) == ("market", "quotes")


def test_new_supply_in_the_catalog_ends_the_waiting() -> None:
    house = House(agreement(clauses=[]))
    house.open("n", chips=256)
    assert house.leases() == []
    bigger = infrastructure(pool("aws", "aws", tenure="market", nodes=32))
    house.do(Declare(bigger, (), house.state.records.policy))
    assert house.leases() == [("aws", "active")]


def test_what_a_lease_gives_back_is_let_to_who_waits() -> None:
    house = House()
    house.do(Declare(infrastructure(pool("oci", "oracle", tenure="market", nodes=8)), (), Policy(lab="lab")))
    house.open("a")
    house.open("b")
    assert house.leases() == [("oci", "active")]
    house.pass_until(house.now.plus(30 * DAY))
    assert house.leases() == [("oci", "ended"), ("oci", "active")]


def test_needs_that_wait_are_not_looked_at_again_while_nothing_has_changed() -> None:
    house = House(agreement(clauses=[]))
    house.open("n", chips=256)
    assert house.state.unchanged(house.now)
    house.do(MarkSupply("provider", "oracle", "lost"))
    assert house.state.unchanged(house.now), "it was looked at again, and found nothing"
    seen = house.state.market_seq
    house.do(MarkSupply("provider", "oracle", "up"))
    assert house.state.market_seq > seen


def queued_job() -> House:
    """A job for 64 chips of which 32 are held; Azure is asked for the rest of its life."""
    house = House(agreement(clauses=[ROFR]))
    held = pool("own", "aws", tenure="on_demand", nodes=4)
    policy = Policy(lab="lab")
    house.do(Declare(infrastructure(*catalog().pools, held), (agreement(clauses=[ROFR]),), policy))
    house.do(Submit("job", work("job", nodes=8)))
    assert house.offers() == [("microsoft", "offered")]
    return house


def test_a_job_that_is_cancelled_takes_its_open_offers_back() -> None:
    house = queued_job()
    house.do(Cancel("job"))
    assert house.offers() == [("microsoft", "withdrawn")]
    assert house.state.sourcing.needs["need-job.0"].outcome == "withdrawn"
    house.pass_until(house.now.plus(60 * DAY))
    assert not house.leases()


def test_a_job_that_finds_held_capacity_meanwhile_buys_nothing() -> None:
    house = queued_job()
    more = pool("own", "aws", tenure="on_demand", nodes=8)
    agreements = (agreement(clauses=[ROFR]),)
    declared = Declare(infrastructure(*catalog().pools, more), agreements, house.state.records.policy)
    house.do(declared, house.now.plus(DAY))
    assert [attempt.pool for attempt in house.state.live.values()] == ["own"]
    assert house.offers() == [("microsoft", "withdrawn")]


def test_a_job_waits_for_the_holder_and_not_for_ever() -> None:
    """The lead time of a job without a deadline is not used up by the holder's window."""
    house = queued_job()
    closes = house.state.sourcing.offers["need-job.0.o1"].deadline
    assert closes is not None
    house.pass_until(closes)
    assert house.offers() == [("microsoft", "lapsed")]
    assert house.leases() == [("oci", "active")]
    assert [attempt.pool for attempt in house.state.live.values()] == ["oci"]


def test_the_whole_story_survives_a_snapshot_and_a_replay() -> None:
    house = House(agreement(clauses=[ROFR]))
    house.open("n", SIGNED.plus(DAY))
    house.do(AnswerOffer("n.o1", "partial", "microsoft", chips=16))
    house.do(MarkSupply("provider", "oracle", "lost"), SIGNED.plus(9 * DAY))
    house.pass_until(SIGNED.plus(60 * DAY))
    packed = house.state.pack()
    assert State.unpack(packed).pack() == packed
