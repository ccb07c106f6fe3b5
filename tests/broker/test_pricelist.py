"""The next supply with room is the one that a walk down the list would find."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stargate.broker.nodes import NodeMap
from stargate.broker.pricelist import PriceList
from stargate.broker.supply import Supply, SupplyClass

KIND = SupplyClass("aws", "tx", "on_demand")
POOLS = tuple(f"p{number}" for number in range(6))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("list"), st.integers(0, 9), st.integers(0, 5), st.integers(0, 3)),
        st.tuples(st.just("use"), st.integers(0, 5), st.integers(0, 8), st.just(0)),
        st.tuples(st.just("resize"), st.integers(0, 5), st.integers(0, 4), st.just(0)),
    ),
    max_size=30,
)


def walked(listed: PriceList, nodes: dict[str, NodeMap], start: int, chips: int) -> int:
    """The first from `start` on with so many free chips, by looking at each."""
    for place, supply in enumerate(listed.supplies):
        if place >= start and nodes[supply.pool].free_chips >= chips:
            return place
    return -1


@given(STEPS)
def test_room_is_found_where_a_walk_finds_it(steps: list[tuple[str, int, int, int]]) -> None:
    """Whatever is listed, unlisted, used and resized; several supplies may be of one pool."""
    nodes = {pool: NodeMap(2, 4, 2) for pool in POOLS}
    listed = PriceList(nodes)
    known: dict[str, Supply] = {}
    for what, one, other, price in steps:
        pool = POOLS[other if what == "list" else one]
        if what == "list" and f"s{one}" in known:
            listed.remove(known.pop(f"s{one}"))
        elif what == "list":
            known[f"s{one}"] = supply = Supply(f"s{one}", pool, KIND, chip="H100", party="p", price=price)
            listed.add(supply)
        elif what == "use":
            found = nodes[pool].find(1, 1 + other % 4)
            if found is not None:
                nodes[pool].take(found, 1 + other % 4)
                listed.note(pool)
        elif not nodes[pool].used_nodes:
            nodes[pool].resize(other)
            listed.note(pool)
        for chips in (0, 1, 3, 4, 8, 9):
            for start in range(len(listed.supplies) + 2):
                assert listed.roomy(start, chips) == walked(listed, nodes, start, chips)
        for beside in ("", *POOLS):
            others = [nodes[s.pool].free_chips for s in listed.supplies if s.pool != beside]
            assert listed.most_free(beside) == max(others, default=-1)
    assert listed.keys == sorted(listed.keys)
