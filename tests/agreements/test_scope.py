"""Scopes: FOCUS operators over attributes, compiled and naive."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.agreements.scope import Filter, fields_of, matches, within
from stargate.agreements.world import canonical, number


@pytest.mark.parametrize(
    ("operator", "values", "value", "expected"),
    [
        ("In", ["api", "chat"], "api", True),
        ("In", ["api"], "chat", False),
        ("In", ["api"], None, False),
        ("NotIn", ["api"], "chat", True),
        ("NotIn", ["api"], None, False),
        ("Equals", [5], Decimal("5.0"), True),
        ("NotEquals", ["a"], "b", True),
        ("StartsWith", ["US"], "US-TX", True),
        ("NotStartsWith", ["US"], "US-TX", False),
        ("EndsWith", ["-TX"], "US-TX", True),
        ("Contains", ["S-T"], "US-TX", True),
        ("NotContains", ["zz"], "US-TX", True),
        ("Within", ["US"], "US-TX", True),
        ("Within", ["US"], "US", True),
        ("Within", ["US"], "USX", False),
        ("Exists", [], "x", True),
        ("Exists", [], None, False),
        ("NotExists", [], None, True),
        ("NotExists", [], "x", False),
        ("AtLeast", [1000], 1000, True),
        ("MoreThan", [1000], 1000, False),
        ("AtMost", [Decimal("0.5")], Decimal("0.5"), True),
        ("LessThan", [10], "9.5", True),
        ("AtLeast", [10], "many", False),
        ("In", ["H100"], ("A100", "H100"), True),
        ("NotIn", ["H100"], ["A100", "H100"], False),
    ],
)
def test_operators(operator: Any, values: list[Any], value: Any, expected: bool) -> None:
    attributes = {} if value is None else {"field": value}
    assert matches((Filter("field", operator, tuple(values)),), attributes) is expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "needs a field"),
        ({"field": "x"}, "needs values"),
        ({"field": "x", "operator": "Exists", "values": (1,)}, "takes no values"),
        ({"field": "x", "operator": "AtLeast", "values": ("many",)}, "one number"),
        ({"field": "x", "operator": "AtLeast", "values": (1, 2)}, "with one number"),
        ({"field": "x", "any_of": (Filter("y", "Exists"),)}, "either any_of"),
    ],
)
def test_filters_that_make_no_sense_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Filter(**fields)


def test_any_of_needs_one() -> None:
    scope = (Filter(any_of=(Filter("a", "In", ("1",)), Filter("b", "Exists"))),)
    assert matches(scope, {"a": "1"})
    assert matches(scope, {"b": "x"})
    assert not matches(scope, {"a": "2"})
    assert fields_of(scope) == {"a", "b"}


def test_an_empty_scope_is_everything() -> None:
    assert matches((), {})


values = st.sampled_from(["api", "chat", "US", "US-TX", "1", "2.5"]) | st.integers(0, 3)
filters = st.builds(
    Filter,
    field=st.sampled_from(["a", "b"]),
    operator=st.sampled_from(["In", "NotIn", "Equals", "StartsWith", "NotContains", "Within"]),
    values=st.lists(values, min_size=1, max_size=3).map(tuple),
) | st.builds(
    Filter,
    field=st.sampled_from(["a", "b"]),
    operator=st.sampled_from(["AtLeast", "LessThan"]),
    values=st.tuples(st.integers(0, 3)),
)
attributes = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), values | st.lists(values, max_size=2).map(tuple)
)


def naive(item: Filter, known: dict[str, Any]) -> bool:
    if item.field not in known:
        return False
    value = known[item.field]
    several = [canonical(part) for part in (value if isinstance(value, tuple) else (value,))]

    def one(part: Any) -> bool:
        base = item.operator.removeprefix("Not")
        if base in ("In", "Equals"):
            return part in item.values
        if base in ("AtLeast", "LessThan"):
            read = number(part)
            return read is not None and (
                read >= item.values[0] if base == "AtLeast" else read < item.values[0]
            )
        tests = {
            "StartsWith": lambda text, want: text.startswith(want),
            "Contains": lambda text, want: want in text,
            "Within": within,
        }
        return any(tests[base](str(part), str(want)) for want in item.values)

    return any(one(part) for part in several) is not item.operator.startswith("Not")


@given(st.lists(filters, max_size=3).map(tuple), attributes)
def test_compiled_agrees_with_naive(scope: tuple[Filter, ...], known: dict[str, Any]) -> None:
    assert matches(scope, known) is all(naive(item, known) for item in scope)
