"""The index of supplies stays in price order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.broker.nodes import NodeMap
from stargate.broker.supply import Supply, SupplyClass, SupplyIndex

KINDS = [SupplyClass("aws", "tx", "on_demand"), SupplyClass("oracle", "tx", "on_demand")]


def supply(name: str, price: int, kind: int = 0) -> Supply:
    """Paid by use."""
    return Supply(name, "pool", KINDS[kind], chip="H100", party="p", price=price)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(0, 1), st.booleans()), max_size=40)
)
def test_every_supply_is_listed_by_price(steps: list[tuple[int, int, int, bool]]) -> None:
    """Whatever is added, repriced and removed."""
    index = SupplyIndex({"pool": NodeMap(1, 8, 1)})
    for number, price, kind, keep in steps:
        name = f"s{number}"
        if name not in index.by_id:
            index.add(supply(name, price, kind))
        elif keep:
            index.set_marginal(index.by_id[name], price)
        else:
            index.remove(name)
    known = index.by_id.values()
    if "H100" in index.by_chip:
        listed = index.by_chip["H100"]
        assert listed.supplies == sorted(known, key=lambda s: (s.marginal, s.id))
        assert listed.keys == [(s.marginal, s.id) for s in listed.supplies]
    counts = {named: sum(s.kind == named for s in known) for named in KINDS}
    assert index.classes.get("H100", {}) == {named: count for named, count in counts.items() if count}


def test_what_is_paid_already_costs_nothing_more() -> None:
    """Only use of on-demand capacity adds cost."""
    owned = Supply("s", "p", SupplyClass("aws", "tx", "owned"), chip="H100", party="p", price=7)
    assert (owned.price, owned.marginal) == (7, 0)
    assert supply("t", 7).marginal == 7


def test_a_lease_has_only_so_many_chips() -> None:
    """A held pool is bounded by its nodes alone."""
    lease = Supply("l", "p", SupplyClass("aws", "tx", "reserved"), chip="H100", party="p", price=7, chips=64)
    lease.used = 24
    assert lease.spare == 40
    assert supply("t", 7).spare is None


def test_ids_are_unique() -> None:
    """The same offer twice is a fault of ours."""
    index = SupplyIndex({"pool": NodeMap(1, 8, 1)})
    index.add(supply("s", 1))
    with pytest.raises(AssertionError, match="supply s is there already"):
        index.add(supply("s", 2))
