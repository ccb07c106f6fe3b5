from __future__ import annotations

from typing import get_args

import pytest

from stargate.broker.sourcing import TABLES
from stargate.broker.sourcing.fact import LeaseEnded, OfferAnswered, OfferEnded, OfferMade
from stargate.broker.sourcing.records import OfferStatus
from stargate.broker.sourcing.transitions import LEASE, OFFER, OFFER_ENDS, step


def test_an_offer_ends_once_and_only_takes_note_afterwards() -> None:
    for end in OFFER_ENDS:
        assert [fact for state, fact in OFFER if state == end] == [OfferAnswered]
        assert step(OFFER, end, OfferAnswered) == end
        with pytest.raises(AssertionError, match="cannot happen"):
            step(OFFER, end, OfferEnded, "accepted")


def test_an_outcome_must_be_one_that_the_table_names() -> None:
    assert step(OFFER, "", OfferMade) == "offered"
    assert step(OFFER, "offered", OfferEnded, "lapsed") == "lapsed"
    with pytest.raises(AssertionError, match="cannot end"):
        step(OFFER, "subscribed", OfferEnded, "lapsed")
    with pytest.raises(AssertionError, match="cannot end"):
        step(LEASE, "active", LeaseEnded, "sold")


def test_every_state_of_a_record_is_in_its_table() -> None:
    named = {state for key, after in OFFER.items() for state in (key[0], *after.split(" | "))}
    assert named - {""} == set(get_args(OfferStatus))


def test_every_state_can_be_reached() -> None:
    for table in TABLES.values():
        reached = {""}
        for _ in table:
            reached |= {
                target
                for (before, _), after in table.items()
                if before in reached
                for target in after.split(" | ")
            }
        assert {before for before, _ in table} <= reached
