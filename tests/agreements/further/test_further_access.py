"""Further cases of access: rights side by side, exclusivity and its relief, places, entitlements."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stargate.agreements import Book, Request, WorldFact, decide, fate, lint, obligations, rights
from stargate.agreements.refusal import deadline
from stargate.agreements.right import Window
from stargate.base.time import Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]
T = Instant.parse


def source(provider: str = "oracle", **attributes: object) -> Request:
    return Request("source", "lab", provider, attributes)


def serve(provider: str, **attributes: object) -> Request:
    return Request("serve", "lab", provider, attributes)


# -- two holders, and one holder with two rights ------------------------------------------------------------


def test_two_holders_that_share_pro_rata_are_asked_together(further: MakeBook) -> None:
    book = further("waterfall_of_rights")
    assert lint(book.agreements) == ()
    asked = source(jurisdiction="US-TX", chips=4096)
    answer = decide(book, (), T("2026-02-01"), asked)
    assert answer.outcome == "must_offer"
    assert {item.creditor for item in answer.obligations} == {"crusoe", "vantage"}
    found = rights(book, (), T("2026-02-01"), asked)
    assert [(right.holder, right.rank, right.sharing, right.weight) for right in found] == [
        ("crusoe", 1, "pro_rata", 60),
        ("vantage", 1, "pro_rata", 40),
    ]
    # One has refused: the other must still be asked. With one of them, the other's right is not met either.
    one = decide(book, (), T("2026-02-01"), source(jurisdiction="US-TX", refused="crusoe"))
    assert (one.outcome, [item.creditor for item in one.obligations]) == ("must_offer", ["vantage"])
    both = decide(book, (), T("2026-02-01"), source(jurisdiction="US-TX", refused=("crusoe", "vantage")))
    assert both.outcome == "permit"


def test_a_first_offer_comes_before_a_match_by_the_same_holder(further: MakeBook) -> None:
    book = further("waterfall_of_rights")
    found = rights(book, (), T("2026-02-01"), source(jurisdiction="CA-QC"))
    assert [(right.clause, right.mode, right.comparison) for right in found] == [
        ("offer-then-match/offer", "first_offer", "as_a_whole"),
        ("offer-then-match/match", "match", "per_term"),
    ]
    # Having declined to offer, it may still match: the refusal names the clause and not the holder.
    declined = source(jurisdiction="CA-QC", refused=("offer-then-match/offer",))
    answer = decide(book, (), T("2026-02-01"), declined)
    assert (answer.outcome, answer.reasons[0].clause) == ("must_offer", "offer-then-match/match")


# -- a right and its life -----------------------------------------------------------------------------------


def test_a_right_rests_during_uncured_default_and_comes_back(further: MakeBook, fact: MakeFact) -> None:
    book = further("right_and_its_life")
    facts = (fact("in_default/cloud", at="2026-03-01"), fact("in_default/cloud", False, at="2026-04-01"))

    def outcome(at: str) -> str:
        return decide(book, facts, T(at), source(chips=512)).outcome

    assert [outcome(at) for at in ("2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01")] == [
        "must_offer",
        "permit",
        "permit",
        "must_offer",
    ]
    resting = decide(book, facts, T("2026-03-15"), source(chips=512)).reasons[0]
    assert (resting.clause, resting.effect) == ("rofr/right", "suspended")
    assert resting.facts == ("in_default/cloud=true",)
    (right,) = rights(book, facts, T("2026-03-15"), source(chips=512))
    assert right.suspended
    # The grantor's own default does not help the grantor.
    mine = (fact("in_default/lab", at="2026-03-01"),)
    assert decide(book, mine, T("2026-03-15"), source(chips=512)).outcome == "must_offer"


def test_a_waiver_for_a_class_ends_on_its_date(further: MakeBook) -> None:
    book = further("right_and_its_life")
    research = source(kind="research", chips=512)
    waived = decide(book, (), T("2026-06-30"), research)
    assert waived.outcome == "permit"
    assert (waived.reasons[0].clause, waived.reasons[0].effect) == ("rofr/research-waiver", "waived")
    assert decide(book, (), T("2026-07-01"), research).outcome == "must_offer"
    assert decide(book, (), T("2026-06-30"), source(kind="train", chips=512)).outcome == "must_offer"
    assert decide(book, (), T("2026-06-30"), source(chips=512)).outcome == "must_offer"
    assert rights(book, (), T("2026-06-30"), research) == ()


def test_an_amendment_says_what_becomes_of_open_offers(further: MakeBook) -> None:
    book = further("right_and_its_life")
    (old,) = rights(book, (), T("2026-08-31"), source(chips=512))
    assert old.window == Window(5, "business_days")
    assert fate(book, (), T("2026-08-31T23:59:59Z"), old).status == "live"
    now = fate(book, (), T("2026-09-01"), old)
    # The clause says complete; the amendment, the later word, says void.
    assert (now.status, now.open_offers) == ("amended", "void")
    (new,) = rights(book, (), T("2026-09-01"), source(chips=512))
    assert new.window == Window(2, "business_days")
    assert fate(book, (), T("2026-09-02"), new).status == "live"
    assert fate(book, (), T("2031-01-01"), new).status == "ended"


def test_small_needs_are_outside_the_right(further: MakeBook) -> None:
    book = further("right_and_its_life")
    assert decide(book, (), T("2026-02-01"), source(chips=255)).outcome == "permit"
    assert decide(book, (), T("2026-02-01"), source(chips=256)).outcome == "must_offer"
    assert decide(book, (), T("2026-02-01"), source()).outcome == "must_offer"  # not said: the safe answer


DEADLINES = [
    # received, window, in New York: closes
    ("2026-11-25T15:00:00-05:00", Window(5, "business_days"), "2026-12-04T00:00:00-05:00"),  # Thanksgiving
    ("2026-12-24T09:00:00-05:00", Window(5, "business_days"), "2027-01-05T00:00:00-05:00"),  # two holidays
    ("2026-03-06T12:00:00-05:00", Window(2, "calendar_days"), "2026-03-09T00:00:00-04:00"),  # a day of 23 h
    ("2026-10-31T12:00:00-04:00", Window(1, "calendar_days"), "2026-11-02T00:00:00-05:00"),  # a day of 25 h
    ("2028-02-27T12:00:00-05:00", Window(2, "calendar_days"), "2028-03-01T00:00:00-05:00"),  # 29 February
    ("2027-02-27T12:00:00-05:00", Window(2, "calendar_days"), "2027-03-02T00:00:00-05:00"),  # none
    ("2026-03-08T01:30:00-05:00", Window(1, "hours"), "2026-03-08T03:30:00-04:00"),  # hours are exact
    ("2026-11-26T03:00:00Z", Window(1, "business_days"), "2026-11-28T00:00:00-05:00"),  # still the 25th there
]


@pytest.mark.parametrize(("received", "window", "closes"), DEADLINES)
def test_windows_in_the_calendar_of_the_agreement(
    further: MakeBook, received: str, window: Window, closes: str
) -> None:
    (right,) = rights(further("right_and_its_life"), (), T("2026-02-01"), source(chips=512))
    assert deadline(window, right.calendar, T(received)) == T(closes)


# -- exclusivity ----------------------------------------------------------------------------------------------


def test_failover_lifts_exclusivity_after_four_hours_and_until_it_is_back(
    further: MakeBook, fact: MakeFact
) -> None:
    book = further("exclusive_with_failover")
    facts = (
        fact("down/azure", at="2026-05-01T10:00:00Z"),
        fact("down/azure", False, at="2026-05-01T18:00:00Z"),
        fact("down/azure", at="2026-05-02T10:00:00Z"),
    )

    def outcome(at: str, provider: str = "aws") -> str:
        return decide(book, facts, T(at), serve(provider, product="api")).outcome

    assert outcome("2026-05-01T13:59:59.999999Z") == "forbid"
    assert outcome("2026-05-01T14:00:00Z") == "permit"
    assert outcome("2026-05-01T18:00:00Z") == "forbid"
    assert outcome("2026-05-02T12:00:00Z") == "forbid"  # a new outage counts from its own start
    assert outcome("2026-05-01T13:00:00Z", "azure") == "permit"
    unknown = decide(book, (), T("2026-05-01"), serve("aws", product="api"))
    assert unknown.reasons[0].needs == ("down/azure",)
    assert "4h" in unknown.reasons[0].would_change


def test_failover_counts_from_the_start_of_an_outage_reported_twice(
    further: MakeBook, fact: MakeFact
) -> None:
    book = further("exclusive_with_failover")
    facts = (
        fact("down/azure", at="2026-05-01T10:00:00Z"),
        fact("down/azure", at="2026-05-01T13:00:00Z"),  # the status page says it again
    )
    answer = decide(book, facts, T("2026-05-01T14:30:00Z"), serve("aws", product="api"))
    assert answer.outcome == "permit"


def test_overlapping_exclusives_are_found_when_they_are_signed(further: MakeBook) -> None:
    book = further("overlapping_exclusives")
    found = {problem.message.partition(":")[0] for problem in lint(book.agreements)}
    assert found == {
        "compute/everything and product/api",
        "compute/everything and rofr/right",
        # rofr ends the day on which `later` begins, and product never ends:
        # it is about serving, and `later` is not.
    }
    request = serve("beta", product="api")
    assert decide(book, (), T("2026-06-30"), request).outcome == "forbid"
    clash = decide(book, (), T("2026-07-01"), request)
    assert clash.outcome == "conflict"
    assert {reason.clause for reason in clash.reasons} == {"compute/everything", "product/api"}
    assert all(reason.would_change for reason in clash.reasons)
    assert decide(book, (), T("2027-01-01"), request).outcome == "permit"


# -- places and entitlements ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "outcome"), [(None, "forbid"), ("0.95", "permit"), ("0.80", "forbid"), ("0.75", "forbid")]
)
def test_a_least_share_needs_to_be_known(
    further: MakeBook, fact: MakeFact, share: str | None, outcome: str
) -> None:
    book = further("residency_share")
    facts = () if share is None else (fact("share/sovereign/europe", share, at="2026-01-01"),)
    outside = Request("serve", "ministry", "cloud", {"jurisdiction": "US-TX"})
    answer = decide(book, facts, T("2026-02-01"), outside)
    assert answer.outcome == outcome
    assert answer.reasons[0].clause == "sovereign/europe"
    assert answer.reasons[0].needs == (("share/sovereign/europe",) if share is None else ())
    inside = Request("serve", "ministry", "cloud", {"jurisdiction": "FR-IDF"})
    assert decide(book, facts, T("2026-02-01"), inside).outcome == "prefer"
    # Training is not spoken of.
    training = Request("train", "ministry", "cloud", {"jurisdiction": "US-TX"})
    assert decide(book, facts, T("2026-02-01"), training).outcome == "permit"


def test_an_entitlement_ends_on_a_date_or_when_a_trigger_fires(further: MakeBook, fact: MakeFact) -> None:
    book = further("entitlement_or_trigger")
    research = Request("use", "partner", "", {"asset": "research_ip"})
    claimed = fact("agi_declared", at="2028-02-01")
    bare = fact("agi_declared", at="2028-02-10", status="verified", verified_by="panel")
    proven = fact(
        "agi_declared", at="2028-02-29", status="verified", verified_by="panel", evidence_sha256="a" * 64
    )

    def outcome(at: str, *facts: WorldFact) -> str:
        return decide(book, facts, T(at), research).outcome

    assert outcome("2030-12-31T23:59:59Z") == "permit"
    assert outcome("2031-01-01") == "forbid"
    assert outcome("2029-01-01", claimed, bare) == "permit"  # neither a claim nor a finding without paper
    assert outcome("2028-02-28T23:59:59Z", proven) == "permit"
    assert outcome("2028-02-29", proven) == "forbid"
    model = Request("resell", "partner", "", {"asset": "model_ip"})
    assert decide(book, (proven,), T("2032-12-31"), model).outcome == "permit"
    (talk,) = (item for item in obligations(book, (proven,), T("2028-03-01")) if item.kind == "negotiate")
    assert talk.due == T("2028-03-30")
