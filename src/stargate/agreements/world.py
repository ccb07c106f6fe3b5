"""Facts of the world that agreements rest on, and what was known of them at a time.

Facts are events on record: claimed, verified or rejected, true from a time and known from a time. A fact
counts at `at` if it was true (`valid_from`) and on record (`recorded_at`) by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec

from stargate.agreements.horizon import Horizon
from stargate.base.time import Instant

Scalar = Any
"""An integer, a Decimal, text or a truth value. After a trip over the wire a Decimal may be its text."""

FactStatus = Literal["claimed", "verified", "rejected"]

_UNSET = Instant(-1)


def canonical(value: Scalar) -> int | str | bool:
    """One form for equal values: whole numbers as int, other decimals as plain text without trailing zeros.

    Raises ValueError for anything that is neither number, text nor truth value.
    """
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Decimal) and value.is_finite():
        if value == value.to_integral_value():
            return int(value)
        return format(value.normalize(), "f")
    raise ValueError(f"{value!r} is no number, text or truth value")


def number(value: Scalar) -> Decimal | None:
    """The value as a finite number; None where it is none (text that reads as a decimal is one)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if not isinstance(value, str | Decimal):
        return None
    try:
        read = Decimal(value)
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def shown(value: Scalar) -> str:
    """The value in a sentence: `true`, `99990000000`, `0.5`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class WorldFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that is so from a time on: a claim, its verification, a delivery, a price."""

    name: str
    """As `agi_revenue_usd` or `shipped/api/microsoft`."""
    value: Scalar
    valid_from: Instant
    """From when it is so."""
    recorded_at: Instant = _UNSET
    """From when it is on record; default: `valid_from`."""
    source: str = ""
    evidence_sha256: str = ""
    verified_by: str = ""
    """The party that verified or rejected it."""
    status: FactStatus = "claimed"

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a fact needs a name")
        msgspec.structs.force_setattr(self, "value", canonical(self.value))
        if self.recorded_at == _UNSET:
            msgspec.structs.force_setattr(self, "recorded_at", self.valid_from)
        if self.status == "verified" and not self.verified_by:
            raise ValueError("a verified fact names who verified it: add verified_by")

    def __str__(self) -> str:
        by = f" ({self.status} by {self.verified_by})" if self.verified_by else ""
        return f"{self.name}={shown(self.value)}{by}"


class World:
    """Facts by name, each list in order of `valid_from`; questions narrow the asker's horizon."""

    __slots__ = ("_by_name", "facts")

    def __init__(self, facts: Sequence[WorldFact]) -> None:
        self.facts = tuple(facts)
        self._by_name: dict[str, list[WorldFact]] = {}
        for fact in self.facts:
            self._by_name.setdefault(fact.name, []).append(fact)
        for named in self._by_name.values():
            named.sort(key=lambda fact: (fact.valid_from, fact.recorded_at))

    def believed(self, name: str, horizon: Horizon, verifier: str = "") -> list[WorldFact]:
        """The facts of that name that count at the horizon, oldest first.

        With a verifier only what that party verified counts. Without one, claims count until somebody
        rejects them.
        """
        known = [fact for fact in self._by_name.get(name, ()) if horizon.knows(fact.recorded_at)]
        if verifier:
            said = [fact for fact in known if fact.verified_by == verifier]
            revoked = [fact for fact in said if fact.status == "rejected"]
            kept = [fact for fact in said if fact.status == "verified"]
        else:
            revoked = [fact for fact in known if fact.status == "rejected"]
            kept = [fact for fact in known if fact.status != "rejected"]
        if revoked:
            kept = [fact for fact in kept if not any(_rejects(no, fact) for no in revoked)]
        return [fact for fact in kept if horizon.reached(fact.valid_from)]

    def latest(self, name: str, horizon: Horizon, verifier: str = "") -> WorldFact | None:
        """What holds now under that name; None if nothing is known."""
        believed = self.believed(name, horizon, verifier)
        return believed[-1] if believed else None


def _rejects(rejection: WorldFact, fact: WorldFact) -> bool:
    """A rejection undoes what was recorded before it with the same value."""
    return rejection.recorded_at >= fact.recorded_at and rejection.value == fact.value
