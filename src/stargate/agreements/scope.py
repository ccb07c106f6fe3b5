"""What a clause is about: filters over the attributes of a request or of usage, in FOCUS operators.

All filters of a scope must match. A filter on an attribute that the request does not have matches only
as `NotExists`: whoever says nothing is not excepted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any, Literal

import msgspec

from stargate.agreements.world import Scalar, canonical, number, shown

Operator = Literal[
    "In",
    "NotIn",
    "Equals",
    "NotEquals",
    "StartsWith",
    "NotStartsWith",
    "EndsWith",
    "Contains",
    "NotContains",
    "Within",
    "Exists",
    "NotExists",
    "AtLeast",
    "AtMost",
    "MoreThan",
    "LessThan",
]

Attributes = Mapping[str, Any]
Matcher = Callable[[Attributes], bool]


def within(place: str, area: str) -> bool:
    """ISO 3166: `US-TX` lies within `US-TX` and within `US`."""
    return place == area or (place.startswith(area) and place[len(area) : len(area) + 1] == "-")


Number = int | Decimal
_ORDER: dict[str, Callable[[Number, Number], bool]] = {
    "AtLeast": ge,
    "AtMost": le,
    "MoreThan": gt,
    "LessThan": lt,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
    "Contains": lambda text, part: part in text,
    "Within": within,
}
_NOT = {"NotStartsWith": "StartsWith", "NotContains": "Contains"}


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One test of one attribute; or, with `any_of`, several of which one suffices."""

    field: str = ""
    """The attribute, as `product` or `jurisdiction`."""
    operator: Operator = "In"
    values: tuple[Scalar, ...] = ()
    any_of: tuple[Filter, ...] = ()

    def __post_init__(self) -> None:
        if self.any_of:
            if self.field or self.values:
                raise ValueError("a filter has either any_of, or field and values")
            return
        if not self.field:
            raise ValueError("a filter needs a field, such as product or jurisdiction")
        if self.operator in ("Exists", "NotExists"):
            if self.values:
                raise ValueError(f"{self.operator} takes no values")
            return
        if not self.values:
            raise ValueError(f"{self.operator} needs values")
        msgspec.structs.force_setattr(self, "values", tuple(map(canonical, self.values)))
        if self.operator in _ORDER and (len(self.values) != 1 or number(self.values[0]) is None):
            raise ValueError(f"{self.operator} compares with one number")

    def __str__(self) -> str:
        if self.any_of:
            return "(" + " or ".join(map(str, self.any_of)) + ")"
        return " ".join([self.field, self.operator, ", ".join(map(shown, self.values))]).rstrip()


Scope = tuple[Filter, ...]


def fields_of(scope: Scope) -> frozenset[str]:
    """Every attribute the scope looks at."""
    return frozenset(
        field for item in scope for field in (fields_of(item.any_of) if item.any_of else (item.field,))
    )


def compiled(scope: Scope) -> Matcher | None:
    """The scope as one function over attributes; None if it matches everything."""
    matchers = tuple(_one(item) for item in scope)
    if not matchers:
        return None
    if len(matchers) == 1:
        return matchers[0]

    def every(attributes: Attributes) -> bool:
        for matcher in matchers:  # noqa: SIM110  # a generator costs a frame on the hot path
            if not matcher(attributes):
                return False
        return True

    return every


def matches(scope: Scope, attributes: Attributes) -> bool:
    """Whether all filters match; slow form of `compiled`, for single questions."""
    matcher = compiled(scope)
    return matcher is None or matcher(attributes)


def _one(item: Filter) -> Matcher:
    if item.any_of:
        parts = tuple(_one(part) for part in item.any_of)
        return lambda attributes: any(part(attributes) for part in parts)
    field, operator = item.field, item.operator
    if operator == "Exists":
        return lambda attributes: attributes.get(field) is not None
    if operator == "NotExists":
        return lambda attributes: attributes.get(field) is None
    if operator in _ORDER:
        return _ordered(item)
    test, negated = _test(operator, item.values)

    def match(attributes: Attributes) -> bool:
        value = attributes.get(field)
        if value is None:
            return False
        if type(value) is str:
            return test(value) is not negated
        if isinstance(value, tuple | list | frozenset):
            return any(test(_plain(part)) for part in value) is not negated
        return test(_plain(value)) is not negated

    return match


def _ordered(item: Filter) -> Matcher:
    """A comparison with one number. Counts of chips are whole numbers, and compared as such."""
    field, compare, bound = item.field, _ORDER[item.operator], number(item.values[0])
    assert bound is not None, "checked when the filter was made"
    whole = int(bound) if bound == bound.to_integral_value() else bound

    def match(attributes: Attributes) -> bool:
        value = attributes.get(field)
        if type(value) is int:
            return compare(value, whole)
        several = value if isinstance(value, tuple | list | frozenset) else (value,)
        return any((read := number(part)) is not None and compare(read, whole) for part in several)

    return match


def _plain(value: Scalar) -> Scalar:
    return canonical(value) if isinstance(value, Decimal) else value


def _test(operator: str, values: tuple[Scalar, ...]) -> tuple[Callable[[Scalar], bool], bool]:
    """A test of one value, and whether its answer is turned round."""
    if operator in ("In", "Equals", "NotIn", "NotEquals"):
        # Attributes of usage are text: what is written `true` or 3 in a scope is meant there too.
        chosen = frozenset((*values, *(shown(value) for value in values)))
        return (lambda value: value in chosen), operator.startswith("Not")
    wanted = _TEXT[_NOT.get(operator, operator)]
    parts = tuple(str(value) for value in values)
    return (lambda value: any(wanted(str(value), part) for part in parts)), operator in _NOT
