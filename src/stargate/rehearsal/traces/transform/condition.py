"""Tests of one field of a job or request, as people write them in YAML: `{field: chips, at_least: 8}`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from stargate.rehearsal.traces.job import Job
from stargate.rehearsal.traces.request import Request

Value = str | int | float
Field = Literal[
    "chip", "chip_fraction", "chips", "chips_per_node", "client", "cpus", "deadline_seconds", "id",
    "input_tokens", "kind", "label", "memory_gib", "model", "nodes", "output_tokens", "provider",
    "requested_seconds", "residency", "run_seconds", "session", "status", "submit_seconds", "at_seconds",
    "team", "user", "wait_seconds",
]  # fmt: skip
"""Fields that may be tested. A record without the field, or whose field is unknown, passes no test of it."""

MOST_VALUES = 10_000


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one field has to be. All tests that are given have to hold; at least one has to be given."""

    field: Field
    one_of: Annotated[tuple[Value, ...], Meta(max_length=MOST_VALUES)] = msgspec.field(name="in", default=())
    none_of: Annotated[tuple[Value, ...], Meta(max_length=MOST_VALUES)] = msgspec.field(
        name="not_in", default=()
    )
    at_least: float | None = None
    at_most: float | None = None
    like: str = ""
    """A pattern with `*` and `?`."""

    def __post_init__(self) -> None:
        bounds = self.at_least is not None or self.at_most is not None
        if not (self.one_of or self.none_of or bounds or self.like):
            raise ValueError("a condition tests nothing; give in, not_in, at_least, at_most or like")

    def holds(self, record: Job | Request) -> bool:
        """Whether a record passes."""
        value = getattr(record, self.field, None)
        if value is None:
            return False
        if self.one_of and not _among(value, self.one_of):
            return False
        if self.none_of and _among(value, self.none_of):
            return False
        if self.like and not fnmatchcase(str(value), self.like):
            return False
        if self.at_least is None and self.at_most is None:
            return True
        if isinstance(value, str):
            return False
        low, high = self.at_least, self.at_most
        return (low is None or value >= low) and (high is None or value <= high)


def _among(value: Any, values: tuple[Value, ...]) -> bool:
    """Numbers compare as numbers; ids and teams that are numbers in YAML compare as text."""
    if isinstance(value, str):
        return any(value == str(one) for one in values)
    return any(not isinstance(one, str) and value == one for one in values)


def all_hold(conditions: tuple[Condition, ...], record: Job | Request) -> bool:
    """Whether a record passes every test; none given: it does."""
    return all(condition.holds(record) for condition in conditions)
