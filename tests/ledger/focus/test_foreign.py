"""Files of other providers: in and out again without the change of a byte, and added up as they are."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from stargate.base.errors import InputError, LedgerError, LimitError
from stargate.base.time import Instant
from stargate.ledger import Ledger, Store
from stargate.ledger.focus.bring import Brought, bring
from stargate.ledger.focus.cost import costs
from stargate.ledger.focus.foreign import RECORD_LIMIT, Foreign
from stargate.ledger.verify import verify

AT = Instant.parse("2026-04-01")
Open = Callable[..., Store]


def brought(store: Store, content: bytes, name: str = "bill.csv") -> Brought:
    """Imported from memory."""
    return bring(store, name, lambda: contextlib.nullcontext(io.BytesIO(content)), AT)


def again(store: Store, number: int = 1) -> bytes:
    """The file as it comes out."""
    file = store.imported()[number - 1]
    return file.head + b"".join(store.imported_records(number))


def given(shared: Path) -> list[Path]:
    return sorted((shared / "data/focus/given").rglob("*.csv"))


def test_every_real_and_made_file_comes_out_as_it_went_in(opened: Open, shared: Path) -> None:
    store = opened()
    files = given(shared)
    assert len(files) == 9
    for number, path in enumerate(files, 1):
        content = path.read_bytes()
        found = brought(store, content, path.name)
        assert (found.new, found.file.number) == (True, number)
        assert again(store, number) == content
        with path.open(newline="") as stream:
            rows = list(csv.reader(stream))
        back = list(csv.reader(io.StringIO(again(store, number).decode(), newline="")))
        assert back == rows
        assert found.file.rows == len(rows) - 1
    assert verify(store.audit()).ok


def test_real_bills_are_added_up_exactly(opened: Open, shared: Path) -> None:
    path = shared / "data/focus/given/focus_1_0_real_anonymised_501.csv"
    expected: dict[tuple[str, str], list[Decimal]] = {}
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            sums = expected.setdefault((row["ProviderName"], row["BillingPeriodStart"][:7]), [Decimal(0)] * 2)
            sums[0] += Decimal(row["BilledCost"])
            sums[1] += Decimal(row["EffectiveCost"])
    store = opened()
    brought(store, path.read_bytes())
    found = {(one.provider, one.month): [one.billed, one.effective] for _, one in store.imported_sums()}
    assert found == expected
    assert {provider for provider, _ in found} == {"AWS", "Microsoft", "Oracle"}
    assert sum(one.rows for _, one in store.imported_sums()) == store.imported()[0].rows


HEADER = (
    "BilledCost,EffectiveCost,BillingCurrency,BillingPeriodStart,ChargePeriodStart,ProviderName,x_Extra\n"
)


@pytest.mark.parametrize(
    ("rows", "sums"),
    [
        ("NULL,NULL,USD,2024-09-01 00:00:00,2024-09-02 00:00:00,AWS,NULL\n", [("AWS", "2024-09", "0", "0")]),
        ("1E-11,2,USD,2024-09-01T00:00:00Z,x,aws,\n", [("aws", "2024-09", "0.00000000001", "2")]),
        ('1,"2",USD,2024-09-01,x,"A, B","say ""hi""\nthere"\r\n', [("A, B", "2024-09", "1", "2")]),
        ("1,2,USD,soon,x,AWS\n", [("AWS", "", "1", "2")]),
        (
            "1,2,USD,2024-09-01,x,AWS,a,more,fields\n\n\n3,4,USD,2024-09-01,x,AWS,",
            [("AWS", "2024-09", "4", "6")],
        ),
        ("nan,1e999,USD,2024-09-01,x,AWS,\n", [("AWS", "2024-09", "0", "0")]),
        ("", []),
    ],
)
def test_quirks_are_kept(tmp_store: Store, rows: str, sums: list[tuple[str, str, str, str]]) -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        content = mark + (HEADER + rows).encode()
        found = brought(tmp_store, content)
        assert again(tmp_store, found.file.number) == content
        assert [
            (one.provider, one.month, one.billed, one.effective)
            for number, one in tmp_store.imported_sums()
            if number == found.file.number
        ] == [
            (provider, month, Decimal(billed), Decimal(effective))
            for provider, month, billed, effective in sums
        ]


def test_what_is_not_utf_8_is_kept(tmp_store: Store) -> None:
    content = HEADER.encode() + b"1,2,USD,2024-09-01,x,M\xfcnchen,\xff\xfe\n"
    brought(tmp_store, content)
    assert again(tmp_store) == content
    assert [one.provider for _, one in tmp_store.imported_sums()] == ["M\ufffdnchen"]


def test_no_digit_of_a_sum_is_lost(tmp_store: Store) -> None:
    rows = "".join(
        f"{cost},0,USD,2024-09-01,x,AWS,\n" for cost in ("9000000000000", "0.123456789012345678901")
    )
    brought(tmp_store, (HEADER + rows).encode())
    ((_, one),) = tmp_store.imported_sums()
    assert one.billed == Decimal("9000000000000.123456789012345678901")


def test_the_same_file_counts_once(tmp_store: Store) -> None:
    content = (HEADER + "1,2,USD,2024-09-01,x,AWS,\n").encode()
    first, second = brought(tmp_store, content, "one.csv"), brought(tmp_store, content, "other.csv")
    assert (first.new, second.new) == (True, False)
    assert second.file == first.file
    assert len(tmp_store.imported()) == 1
    assert tmp_store.position().block == 1


def test_a_file_that_is_not_of_focus_leaves_nothing(tmp_store: Store) -> None:
    packed = gzip.compress(HEADER.encode(), mtime=0)
    old = HEADER.replace("\n", "\r").encode()
    for content in (
        b"",
        b"\n",
        b"a,b\n1,2\n",
        packed,
        b"\x1f\r" + packed,
        old + b"1\r",
        HEADER.encode("utf-16"),
    ):
        with pytest.raises(InputError, match="no FOCUS file"):
            brought(tmp_store, content)
    assert not tmp_store.imported()
    assert tmp_store.position().block == 0


def test_a_quote_that_never_closes_is_refused(tmp_store: Store) -> None:
    lines = (HEADER + '1,2,USD,2024-09-01,x,AWS,"' + "\n" * 10).encode() + b"x" * 999 + b"\n"
    with pytest.raises(LimitError, match="never closed"):
        brought(tmp_store, lines + (b"x" * 999 + b"\n") * (RECORD_LIMIT // 1000 + 1))
    assert not tmp_store.imported()


def test_a_file_that_changes_meanwhile_is_refused(tmp_store: Store) -> None:
    reads = iter([b"1", b"2"])

    @contextlib.contextmanager
    def lines() -> Iterator[list[bytes]]:
        yield [HEADER.encode(), next(reads) + b",2,USD,2024-09-01,x,AWS,\n"]

    with pytest.raises(LedgerError, match="changed while it was read"):
        bring(tmp_store, "bill.csv", lines, AT)
    assert not tmp_store.imported()


def test_memory_is_bounded_by_a_record(tmp_store: Store) -> None:
    """Records come one by one: none is asked for before the one before it was handed on."""
    asked = 0

    def lines() -> Iterator[bytes]:
        nonlocal asked
        yield HEADER.encode()
        for _ in range(10_000):
            asked += 1
            yield b"1,2,USD,2024-09-01,x,AWS,\n"

    records = Foreign(lines(), "bill.csv").records()
    for taken, _ in enumerate(records, 1):
        assert asked <= taken + 2
    assert asked == taken == 10_000


def test_our_months_and_their_bills_stand_in_one_report(opened: Open) -> None:
    from tests.ledger.focus.books import keep

    store = opened()
    keep(store)
    rows = "0.1,0.2,USD,2026-01-01,x,AWS,\n5,5,EUR,2026-01-01,x,AWS,\n7,7,USD,2025-12-01,x,AWS,\n"
    brought(store, (HEADER + rows).encode())
    with store.snapshot():
        found = costs(store, "2026-01", "2026-02", AT)
    assert [
        (one.month, one.provider, one.source, one.currency, one.billed, one.effective)
        for one in found
        if one.month == "2026-01"
    ] == [
        ("2026-01", "AWS", "import", "EUR", Decimal(5), Decimal(5)),
        ("2026-01", "AWS", "import", "USD", Decimal("0.1"), Decimal("0.2")),
        ("2026-01", "alpha", "ledger", "USD", Decimal(22650), Decimal("5412.48")),
        ("2026-01", "beta", "ledger", "USD", Decimal("10.9476"), Decimal("10.9476")),
        ("2026-01", "lab", "ledger", "USD", Decimal("8000.014"), Decimal("8000.014")),
    ]
    assert {one.month for one in found} == {"2026-01", "2026-02"}
    assert Ledger(store).rate(AT) == 0, "what others bill is no use of ours"
