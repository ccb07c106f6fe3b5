"""Microsoft and OpenAI (AC03 to AC12): shares both ways, netting, triggers, amendments, the cap."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.ledger.cases.conftest import MICRO, Books, T

SHARE_IN, SHARE_OUT = "share-to-microsoft", "share-to-openai"
BILLION = 1_000_000_000


def earned(books: Books, at: str, openai: str = "0", azure: str = "0") -> Books:
    """Revenue of OpenAI, of Microsoft with OpenAI's models, and of Microsoft otherwise, which is nobody's matter."""
    books.use("revenue_usd", openai, at, "openai")
    books.use("revenue_usd", azure, at, "microsoft", product="azure_openai")
    return books.use("revenue_usd", 10**9, at, "microsoft", product="office")


def test_ac03_both_shares_stand_gross_and_the_difference_is_paid(books: Books) -> None:
    books.example("microsoft-openai")
    earned(books, "2025-03-15", "1234567.891234", "300000.000005").through("2025-03")
    # 0.20 x 1 234 567.891234 = 246 913.5782468, rounded to the sixth place: 246 913.578247
    # 0.20 x   300 000.000005 =  60 000.000001
    assert books.brief() == [
        ("share", "microsoft", "openai", 60_000_000_001),
        ("share", "openai", "microsoft", 246_913_578_247),
    ]
    # 246 913.578247 - 60 000.000001 = 186 913.578246: in the balance, and as the net line.
    assert (
        sum(v for path, v in books.store.balances().items() if path.startswith("openai:")) == 186_913_578_246
    )
    (net,) = (line for line in books.ledger.preview("2025-03", T("2025-05-01")) if line.basis == "net")
    assert (net.payer, net.payee, net.amount_micro_usd) == ("openai", "microsoft", 186_913_578_246)


@pytest.mark.parametrize(("rate", "share"), [("0.20", 200_000_000), ("0.25", 250_000_000)])
def test_ac03_the_two_readings_differ_in_one_field(books: Books, rate: str, share: int) -> None:
    from stargate.agreements import load_all
    from stargate.base import wire

    (paper,) = (p for p in load_all(books.examples).agreements if p.id == "microsoft-openai")
    plain = wire.to_plain(paper)
    next(clause for clause in plain["clauses"] if clause["id"] == SHARE_IN)["rate"] = rate
    earned(books.sign(plain), "2025-03-15", "1000000000", "300000000").through("2025-03")
    assert books.micro(clause=SHARE_IN) == share * MICRO  # rate x 1 000 000 000
    assert books.micro(clause=SHARE_OUT) == 60_000_000 * MICRO  # 0.20 x 300 000 000, in both readings


def test_ac04_the_crossing_suspends_from_its_instant_and_what_accrued_is_owed(books: Books) -> None:
    books.example("microsoft-openai")
    books.fact("agi_revenue_usd", Decimal("99.99e9"), at="2027-01-01")
    earned(books, "2027-05-15", "1000", "500").through("2027-05")
    assert books.micro(clause=SHARE_IN) == 200 * MICRO  # 99.99 billion change nothing
    # It is crossed at half past twelve, in the middle of an hour: before counts, from then on does not.
    books.fact("agi_revenue_usd", 100 * BILLION, at="2027-06-15T12:30:00Z")
    earned(books, "2027-06-15T12:29:59.999999Z", "1000", "500")
    earned(books, "2027-06-15T12:30:00Z", "7000", "7000").through("2027-07")
    assert books.micro("2027-06", clause=SHARE_IN) == 200 * MICRO  # 0.20 x 1000
    assert books.micro("2027-06", clause=SHARE_OUT) == 100 * MICRO  # 0.20 x 500
    assert books.lines("2027-07") == []
    # What accrued survives: nothing of it is taken back. Suspended clauses are not netted.
    assert books.micro(clause=SHARE_IN) == 400 * MICRO
    assert not [line for line in books.ledger.preview("2027-06", T("2027-08-01")) if line.basis == "net"]


def test_ac05_the_amendment_adds_the_commitment_and_changes_nothing_before(books: Books) -> None:
    books.example("microsoft-openai")
    earned(books, "2025-10-27T23:59:59Z", "1000")
    books.use("spend_usd", 50 * BILLION, "2025-10-27T23:00:00Z", "openai", "microsoft")
    before = earned(books, "2025-10-28", "500").through("2025-09", "2025-09").brief()
    books.example("microsoft-openai-2025-10").through("2025-10")
    assert before == []
    # 0.20 x 1000 under the first wording, 0.20 x 500 under the amended one: two lines, for they are paid differently.
    shares = books.lines("2025-10", clause=SHARE_IN)
    assert [(line.key.start.iso()[:10], line.posted_micro // MICRO) for line in shares] == [
        ("2025-10-01", 200),
        ("2025-10-28", 100),
    ]


def test_ac05_the_new_commitment_counts_what_is_spent_after_it_was_added(books: Books) -> None:
    books.example("microsoft-openai", "microsoft-openai-2025-10")
    books.use("spend_usd", 50 * BILLION, "2025-10-27T23:00:00Z", "openai", "microsoft")
    books.use("spend_usd", 200 * BILLION, "2026-03-01", "openai", "microsoft")
    books.use("spend_usd", 49 * BILLION, "2030-12-31T23:59:59Z", "openai", "microsoft")
    # To be used up by 1 January 2031: 250 - 200 - 49 billion are short. What was spent before does not count.
    owed = books.ledger.preview("2030-12", T("2031-01-01"))
    assert [(line.kind, line.amount_micro_usd) for line in owed] == [("shortfall", BILLION * MICRO)]


def test_ac07_to_ac09_accrual_ends_by_the_verified_fact_and_payments_go_on(books: Books) -> None:
    books.example("microsoft-openai", "microsoft-openai-2025-10")
    books.fact("agi_declared", at="2027-04-01")  # declared: changes nothing (AC06)
    earned(books, "2027-04-20", "700").through("2027-04")
    assert books.micro("2027-04", clause=SHARE_IN) == 140 * MICRO  # 0.20 x 700
    books.fact("agi_declared", at="2027-05-10T08:15:00Z", status="verified", verified_by="agi-panel")
    earned(books, "2027-05-10T08:14:59Z", "1000.000005")
    earned(books, "2027-05-10T08:15:00Z", "9999").through("2027-06")
    # 0.20 x 1000.000005 = 200.000001
    assert books.micro("2027-05", clause=SHARE_IN) == 200_000_001
    assert books.lines("2027-06", clause=SHARE_IN) == []


def test_ac12_one_direction_ends_and_the_other_is_cut_at_the_cap(books: Books) -> None:
    books.example("microsoft-openai", "microsoft-openai-2025-10", "microsoft-openai-2026-04")
    earned(books, "2026-04-26T23:00:00Z", "100", "50")  # 20 and 10 under what held until the 27th
    earned(books, "2026-04-27", "100000000000", "50")  # 20 billion, and no other direction
    earned(books, "2026-05-15", "89999999999.999995", "0")  # 17 999 999 999.999999
    earned(books, "2026-06-15", "0.00001", "0")  # 0.000002, of which 0.000001 is left
    earned(books, "2026-07-15", "1000000", "0")
    books.through("2026-08")
    assert books.micro("2026-04", clause=SHARE_IN) == 20 * MICRO
    assert books.micro(clause=SHARE_OUT) == 10 * MICRO
    capped = "capped-share-to-microsoft"
    months = [books.micro(f"2026-0{number}", clause=capped) for number in (4, 5, 6, 7)]
    assert months == [20 * BILLION * MICRO, 18 * BILLION * MICRO - 1, 1, 0]
    assert sum(months) == 38 * BILLION * MICRO
    assert "by the cap" in books.said("2026-06", clause=capped)[-1]


def test_ac12_revenue_that_comes_late_moves_the_cut_and_never_the_sum(books: Books) -> None:
    books.example("microsoft-openai", "microsoft-openai-2025-10", "microsoft-openai-2026-04")
    earned(books, "2026-05-15", "180000000000").through("2026-05")  # 36 billion
    earned(books, "2026-06-15", "20000000000").through("2026-06")  # 4, cut to 2
    capped = "capped-share-to-microsoft"
    assert [books.micro(f"2026-0{n}", clause=capped) // MICRO // BILLION for n in (5, 6)] == [36, 2]
    # Five billion of May come to light in July: 1 more for May, and 1 less for June. Both are booked in July.
    earned(books, "2026-05-20", "5000000000").through("2026-07")
    assert [books.micro(f"2026-0{n}", clause=capped) // MICRO // BILLION for n in (5, 6)] == [37, 1]
    assert books.booked("2026-07") == 0
    late = [entry for entry in books.store.entries(month="2026-07") if entry.line.clause.endswith(capped)]
    assert sorted(entry.amount_micro // MICRO // BILLION for entry in late) == [-1, 1]
    assert all(entry.corrects for entry in late)


def test_ac10_a_stake_is_on_record_and_owes_nothing(books: Books) -> None:
    books.example("microsoft-openai", "microsoft-openai-2025-10")
    books.through("2025-12", "2025-11")
    assert books.lines(clause="stake") == []
