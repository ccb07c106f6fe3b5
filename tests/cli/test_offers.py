"""Offers and answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stargate.cli.answer import ANSWERS
from stargate.cli.offers import lines, picture
from tests.cli.conftest import Run

OFFER: dict[str, Any] = {
    "id": "need-1.1",
    "need": "need-1",
    "status": "cannot_meet",
    "right": {
        "holder": "microsoft",
        "grantor": "openai",
        "clause": "msft-2025/rofr",
        "mode": "match",
        "text_ref": "s. 4.2",
    },
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


NEED = """
id: {id}
party: lab
scope: {{kind: train}}
requirement: {{chips: 4, chip_types: [H100-SXM], start_by: 2027-06-01, duration: 30d}}
"""


@pytest.fixture
def offered(on_server: Run, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The id of an offer that awaits its answer."""
    need = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    path = tmp_path / "need.yaml"
    path.write_text(NEED.format(id=need), encoding="utf-8")
    assert on_server("needs", "open", path).code == 0
    open_offers = on_server("offers", "--state", "open", "--json").json["items"]
    return next(str(offer["id"]) for offer in open_offers if offer["need"] == need)


def test_an_offer_is_declined(on_server: Run, offered: str) -> None:
    shown = on_server("offers", offered)
    assert shown.out.startswith(
        f"{offered}: offered\nTo beta-co from lab, first_offer\nUnder beta-2025/rofr s. 7\n"
    )
    assert offered in on_server("offers").out
    assert (
        on_server("answer", offered, "decline", "--text-ref", "letter of 3 May").out
        == f"{offered}: declined\n"
    )
    on_server("answer", offered, "accept")
    assert on_server("offers", offered, "--json").json["status"] == "declined"


def test_a_holder_cannot_meet_a_requirement(on_server: Run, offered: str) -> None:
    done = on_server("answer", offered, "cannot-meet", "--unmet", "start_by", "--json").json
    assert done["offer"]["status"] == "cannot_meet"
    assert done["offer"]["unmet"] == ["start_by"]


def test_a_holder_makes_its_offer(on_server: Run, offered: str) -> None:
    done = on_server("answer", offered, "accept", "--price", "2.10", "--pool", "beta-1", "--json")
    assert done.code == 0, done.out
    offer = done.json["offer"]
    assert offer["answers"][0]["terms"]["price_micro_usd_per_chip_hour"] == 2_100_000
    assert offer["answers"][0]["terms"]["chips"] == 4


def test_offers_that_do_not_exist(on_server: Run) -> None:
    assert on_server("offers", "nope").code == 2
    assert on_server("answer", "nope", "decline").code == 2
    assert on_server("quote", "nope", "--provider", "beta", "--pool", "beta-1").code == 2


def test_answers_are_those_that_exist(run: Run) -> None:
    from typing import get_args

    from stargate.broker.sourcing.command import Answer

    assert {answer.replace("-", "_") for answer in ANSWERS} == set(get_args(Answer))
    assert run("answer", "o", "perhaps").code == 2
