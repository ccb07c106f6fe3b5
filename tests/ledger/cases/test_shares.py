"""Revenue shares beyond the cases: tiers, caps of a period, refunds, shares of shares, netting, circles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stargate.base.errors import InputError
from tests.ledger.cases.conftest import MICRO, Books, T, deal

Sign = Callable[..., Books]


def share(**more: Any) -> dict[str, Any]:
    """The lab passes on a fifth."""
    return {"kind": "revenue_share", "id": "s"} | ({} if "tiers" in more else {"rate": "0.2"}) | more


def earn(books: Books, **months: Any) -> Books:
    """Revenue of the lab on the fifth of months of 2025, as `jan=100`."""
    names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    for name, amount in months.items():
        books.use("revenue_usd", amount, f"2025-{names.index(name) + 1:02d}-05", "lab")
    return books


def by_month(books: Books, *numbers: int, clause: str = "s") -> list[float]:
    return [books.micro(f"2025-{n:02d}", clause=clause) / MICRO for n in numbers]


def test_graduated_rates_go_on_from_month_to_month(sign: Sign) -> None:
    tiers = [{"rate": "0.3", "up_to_usd": 500}, {"rate": "0.2", "up_to_usd": 900}, {"rate": "0.1"}]
    books = earn(sign(share(tiers=tiers)), jan=400, feb=300, mar=400).through("2025-03")
    # 0.3 x 400; 0.3 x 100 + 0.2 x 200; 0.2 x 200 + 0.1 x 200
    assert by_month(books, 1, 2, 3) == [120, 70, 60]


def test_the_cap_of_a_quarter_and_the_cap_in_all(sign: Sign) -> None:
    caps = {"cap_period_usd": 100, "cap_interval": "Quarterly", "cap_total_usd": 250}
    books = earn(sign(share(**caps)), jan=350, feb=400, mar=400, apr=500, jul=255, oct=1).through("2025-10")
    # 70; 80 cut to 30; nothing is left; 100; 51 cut to 50 by the cap in all; nothing for ever
    assert by_month(books, 1, 2, 3, 4, 7, 10) == [70, 30, 0, 100, 50, 0]


def test_the_cap_of_a_day(sign: Sign) -> None:
    books = sign(share(cap_period_usd=10, cap_interval="Daily"))
    for at, amount in (("05T01:00:00Z", 30), ("05T13:00:00Z", 30), ("06T00:00:00Z", 40)):
        books.use("revenue_usd", amount, f"2025-01-{at}", "lab")
    assert by_month(books.through("2025-01"), 1) == [18]  # 12 cut to 10, and 8


def test_late_revenue_in_a_capped_quarter_shifts_what_is_cut(sign: Sign) -> None:
    caps = {"cap_period_usd": 100, "cap_interval": "Quarterly"}
    books = earn(sign(share(**caps)), jan=300, feb=300).through("2025-02")
    assert by_month(books, 1, 2) == [60, 40]
    earn(books, jan=100, mar=500).through("2025-03")
    assert by_month(books, 1, 2, 3) == [80, 20, 0]
    assert books.booked("2025-03") == 0


def test_the_base_is_net_and_what_is_taken_back_later_takes_its_share_back(sign: Sign) -> None:
    books = sign(share(base={"less": ["refunds_usd", "taxes_usd"]}))
    earn(books, jan=1000, feb=100)
    books.use("taxes_usd", "50.5", "2025-01-09", "lab").use("refunds_usd", 300, "2025-02-09", "lab")
    books.use("refunds_usd", 5000, "2025-03-09", "lab").through("2025-03")
    # 0.2 x 949.5; 0.2 x (100 - 300); and never more than was passed on before
    assert by_month(books, 1, 2, 3) == [189.9, -40, -149.9]
    assert books.micro() == 0


def test_a_share_of_a_share_comes_after_it(books: Books) -> None:
    books.sign(deal(share(id="in", payer="alpha", payee="lab", rate="0.5")))
    takes = share(id="out", rate="0.1", base={"includes_shares": ["deal/in"]})
    books.sign({"id": "fund", "customer": "lab", "supplier": "fund", "clauses": [takes]})
    books.use("revenue_usd", 100, "2025-03-02", "alpha").use("revenue_usd", 30, "2025-03-02", "lab").through(
        "2025-03"
    )
    assert books.micro(clause="deal/in") == 50 * MICRO  # 0.5 x 100
    assert books.micro(clause="fund/out") == 8 * MICRO  # 0.1 x (30 + 50)


def test_shares_taken_of_one_another_are_refused_when_declared(books: Books) -> None:
    one = deal(share(id="in", payer="alpha", payee="lab", base={"includes_shares": ["fund/out"]}))
    other = share(id="out", base={"includes_shares": ["deal/in"]})
    with pytest.raises(InputError, match="deal/in → fund/out → deal/in") as refused:
        books.sign(one, {"id": "fund", "customer": "lab", "supplier": "alpha", "clauses": [other]})
    assert refused.value.problems[0].remedy == "Take one of them out."
    assert books.store.terms().agreements == ()  # nothing of it is on record


def test_a_share_of_itself_is_refused(books: Books) -> None:
    with pytest.raises(InputError, match="deal/s → deal/s"):
        books.sign(deal(share(base={"includes_shares": ["s"]})))


def test_a_share_whose_rate_an_amendment_changes_in_the_middle_of_a_month(sign: Sign) -> None:
    books = sign(
        share(cap_total_usd=50),
        {
            "kind": "amendment",
            "id": "a",
            "from": "2025-01-15T08:30:00Z",
            "changes": [{"clause": "s", "set": {"rate": "0.25"}}],
        },
        signed_on="2025-01-01",
    )
    books.use("revenue_usd", 100, "2025-01-15T08:29:59Z", "lab")
    books.use("revenue_usd", 100, "2025-01-15T08:30:00Z", "lab")
    earn(books, feb=100).through("2025-02")
    # 0.20 x 100 and 0.25 x 100; then 25 cut to 5: the cap counts both wordings.
    assert sorted(line.posted_micro // MICRO for line in books.lines()) == [5, 20, 25]


def test_the_term_ends_in_the_middle_of_a_month(sign: Sign) -> None:
    books = sign({"kind": "term", "id": "term", "until": "2025-01-15T08:30:00Z"}, share())
    books.use("revenue_usd", 100, "2025-01-15T08:29:59.999999Z", "lab")
    books.use("revenue_usd", 100, "2025-01-15T08:30:00Z", "lab").through("2025-01")
    assert books.micro() == 20 * MICRO


def test_revenue_of_nobody_in_particular_and_of_others(sign: Sign) -> None:
    books = sign(share()).use("revenue_usd", 100, "2025-01-05").use("revenue_usd", 900, "2025-01-05", "alpha")
    assert books.through("2025-01").micro() == 20 * MICRO  # what names no party is whose clause it is


def test_netting_leaves_gross_lines_and_nets_each_pair(sign: Sign) -> None:
    books = sign(
        share(id="a"),
        share(id="b", payer="alpha", payee="lab", rate="0.3"),
        share(id="c", payee="third"),
        {"kind": "netting", "id": "n", "clauses": ["a", "b", "c"]},
        parties=["lab", "alpha", "third"],
    )
    books.use("revenue_usd", 1000, "2025-01-05", "lab").use("revenue_usd", 500, "2025-01-05", "alpha")
    net = [line for line in books.ledger.preview("2025-01", T("2025-02-02")) if line.basis == "net"]
    # lab: 200 to alpha, 200 to the third; alpha: 150 to lab
    assert [(line.payer, line.payee, line.amount_micro_usd // MICRO) for line in net] == [
        ("lab", "alpha", 50),
        ("lab", "third", 200),
    ]
    books.through("2025-01")
    assert [amount // MICRO for *_, amount in books.brief()] == [150, 200, 200]
    assert all(line.key.kind == "share" for line in books.lines())


def test_revenue_in_another_currency_is_refused(books: Books) -> None:
    with pytest.raises(ValueError, match="EUR"):
        books.use("revenue_usd", 100, "2025-01-05", "lab", currency="EUR")
    books.use("revenue_usd", 100, "2025-01-05", "lab", currency="USD")
