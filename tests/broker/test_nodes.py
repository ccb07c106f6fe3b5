"""The bitmaps of a pool against a plain count of chips per node."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.broker.nodes import NodeMap

Step = tuple[str, int, int, Literal["any", "block"]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "give", "resize"]),
        st.integers(0, 40),
        st.integers(1, 8),
        st.sampled_from(["any", "block"]),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(
    nodes=st.integers(0, 40),
    size=st.sampled_from([1, 4, 8]),
    block=st.sampled_from([1, 4, 9, 18]),
    steps=STEPS,
)
def test_the_map_agrees_with_a_plain_count(nodes: int, size: int, block: int, steps: list[Step]) -> None:
    """Whatever happens, free chips are counted right and gangs get distinct nodes that have room."""
    found = NodeMap(nodes, size, block)
    used: dict[int, int] = {}
    gangs: list[tuple[tuple[int, ...], int]] = []
    limit = nodes
    for what, number, wanted, topology in steps:
        if what == "take":
            chips = wanted
            room = [n for n in range(limit) if size - used.get(n, 0) >= chips]
            gang = found.find(number % 6 + 1, chips, topology)
            assert found.fits(number % 6 + 1, chips, topology) is (gang is not None)
            if gang is None:
                fullest = max(
                    (sum(n // block == b for n in room) for b in {n // block for n in room}), default=0
                )
                assert (fullest if topology == "block" else len(room)) < number % 6 + 1
                continue
            assert len(set(gang)) == number % 6 + 1
            assert set(gang) <= set(room)
            assert topology == "any" or len({n // block for n in gang}) == 1
            found.take(gang, chips)
            gangs.append((gang, chips))
            for n in gang:
                used[n] = used.get(n, 0) + chips
        elif what == "give" and gangs:
            gang, chips = gangs.pop(number % len(gangs))
            found.give(gang, chips)
            for n in gang:
                used[n] -= chips
        elif what == "resize":
            found.resize(number)
            limit = number
        twin = found.copy()
        assert (twin.free_chips, twin.free_nodes) == (found.free_chips, found.free_nodes)
        assert twin.find(3, 2) == found.find(3, 2)
        assert found.free_chips == sum(size - used.get(n, 0) for n in range(limit))
        assert found.free_nodes == sum(1 for n in range(limit) if not used.get(n))


def test_a_gang_goes_to_the_fullest_block_that_holds_it() -> None:
    """Best fit keeps whole blocks for those who need them."""
    found = NodeMap(12, 8, 4)
    found.take((0, 1), 8)
    assert found.find(2, 8) == (2, 3)
    assert found.find(4, 8) == (4, 5, 6, 7)


def test_a_gang_larger_than_a_block_touches_few() -> None:
    """The emptiest blocks first, then the tightest for the rest."""
    found = NodeMap(12, 8, 4)
    found.take((0, 1, 2), 8)
    assert found.find(5, 8) == (4, 5, 6, 7, 3)
    assert found.find(5, 8, "block") is None


def test_parts_of_nodes_are_filled_first() -> None:
    """Small work shares nodes that are in use already."""
    found = NodeMap(4, 8, 4)
    found.take((2,), 6)
    assert found.find(1, 2) == (2,)
    assert found.find(1, 3) == (0,)
    assert found.find(1, 9) is None


def test_a_gang_of_parts_finds_the_block_that_has_room() -> None:
    """Two halves of nodes in one block, where no block has two whole nodes left."""
    found = NodeMap(6, 8, 3)
    found.take((0, 1, 3, 5), 4)
    found.take((2, 4), 8)
    assert found.find(2, 4, "block") in {(0, 1), (3, 5)}
    assert found.find(3, 4, "block") is None
    assert found.find(1, 4, "block") == (0,)


def test_a_copy_goes_its_own_way() -> None:
    """What is tried on it leaves the original alone."""
    found = NodeMap(4, 8, 2)
    twin = found.copy()
    twin.take((0, 1), 8)
    twin.take((2,), 3)
    assert (found.free_chips, found.used_nodes) == (32, frozenset())


@pytest.mark.parametrize("chips", [4, 8])
def test_nodes_that_come_back_after_a_restart_are_still_in_use(chips: int) -> None:
    before = NodeMap(4, 8, 2)
    before.take((0, 1), chips)
    before.resize(0)
    restarted = NodeMap(0, 8, 2)
    restarted.restore((0, 1), chips)
    for nodes in (before, restarted):
        nodes.resize(4)
    assert restarted.used_nodes == before.used_nodes == {0, 1}
    assert (restarted.free_chips, restarted.free_nodes) == (before.free_chips, before.free_nodes)
    assert restarted.find(3, 8) is None
