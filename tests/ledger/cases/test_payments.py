"""What is due when, what was paid of it, and books that begin in the middle of a contract."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stargate.base.errors import StateConflictError
from stargate.ledger import Opening, Payable, Payment
from tests.ledger.cases.conftest import MICRO, Books, T
from tests.ledger.cases.test_microsoft import earned

Sign = Callable[..., Books]


def pay(books: Books, amount: Any, at: str, payer: str = "lab", payee: str = "alpha", **more: str) -> Books:
    payment = Payment(key=at, payer=payer, payee=payee, amount_usd=Decimal(amount), paid_at=T(at), **more)
    assert books.ledger.pay([payment, payment], T(at)).new == 1  # told twice, it was paid once
    books.ledger.rate(T(at))
    return books


def payable(books: Books, at: str, payer: str = "lab", payee: str = "alpha") -> Payable:
    (found,) = (one for one in books.ledger.payables((payer, payee), T(at)) if one.payer == payer)
    return found


def test_ac09_twenty_four_instalments_go_on_after_accrual_has_ended(books: Books) -> None:
    books.example("microsoft-openai", "microsoft-openai-2025-10")
    books.fact("agi_declared", at="2027-05-10T08:15:00Z", status="verified", verified_by="agi-panel")
    earned(books, "2027-05-09", "1000.000035").through("2027-06")
    owed = payable(books, "2027-06-30", "openai", "microsoft")
    # 0.20 x 1000.000035 = 200.000007: 24 parts of 8.333333, the first 15 of them a micro-dollar more.
    assert [item.amount_micro_usd for item in owed.instalments] == [8_333_334] * 15 + [8_333_333] * 9
    assert owed.owed_micro_usd == 200_000_007 == 8_333_334 * 15 + 8_333_333 * 9
    # The month ends, a month passes, and then one a month: July 2027 to June 2029.
    assert [item.due.iso()[:10] for item in owed.instalments][::23] == ["2027-07-01", "2029-06-01"]
    assert (owed.due_micro_usd, owed.overdue_micro_usd) == (0, 0)
    assert payable(books, "2028-01-01", "openai", "microsoft").due_micro_usd == 8_333_334 * 7


def test_shares_of_one_month_under_two_wordings_are_paid_by_their_own_terms(books: Books) -> None:
    books.example("microsoft-openai", "microsoft-openai-2025-10")
    earned(earned(books, "2025-10-05", "240"), "2025-10-28", "240").through("2025-10")
    owed = payable(books, "2025-11-01", "openai", "microsoft")
    # 48 at once, as January 2025 said nothing of instalments; 48 in 24 parts of 2.
    assert [item.amount_micro_usd // MICRO for item in owed.instalments] == [48] + [2] * 24
    assert owed.due_micro_usd == 48 * MICRO


def test_payments_pay_what_is_due_first_and_the_rest_is_shown_as_prepaid(sign: Sign) -> None:
    books = sign({"kind": "price", "id": "p", "price_usd": 1})
    books.hours(100, "2025-01-10", "lab", "alpha").hours(50, "2025-02-10", "lab", "alpha").through("2025-02")
    pay(books, "120.5", "2025-03-03")
    owed = payable(books, "2025-02-15")
    assert [item.paid_micro_usd for item in owed.instalments] == [100 * MICRO, 20_500_000]
    assert (owed.owed_micro_usd, owed.due_micro_usd, owed.overdue_micro_usd) == (150 * MICRO, 100 * MICRO, 0)
    assert payable(books, "2025-03-01").overdue_micro_usd == 29_500_000
    pay(books, 40, "2025-03-04")
    owed = payable(books, "2025-03-05")
    assert (owed.paid_micro_usd, owed.prepaid_micro_usd, owed.overdue_micro_usd) == (
        160_500_000,
        10_500_000,
        0,
    )
    # In the accounts: charges 150, payments 160.5, and what is left stands the other way.
    assert books.store.balances() == {
        "alpha:lab:payment:usd": 160_500_000,
        "alpha:lab:usage:usd": -150 * MICRO,
        "lab:alpha:payment:usd": -160_500_000,
        "lab:alpha:usage:usd": 150 * MICRO,
    }
    # The next month takes it up.
    books.hours(30, "2025-03-20", "lab", "alpha").through("2025-03")
    owed = payable(books, "2025-04-01")
    assert (owed.prepaid_micro_usd, owed.overdue_micro_usd) == (0, 19_500_000)


def test_a_payment_for_one_clause_pays_that_one_first(sign: Sign) -> None:
    books = sign(
        {"kind": "price", "id": "p", "price_usd": 1},
        {"kind": "revenue_share", "id": "s", "rate": "0.5", "payment": {"delay_months": 6}},
    )
    books.hours(100, "2025-01-10", "lab", "alpha").use("revenue_usd", 100, "2025-01-10", "lab").through(
        "2025-01"
    )
    pay(books, 70, "2025-02-03", clause="deal/s")
    paid = {item.clause: item.paid_micro_usd // MICRO for item in payable(books, "2025-02-03").instalments}
    assert paid == {"deal/s": 50, "deal/p": 20}  # what is left of it goes to what is due


def test_a_payment_told_after_its_month_was_closed_is_booked_in_the_open_one(sign: Sign) -> None:
    books = sign({"kind": "price", "id": "p", "price_usd": 1})
    books.hours(100, "2025-01-10", "lab", "alpha").through("2025-02")
    pay(books, 100, "2025-02-10")
    assert books.booked("2025-02") == 0
    assert books.booked("2025-03") == -100 * MICRO
    assert payable(books, "2025-03-05").overdue_micro_usd == 0


# -- books that begin in the middle ---------------------------------------------------------------------------------


def opening(key: str, kind: str, amount: Any = 0, **more: Any) -> Opening:
    spans = {"start": T(more.pop("start", "2025-01-01")), "end": T(more.pop("end", "2026-01-01"))}
    parties = {"payer": "lab", "payee": "alpha"}
    return Opening(key=key, kind=kind, amount_usd=Decimal(amount), **(parties | spans | more))  # type: ignore[arg-type]


def test_a_cap_of_which_a_part_was_paid_elsewhere(sign: Sign) -> None:
    books = sign(
        {"kind": "revenue_share", "id": "s", "rate": "0.2", "cap_total_usd": 1000}, signed_on="2025-01-01"
    )
    books.ledger.open(
        [opening("s", "share", "989.5", clause="deal/s", quantity=Decimal("4947.5"))], T("2026-01-01")
    )
    books.use("revenue_usd", 100, "2026-02-05", "lab").through("2026-02")
    # 20, of which 1000 - 989.5 = 10.5 is left; what was owed elsewhere is not owed again.
    assert books.brief() == [("share", "lab", "alpha", 10_500_000)]


def test_tiers_go_on_from_what_was_counted_elsewhere(sign: Sign) -> None:
    tiers = [{"rate": "0.3", "up_to_usd": 500}, {"rate": "0.1"}]
    books = sign({"kind": "revenue_share", "id": "s", "tiers": tiers}, signed_on="2025-01-01")
    books.ledger.open([opening("s", "share", 120, clause="deal/s", quantity=Decimal(400))], T("2026-01-01"))
    books.use("revenue_usd", 200, "2026-01-05", "lab").through("2026-01")
    assert books.micro() == 40 * MICRO  # 0.3 x 100 + 0.1 x 100


def test_a_prepayment_of_which_a_part_came_back(sign: Sign) -> None:
    books = sign(
        {"kind": "prepayment", "id": "p", "amount_usd": 500, "credit_back": "first"},
        {"kind": "price", "id": "price", "price_usd": 1},
        signed_on="2025-01-01",
    )
    back = opening("p", "prepayment_credit", 450, payer="alpha", payee="lab", clause="deal/p")
    books.ledger.open([back], T("2026-01-01"))
    books.hours(80, "2026-01-05", "lab", "alpha").through("2026-01")
    assert books.brief() == [
        ("prepayment_credit", "alpha", "lab", 50 * MICRO),
        ("usage", "lab", "alpha", 80 * MICRO),
    ]


def test_a_commitment_that_was_half_consumed(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2026-07-01"},
        {"kind": "commitment", "id": "c", "amount": 1000},
        {"kind": "price", "id": "price", "price_usd": 1},
    )
    books.ledger.open(
        [opening("c", "consumed", clause="deal/c", quantity=Decimal("612.25"))], T("2026-01-01")
    )
    books.hours(200, "2026-03-05", "lab", "alpha").through("2026-06")
    assert books.micro(kind="shortfall") == 187_750_000  # 1000 - 612.25 - 200


def test_a_make_up_bank_brought_along(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2027-01-01"},
        {
            "kind": "commitment",
            "id": "c",
            "minimum": 100,
            "fulfillment_interval": "Monthly",
            "shortfall": "make_up",
            "make_up_period": "90d",
        },
    )
    old = opening("old", "make_up", 70, clause="deal/c", quantity=Decimal(70), end="2025-10-01")
    new = opening("new", "make_up", 30, clause="deal/c", quantity=Decimal(30), end="2025-12-01")
    books.ledger.open([old, new], T("2026-01-01"))
    books.use("spend_usd", 180, "2025-12-05", "lab", "alpha").through("2025-12", "2025-12")
    # The lot of September expired on 30 December; that of November is good until March.
    assert books.brief("2025-12") == [("make_up", "alpha", "lab", 30 * MICRO)]


def test_what_was_still_to_be_paid_is_owed_from_the_start(sign: Sign) -> None:
    books = sign({"kind": "price", "id": "price", "price_usd": 1})
    books.ledger.open([opening("open", "balance", "77.5", start="2025-11-01")], T("2026-01-01"))
    books.through("2026-01")
    assert books.brief() == [("opening", "lab", "alpha", 77_500_000)]
    pay(books, "77.5", "2026-02-02")
    assert payable(books, "2026-02-03").overdue_micro_usd == 0


def test_months_before_the_opening_are_not_these_books_matter(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2027-01-01"},
        {"kind": "commitment", "id": "c", "minimum": 100, "fulfillment_interval": "Monthly"},
    )
    line = opening("c", "shortfall", 1200, clause="deal/c")
    books.ledger.open([line], T("2026-01-01"))
    assert books.ledger.open([line], T("2026-01-01")).known == 1
    with pytest.raises(StateConflictError, match="2026-01 is open"):
        books.close("2026-02")
    books.through("2026-01", "2026-01")
    assert books.brief() == [("shortfall", "lab", "alpha", 100 * MICRO)]
    with pytest.raises(StateConflictError, match="2026-01 is closed"):
        books.ledger.open([opening("late", "shortfall", 1, clause="deal/c")], T("2026-03-01"))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"kind": "consumed"}, "give clause"),
        ({"kind": "share"}, "name the clause"),
        ({"kind": "balance", "payer": ""}, "name payer"),
        ({"kind": "balance", "start": "2026-02-01"}, "before it starts"),
    ],
)
def test_an_opening_line_says_what_it_must(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        opening("x", **more)
