"""Which gangs are tried."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stargate.broker.sizing.ladder import Rung, ladder


def test_parts_of_a_node_then_whole_ones() -> None:
    assert ladder(4, 8, 8) == (
        Rung(1, 1), Rung(1, 2), Rung(1, 4), Rung(1, 8), Rung(2, 8), Rung(3, 8), Rung(4, 8),
    )  # fmt: skip


def test_whole_scale_up_domains() -> None:
    """Racks of 18 nodes with 4 chips."""
    assert Rung(18, 4) in ladder(100, 4, 72)
    assert Rung(72, 4) in ladder(100, 4, 72)


@pytest.mark.parametrize(
    ("nodes", "chips", "domain"), [(1, 1, 1), (7, 4, 64), (100_000, 8, 8), (500, 16, 9216)]
)
def test_no_gap_and_no_gang_too_large(nodes: int, chips: int, domain: int) -> None:
    found = ladder(nodes, chips, domain)
    sizes = [rung.chips for rung in found]
    assert sizes == sorted(set(sizes))
    assert all(rung.nodes <= nodes and rung.chips_per_node <= chips for rung in found)
    assert all(after <= 2 * before for before, after in pairwise(sizes))
