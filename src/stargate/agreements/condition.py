"""Comparisons of facts, and dates that depend on them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec

from stargate.agreements.horizon import Horizon
from stargate.agreements.world import Scalar, World, WorldFact, canonical, number, shown
from stargate.base.time import Duration, Instant

Comparator = Literal[
    "Equals",
    "NotEquals",
    "In",
    "NotIn",
    "AtLeast",
    "AtMost",
    "MoreThan",
    "LessThan",
    "==",
    "!=",
    ">=",
    "<=",
    ">",
    "<",
]

_ORDER: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "AtLeast": lambda left, right: left >= right,
    ">=": lambda left, right: left >= right,
    "AtMost": lambda left, right: left <= right,
    "<=": lambda left, right: left <= right,
    "MoreThan": lambda left, right: left > right,
    ">": lambda left, right: left > right,
    "LessThan": lambda left, right: left < right,
    "<": lambda left, right: left < right,
}
_WORDS = {
    "Equals": "is",
    "==": "is",
    "NotEquals": "is not",
    "!=": "is not",
    "In": "is one of",
    "NotIn": "is none of",
    "AtLeast": "is at least",
    ">=": "is at least",
    "AtMost": "is at most",
    "<=": "is at most",
    "MoreThan": "is more than",
    ">": "is more than",
    "LessThan": "is less than",
    "<": "is less than",
}


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A fact compared with a value: `{fact: agi_revenue_usd, operator: AtLeast, value: 100000000000}`."""

    fact: str
    operator: Comparator = "Equals"
    value: Scalar = True
    """One value; a list for In and NotIn."""
    verifier: str = ""
    """Only what this party verified counts; a claim changes nothing."""

    def __post_init__(self) -> None:
        if not self.fact:
            raise ValueError("a comparison needs the name of a fact")
        if self.operator in ("In", "NotIn"):
            if not isinstance(self.value, list | tuple) or not self.value:
                raise ValueError(f"{self.operator} compares with a list of values")
            msgspec.structs.force_setattr(self, "value", tuple(map(canonical, self.value)))
            return
        if isinstance(self.value, list | tuple | dict) or self.value is None:
            raise ValueError(f"{self.operator} compares with one value")
        msgspec.structs.force_setattr(self, "value", canonical(self.value))
        if self.operator in _ORDER and number(self.value) is None:
            raise ValueError(f"{self.operator} compares with a number, not with {self.value!r}")

    def says(self) -> str:
        """In words: `agi_revenue_usd is at least 100000000000`."""
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        text = f"{self.fact} {_WORDS[self.operator]} {', '.join(map(shown, values))}"
        return f"{text}, verified by {self.verifier}" if self.verifier else text

    def test(self, value: Scalar) -> bool:
        """Whether a value fulfils it. Text never fulfils an order."""
        compare = _ORDER.get(self.operator)
        if compare is not None:
            left, right = number(value), number(self.value)
            return left is not None and right is not None and compare(left, right)
        if self.operator in ("In", "NotIn"):
            return (value in self.value) is (self.operator == "In")
        return _same(value, self.value) is (self.operator in ("Equals", "=="))

    def first(self, world: World, horizon: Horizon, verifier: str = "") -> WorldFact | None:
        """The fact that first fulfilled it, as far as is known; None if none did yet."""
        for fact in world.believed(self.fact, horizon, self.verifier or verifier):
            if self.test(fact.value):
                return fact
        return None

    def since(self, world: World, horizon: Horizon) -> WorldFact | None:
        """The fact from which on it has held without a break until now; None if it does not hold."""
        began: WorldFact | None = None
        for fact in world.believed(self.fact, horizon, self.verifier):
            if not self.test(fact.value):
                began = None
            elif began is None:
                began = fact
        return began

    def holds(self, world: World, horizon: Horizon, verifier: str = "") -> bool | None:
        """Whether it holds now; None if nothing is known of the fact."""
        fact = world.latest(self.fact, horizon, self.verifier or verifier)
        return None if fact is None else self.test(fact.value)


def _same(left: Scalar, right: Scalar) -> bool:
    """Equal, where `true` is not 1."""
    return isinstance(left, bool) is isinstance(right, bool) and left == right


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A date that depends: on a fact, on a trigger, on the earliest or latest of several."""

    date: str = ""
    fact: str = ""
    """When this fact first fulfilled `operator` and `value`."""
    operator: Comparator = "Equals"
    value: Scalar = True
    verifier: str = ""
    trigger: str = ""
    """When this trigger fired: a clause of the agreement, or `agreement/clause`."""
    earliest_of: tuple[str | When, ...] = ()
    """What comes first; it comes when one of them is known to have come."""
    latest_of: tuple[str | When, ...] = ()
    """What comes last; it comes when all have come."""
    after: Duration = Duration(0)
    """This much later than the above."""

    def __post_init__(self) -> None:
        given = [bool(x) for x in (self.date, self.fact, self.trigger, self.earliest_of, self.latest_of)]
        if sum(given) != 1:
            raise ValueError("give exactly one of date, fact, trigger, earliest_of, latest_of")
        if self.date:
            Instant.parse(self.date)
        if self.fact:
            self.comparison()
        elif self.verifier or self.operator != "Equals" or self.value is not True:
            raise ValueError("operator, value and verifier go with fact")
        for part in (*self.earliest_of, *self.latest_of):
            check_moment(part)

    def comparison(self) -> Comparison:
        """The comparison behind `fact`."""
        return Comparison(self.fact, self.operator, self.value, self.verifier)

    def says(self) -> str:
        """In words."""
        if self.date:
            text = self.date
        elif self.fact:
            text = f"when {self.comparison().says()}"
        elif self.trigger:
            text = f"when {self.trigger} fires"
        else:
            word = "earliest" if self.earliest_of else "latest"
            parts = ", ".join(map(moment_says, self.earliest_of or self.latest_of))
            text = f"the {word} of {parts}"
        return f"{self.after.short()} after {text}" if self.after else text


Moment = str | When
"""A date (`2031-01-01`, midnight UTC), a time with its zone, or a `When`."""


def check_moment(moment: Moment | None, name: str = "") -> None:
    """Raise ValueError, naming the field, where a date cannot be read."""
    if isinstance(moment, str):
        try:
            Instant.parse(moment)
        except ValueError as error:
            raise ValueError(f"{name}: {error}" if name else str(error)) from None


def moment_says(moment: Moment) -> str:
    """In words."""
    return moment if isinstance(moment, str) else moment.says()


def day(instant: Instant) -> str:
    """An instant in a sentence: the date alone where it is midnight UTC."""
    return instant.iso().removesuffix("T00:00:00Z")


def moments_in(moment: Moment | None) -> tuple[When, ...]:
    """Every `When` inside, itself included."""
    if not isinstance(moment, When):
        return ()
    parts = (*moment.earliest_of, *moment.latest_of)
    return (moment, *(inner for part in parts for inner in moments_in(part)))
