"""What nobody should say, said all the same: refused with a reason, or taken and put right later."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stargate.base.errors import LedgerError, LimitError, StateConflictError
from stargate.base.time import Instant
from stargate.ledger import Ledger, Opening, Payment, Store, UsageEvent, open_store

T = Instant.parse
JANUARY = T("2026-01-05")


def event(**changes: Any) -> UsageEvent:
    plain: dict[str, Any] = {
        "source": "gateway:a",
        "key": "k",
        "metric": "output_tokens",
        "quantity": Decimal(1),
        "start": JANUARY,
        "party": "lab",
        "provider": "alpha",
    }
    return UsageEvent(**plain | changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quantity": Decimal("1e13")}, "at most 9,000,000,000,000"),
        ({"quantity": Decimal("NaN")}, "quantity NaN"),
        ({"quantity": Decimal("1e11"), "quoted_usd": Decimal("1e9")}, "more than anybody pays"),
        ({"start": T("1969-12-31T23:59:59Z")}, "before 1970"),
        ({"start": T("2200-01-01")}, "after 2199"),
        ({"end": T("2026-01-04")}, "before it starts"),
        ({"party": "a:b"}, "no colon"),
        ({"provider": "a\nb"}, "printable"),
        ({"party": " lab"}, "no space around"),
        ({"party": "x" * 257}, "256"),
        ({"metric": "payment_usd"}, "payments and openings"),
        ({"metric": "opening_balance"}, "payments and openings"),
        ({"source": "opening:a"}, "payments and openings"),
    ],
)
def test_an_event_that_cannot_be_is_refused_with_the_reason(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        event(**changes)


def test_money_from_other_books_is_checked_before_it_is_taken() -> None:
    plain: dict[str, Any] = {"key": "o", "payer": "a", "payee": "b", "start": T("2025-01-01"), "end": JANUARY}
    for amount in ("-1", "NaN", "1e13"):
        with pytest.raises(ValueError, match=r"amount_usd|quantity"):
            Opening(kind="balance", amount_usd=Decimal(amount), **plain)
    with pytest.raises(ValueError, match="quantity"):
        Payment(key="p", payer="a", payee="b", amount_usd=Decimal("1e13"), paid_at=JANUARY)


def test_what_adds_up_to_more_than_can_be_kept_is_named_and_can_be_taken_back(
    opened: Callable[..., Store],
) -> None:
    ledger = Ledger(store := opened())
    most = {"quantity": Decimal(10**12), "quoted_usd": Decimal("0.001")}
    ledger.take([event(key=f"k{number}", **most) for number in range(20)], JANUARY)
    with pytest.raises(LimitError, match=r"9\.2 trillion"):
        ledger.rate(JANUARY)
    back = most | {"quantity": Decimal(-(10**12))}
    ledger.take([event(key=f"b{number}", corrects=f"k{number}", **back) for number in range(19)], JANUARY)
    assert ledger.rate(JANUARY) == 1
    assert sum(line.posted_micro for line in store.lines("2026-01")) == 10**9 * 10**6


def test_a_month_before_those_that_are_closed_stays_as_it_was(opened: Callable[..., Store]) -> None:
    ledger = Ledger(opened())
    ledger.take([event(quoted_usd=Decimal(1))], JANUARY)
    ledger.close("2026-01", T("2026-02-01"))
    with pytest.raises(StateConflictError, match="2025-12 lies before 2026-01"):
        ledger.close("2025-12", T("2026-02-01"))


@pytest.mark.parametrize("keeps", [0.3, 0.9])
def test_a_file_that_was_cut_or_is_none_says_to_restore_it(tmp_path: Path, keeps: float) -> None:
    path = tmp_path / "ledger.sqlite"
    store = open_store(path, durable=False)
    Ledger(store).take([event(key=f"k{number}") for number in range(2000)], JANUARY)
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keeps)] if keeps > 0.5 else b"no ledger" * 1000)
    with pytest.raises(LedgerError) as caught:
        Ledger(open_store(path, durable=False)).rate(JANUARY)
    assert "restore it from a backup" in caught.value.remedy
