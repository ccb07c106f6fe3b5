"""What is known of how soon an endpoint begins to answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stargate.gateway.routing.pace import FADES_US, Pace


def test_bad_news_counts_at_once_and_good_news_by_and_by() -> None:
    """So one slow answer is heeded, and one quick one does not make up for it."""
    pace = Pace()
    pace.saw(100_000, 1)
    pace.saw(500_000, 2)
    assert pace.expected_us() == 300_000
    pace.saw(100_000, 3)
    assert pace.expected_us() > 299_000
    pace.saw(100_000, 3 + 5 * FADES_US)
    assert pace.expected_us() < 102_000


def test_what_was_seen_long_ago_is_believed_less() -> None:
    pace = Pace()
    pace.saw(900_000, 1)
    assert pace.slowness(100_000, 1) == 9
    assert pace.slowness(100_000, 1 + FADES_US) < 4
    assert pace.slowness(100_000, 1 + 10 * FADES_US) < 1.01
    assert Pace().slowness(100_000, 1) == 1


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(-(10**6), 10**8)), min_size=1, max_size=50))
def test_it_lies_between_the_quickest_and_the_slowest(seen: list[tuple[int, int]]) -> None:
    """Whatever the clock does."""
    pace, at_us = Pace(), 10**15
    for took_us, later_us in seen:
        at_us += later_us
        pace.saw(took_us, at_us)
        assert min(took for took, _ in seen) - 1 <= pace.expected_us() <= max(took for took, _ in seen) + 1
        assert pace.slowness(pace.expected_us() / 2, at_us - 10**7) >= 1
