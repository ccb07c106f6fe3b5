"""Counts and prices by date, and what each tenure needs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stargate.base.time import Duration, Instant
from stargate.catalog import DatedCount, Pool, Price


def day(text: str) -> Instant:
    return Instant.parse(text)


def pool(**fields: Any) -> Pool:
    given = {
        "id": "p",
        "provider": "oci",
        "site": "a",
        "chip": "H100-SXM",
        "tenure": "owned",
        "chips_per_node": 8,
    }
    return Pool(**{**given, **fields})


def price(usd: str, begins: str, until: str | None = None, kind: Any = "list") -> Price:
    return Price(
        usd_per_chip_hour=Decimal(usd),
        from_=day(begins),
        until=None if until is None else day(until),
        kind=kind,
    )


def test_only_operational_nodes_count_unless_asked() -> None:
    series = (
        DatedCount(from_=day("2025-01-01"), nodes=10),
        DatedCount(from_=day("2026-01-01"), nodes=4),
        DatedCount(from_=day("2025-06-01"), nodes=99, status="planned"),
    )
    held = pool(nodes=series)
    assert held.nodes_at(day("2024-12-31")) == 0
    assert held.nodes_at(day("2025-12-31")) == 10
    assert held.chips_at(day("2026-01-01")) == 32, "a pool may shrink"
    assert held.chips_at(day("2026-01-01"), "planned") == 792


def test_what_was_negotiated_comes_before_the_list_and_spot_only_when_asked() -> None:
    held = pool(
        prices=(
            price("9", "2025-01-01"),
            price("8", "2026-01-01"),
            price("5", "2025-06-01", "2025-09-01", "negotiated"),
            price("2", "2025-01-01", kind="spot"),
        )
    )
    assert held.price_at(day("2024-01-01")) is None
    assert held.price_at(day("2025-02-01")) == 9
    assert held.price_at(day("2025-06-01")) == 5
    assert held.price_at(day("2025-06-01"), "list") == 9
    assert held.price_at(day("2025-09-01")) == 9
    assert held.price_at(day("2026-02-01")) == 8
    assert held.price_at(day("2026-02-01"), "spot") == 2
    assert pool(prices=(price("2", "2025-01-01", kind="spot"),)).price_at(day("2026-01-01")) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tenure": "reserved"}, "rests on an agreement; name it"),
        ({"tenure": "on_demand"}, "has no price; add one"),
        ({"start_delay": Duration(5)}, "speak of an offer, and tenure is owned"),
        ({"min_chips": 8}, "speak of an offer"),
        ({"max_duration": Duration(5)}, "speak of an offer"),
        ({"tenure": "market", "start_delay": Duration(-1)}, "a duration is not above zero"),
        ({"tenure": "market", "max_duration": Duration(0)}, "a duration is not above zero"),
        ({"egress_usd_per_gib": Decimal(-1)}, "egress_usd_per_gib is negative"),
    ],
)
def test_impossible_pools_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pool(**fields)


def test_a_market_pool_may_state_its_offer() -> None:
    offer = pool(
        tenure="market", start_delay=Duration.parse("3d"), min_chips=64, max_duration=Duration.parse("52w")
    )
    assert offer.start_delay == Duration.parse("72h")
