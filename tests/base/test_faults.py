"""Near names, and which part of a union a value was meant to be. Messages are tested with documents."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest

from stargate.base.faults import did_you_mean, faults


class Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: int


class Lax(msgspec.Struct, frozen=True):
    size: int


class Tree(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    leaf: Leaf | Decimal | None = None
    pair: tuple[int, str] = (0, "")
    by_name: dict[str, Leaf] = {}
    either: list[Leaf] | Leaf | None = None
    names: Annotated[tuple[str, ...], msgspec.Meta(max_length=2)] = ()
    anything: Any = None


def test_a_near_name_else_what_is_known() -> None:
    assert did_you_mean("Power_Mw", ["power_mw", "price"]) == "Did you mean 'power_mw'?"
    assert did_you_mean("zzz", ["power_mw", "price"]) == "Known: power_mw, price."
    assert did_you_mean("zzz", []) == "None is known here."
    assert did_you_mean("zzz", [f"name{n}" for n in range(100)]).endswith("and 70 more.")


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"leaf": {"size": "x"}}, "leaf.size", "expected a whole number, got the text 'x'"),
        ({"leaf": True}, "leaf", "expected a mapping or a number, got true"),
        ({"pair": [1, 2]}, "pair[1]", "expected text, got the number 2"),
        ({"by_name": {"a.b": {}}}, "by_name.a.b", "the field 'size' is missing"),
        ({"either": [{"size": 1}, {"siez": 1, "size": 2}]}, "either[1].siez", "unknown field 'siez'"),
        ({"either": {"size": None}}, "either.size", "expected a whole number, got nothing"),
        ({"names": ["a", "b", "c"]}, "names", "must have at most 2 items; got a list"),
        ({"anything": [{"x": Decimal("NaN")}]}, "anything[0].x", "NaN is not a usable number"),
        ([], "", "expected a mapping, got a list"),
    ],
)
def test_the_smallest_faulty_part_is_named(value: Any, path: str, message: str) -> None:
    assert [(fault.path, fault.message) for fault in faults(value, Tree)] == [(path, message)]


def test_many_faults_and_long_names_cost_little() -> None:
    assert len(faults([{f"{n}" * 300: n} for n in range(5_000)], list[Leaf])) == 100
    assert did_you_mean("x" * 500, ["x" * 499]).startswith("Known: ")
    assert did_you_mean("name1x", [f"name{n}" for n in range(5_000)]).startswith("Known: ")


def test_unknown_fields_are_faults_only_where_records_are_strict() -> None:
    assert faults({"size": 1, "more": 2}, Lax) == []
    assert [fault.path for fault in faults({"size": "1", "more": 2}, Lax)] == ["size"]
    assert [fault.path for fault in faults({"size": 1, "more": 2}, Leaf)] == ["more"]
