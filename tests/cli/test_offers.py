"""Offers and answers."""

from __future__ import annotations

from typing import Any

from stargate.cli.answer import ANSWERS
from stargate.cli.offers import lines, picture
from tests.cli.conftest import Run

OFFER: dict[str, Any] = {
    "id": "need-1.1",
    "need": "need-1",
    "status": "cannot_meet",
    "holder": "microsoft",
    "grantor": "openai",
    "clause": "msft-2025/rofr",
    "mode": "match",
    "text_ref": "s. 4.2",
    "chips": 1024,
    "requirement": {
        "chips": 1024,
        "chip_types": ["H100-SXM", "GB200-NVL72"],
        "start_by": "2027-06-01T00:00:00Z",
        "duration": "30d",
        "jurisdictions": ["US"],
    },
    "terms": {
        "chips": 1024,
        "price_micro_usd_per_chip_hour": 2_490_000,
        "start": "2027-06-01T00:00:00Z",
        "duration": "30d",
    },
    "deadline": "2027-05-01T00:00:00Z",
    "answers": [
        {"at": "2027-04-02T00:00:00Z", "answer": "cannot_meet", "answered_by": "microsoft", "effect": True,
         "unmet": ["start_by"]},
        {"at": "2027-05-02T00:00:00Z", "answer": "accept", "answered_by": "microsoft", "effect": False},
    ],
    "taken_chips": 0,
}  # fmt: skip


def test_one_offer_in_full() -> None:
    assert lines(OFFER) == [
        "need-1.1: cannot_meet",
        "To microsoft from openai, match",
        "Under msft-2025/rofr s. 4.2",
        "Required: 1,024 of H100-SXM or GB200-NVL72 by 2027-06-01T00:00:00Z for 30d",
        "Where: US",
        "Terms to match: 1,024 chips at $2.49 per chip-hour from 2027-06-01T00:00:00Z for 30d",
        "Answer before 2027-05-01T00:00:00Z",
        "2027-04-02T00:00:00Z microsoft answered cannot_meet: cannot meet start_by",
        "2027-05-02T00:00:00Z microsoft answered accept (without effect)",
    ]


def test_the_list() -> None:
    assert picture([]) == "No offers."
    assert picture([OFFER]).splitlines()[1].split() == [
        "need-1.1", "need-1", "microsoft", "match", "msft-2025/rofr", "1,024", "cannot_meet",
        "2027-05-01T00:00:00Z", "-",
    ]  # fmt: skip


def test_offers_and_answers_of_nobody(on_server: Run) -> None:
    assert on_server("offers").out == "No offers.\n"
    assert on_server("offers", "nope").code == 2
    assert on_server("answer", "nope", "decline").code == 2
    assert on_server("quote", "nope", "--provider", "beta", "--pool", "beta-1").code == 2


def test_answers_are_those_that_exist(run: Run) -> None:
    from typing import get_args

    from stargate.broker.sourcing.command import Answer

    assert {answer.replace("-", "_") for answer in ANSWERS} == set(get_args(Answer))
    assert run("answer", "o", "perhaps").code == 2
