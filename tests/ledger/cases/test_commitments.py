"""Where commitments stand, in the words of FOCUS: turn, deadlines, what is lacking, short, banked."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stargate.ledger import Lot
from tests.ledger.cases.conftest import MICRO, Books, T, deal

Sign = Callable[..., Books]
BILLION = 1_000_000_000


def state(books: Books, clause: str, at: str, portion: str = "") -> Any:
    books.ledger.rate(T(at))
    found = [
        one
        for one in books.ledger.commitments(T(at))
        if one.clause.endswith(clause) and one.portion == portion
    ]
    (one,) = found
    return one


def test_spend_power_and_their_turns(books: Books) -> None:
    books.example("aws-openai")
    books.use("spend_usd", 30 * BILLION, "2026-03-10", "openai", "amazon")
    books.use("spend_usd", 20 * BILLION, "2027-03-10", "openai", "amazon").use("gw", "0.5", "2027-01-01")
    first = state(books, "ultraservers", "2026-02-01")
    assert (first.status, first.order, first.why) == ("Active", 1, "it ends on 2032-11-03")
    assert (first.committed, first.consumed, first.lacking) == (38 * BILLION, 0, 38 * BILLION)
    first, second = (state(books, name, "2028-01-01") for name in ("ultraservers", "trainium-spend"))
    assert (first.status, first.remaining, first.lacking) == ("Exhausted", 0, 0)
    assert (second.consumed, second.remaining, second.order) == (12 * BILLION, 88 * BILLION, 2)
    assert (second.deadline, second.due, second.interval) == (T("2034-02-27"), 100 * BILLION, "Full Period")
    power = state(books, "trainium-power", "2028-01-01")
    assert (power.category, power.unit, power.consumed, power.remaining) == (
        "Usage",
        "gw",
        Decimal("0.5"),
        Decimal("1.5"),
    )
    assert state(books, "ultraservers", "2033-01-01").status == "Exhausted"
    assert state(books, "trainium-spend", "2035-01-01").status == "Expired"
    assert [one.clause for one in books.ledger.commitments(T("2026-02-01"))] == ["aws-openai/ultraservers"]


def test_each_campus_is_a_portion_that_waits_for_its_acceptance(books: Books) -> None:
    books.example("oracle-openai").fact("accepted/abilene", at="2025-09-30")
    books.use("spend_usd", 4 * BILLION, "2026-02-01", "openai", "oracle", site="abilene")
    books.use("spend_usd", 1 * BILLION, "2026-02-01", "openai", "oracle", site="saline")
    abilene = state(books, "take-or-pay", "2026-06-01", "abilene")
    assert (abilene.status, abilene.committed, abilene.consumed) == ("Active", 75 * BILLION, 4 * BILLION)
    assert (abilene.deadline, abilene.due, abilene.lacking) == (T("2026-09-30"), 15 * BILLION, 11 * BILLION)
    assert (abilene.start, abilene.end) == (T("2025-09-30"), T("2030-09-30"))
    saline = state(books, "take-or-pay", "2026-06-01", "saline")
    assert (saline.status, saline.start, saline.consumed, saline.deadline) == ("Pending", None, 0, None)


def test_shortfall_so_far_and_what_the_bank_still_holds(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2026-01-01"},
        {
            "kind": "commitment",
            "id": "take",
            "minimum": 100,
            "fulfillment_interval": "Monthly",
            "shortfall": "make_up",
            "make_up_period": "90d",
        },
    )
    for month, amount in ((1, 70), (2, 60), (3, 110)):
        books.use("spend_usd", amount, f"2025-0{month}-10", "lab", "alpha")
    books.through("2025-03").use("spend_usd", "12.5", "2025-04-02", "lab", "alpha")
    one = state(books, "take", "2025-04-10")
    assert (one.short, one.short_micro_usd) == (70, 70 * MICRO)  # 30 and 40
    # March took 10 of January's 30. January's lot ends 90 days after 1 February, February's after 1 March.
    assert one.bank == (Lot(Decimal(20), T("2025-05-02")), Lot(Decimal(40), T("2025-05-30")))
    assert (one.deadline, one.due, one.lacking) == (T("2025-05-01"), 100, Decimal("87.5"))
    assert one.bank[1:] == state(books, "take", "2025-05-10").bank


def test_milestones_and_the_credit_that_is_left(books: Books) -> None:
    books.case("ac26")
    spend: dict[str, Any] = {"country": "US", "source": "azure"}
    books.use("spend_usd", 600_000, "2025-03-01", "buyer", "microsoft", **spend).through("2025-12")
    books.use("spend_usd", 150_000, "2026-01-10", "buyer", "microsoft", **spend).through("2026-01")
    one = state(books, "commitment", "2026-02-10")
    assert (one.committed, one.consumed, one.short, one.credit_micro_usd) == (
        3_000_000,
        750_000,
        400_000,
        250_000 * MICRO,
    )
    # By the second milestone 2 000 000: 750 000 were used, and 250 000 are paid and not used yet.
    assert (one.deadline, one.due, one.lacking) == (T("2027-01-01"), 2_000_000, 1_000_000)
    assert one.shortfall == "convert_to_prepayment"


def test_what_rolls_over_lowers_what_is_lacking(sign: Sign) -> None:
    rolling = {"kind": "commitment", "id": "c", "minimum": 100, "fulfillment_interval": "Monthly"}
    books = sign(rolling | {"rollover": "until_end", "from": "2025-01-01", "until": "2026-01-01"})
    books.use("spend_usd", 160, "2025-01-10", "lab", "alpha").use(
        "spend_usd", 90, "2025-02-10", "lab", "alpha"
    )
    assert state(books, "c", "2025-03-05").lacking == 50  # 100 - (60 - 10)


def test_the_upfront_part(books: Books) -> None:
    one = state(books.case("ac19"), "take-or-pay", "2025-06-01")
    assert (one.upfront_percent, one.offer, one.interval) == (15, "Negotiated", "Monthly")


@pytest.mark.parametrize(
    ("at", "word"), [("2024-12-31", "Pending"), ("2025-06-01", "Active"), ("2026-01-01", "Expired")]
)
def test_pending_active_expired(sign: Sign, at: str, word: str) -> None:
    books = sign(
        {"kind": "commitment", "id": "c", "amount": 100, "from": "2025-01-01", "until": "2026-01-01"}
    )
    assert state(books, "c", at).status == word


def test_proposed_canceled_and_superseded(books: Books) -> None:
    commitment = {"kind": "commitment", "id": "c", "amount": 100}
    books.sign(deal(commitment, id="letter", status="letter_of_intent"))
    books.sign(deal(commitment, {"kind": "termination", "id": "end"}, id="old", signed_on="2025-01-01"))
    books.sign(deal(commitment, id="first", signed_on="2025-01-01"))
    books.sign(deal(commitment, id="second", signed_on="2025-06-01", supersedes=["first"]))
    books.fact("notice/old/end", at="2025-03-01")
    words = {one.clause: one.status for one in books.ledger.commitments(T("2025-07-01"))}
    assert words == {
        "letter/c": "Proposed",
        "old/c": "Canceled",
        "first/c": "Superseded",
        "second/c": "Active",
    }
