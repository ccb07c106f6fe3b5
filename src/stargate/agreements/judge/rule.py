"""What a judge is handed, and what it answers.

A `Rule` is a clause made ready once: which requests it is about. `Live` is a rule in force at an instant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stargate.agreements.clause import CarveOut
from stargate.agreements.condition import Comparison, day
from stargate.agreements.decision import Effect, Obligation, Reason, Request
from stargate.agreements.firing import Chart, Firing
from stargate.agreements.horizon import Horizon
from stargate.agreements.scope import Matcher
from stargate.agreements.version import Version
from stargate.agreements.world import World, WorldFact
from stargate.base.time import FOREVER, Instant

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
ORDINARY_ACTIONS = {"finetune": "train", "batch": "train"}
"""Kinds of work that clauses about training speak of too."""


class Question:
    """A request with what can be said about it, at an instant, in a world.

    Whatever depends on time goes through `horizon`, so that an answer knows how long it stays the same.
    """

    __slots__ = (
        "action",
        "attributes",
        "chart",
        "horizon",
        "party",
        "place",
        "providers",
        "request",
        "world",
    )

    def __init__(self, request: Request, at: Instant, world: World, chart: Chart) -> None:
        self.request = request
        self.world = world
        self.chart = chart
        self.horizon = Horizon(at)
        self.party = request.party
        self.action: str = ORDINARY_ACTIONS.get(request.action, request.action)
        known: dict[str, Any] = {"action": request.action}
        if request.party:
            known["party"] = request.party
        if request.provider:
            known["provider_party"] = known["provider"] = request.provider
        known.update(request.attributes)
        self.attributes = known
        self.providers = (request.provider, known.get("provider_party", ""), known.get("provider", ""))
        self.place = str(known.get("jurisdiction") or known.get("country") or "")

    @property
    def names_provider(self) -> bool:
        """Whether the request says with whom."""
        return any(self.providers)

    def value(self, name: str) -> str:
        """An attribute as text; empty if it has none, or several."""
        found = self.attributes.get(name)
        return "" if found is None or isinstance(found, tuple | list) else str(found)

    def reached(self, instant: Instant) -> bool:
        """Whether a date has come."""
        return self.horizon.reached(instant)

    def firing(self) -> Firing:
        """Triggers and dates, looked at from the instant of the question."""
        return Firing(self.chart, self.world, self.horizon)

    def first(self, name: str) -> WorldFact | None:
        """The fact by which that name first became true."""
        return Comparison(name).first(self.world, self.horizon)

    def since(self, name: str) -> WorldFact | None:
        """The fact from which on that name has been true without a break."""
        return Comparison(name).since(self.world, self.horizon)

    def latest(self, name: str) -> WorldFact | None:
        """What is so now under that name."""
        return self.world.latest(name, self.horizon)


class Verdict(NamedTuple):
    """What one clause says to one question."""

    effect: Effect
    reason: Reason
    obligations: tuple[Obligation, ...] = ()
    claim: str = ""
    """The party with whom, and with nobody else, the clause wants it done."""


@dataclass(slots=True)
class Rule:
    """A clause made ready to be asked."""

    version: Version
    actions: frozenset[str]
    """What it decides by itself."""
    reach: frozenset[str]
    """The same, and what it decides as an exception to others."""
    bound: str
    """The party whose requests it is about; empty: everybody's."""
    matcher: Matcher | None
    key: tuple[str, tuple[str, ...]] | None
    """An attribute and the values of which it must have one: what the index goes by."""
    judge: Judge
    targets: frozenset[str]
    """Clauses that are silent where this one speaks."""
    carve_outs: tuple[tuple[CarveOut, Matcher | None], ...] = ()


@dataclass(slots=True)
class Live:
    """A rule in force."""

    rule: Rule
    until: Instant = FOREVER
    carve_outs: tuple[tuple[CarveOut, Matcher | None], ...] = ()
    """Those whose dates hold now."""
    waivers: tuple[tuple[Version, Matcher | None], ...] = ()
    kept: dict[str, Verdict | None] = field(default_factory=dict)
    """Verdicts that depend on nothing but the clause and their key."""
    ref: str = ""
    """`agreement/clause`."""
    clause: Any = None
    """The clause as written."""
    plain: bool = False
    """It has no exceptions, waivers or targets."""

    def __post_init__(self) -> None:
        self.ref = self.rule.version.ref
        self.clause = self.rule.version.clause
        self.plain = not (self.carve_outs or self.waivers or self.rule.targets)

    def party(self, role: str, default: str) -> str:
        """The party in a role, or the agreement's customer or supplier."""
        return self.rule.version.party(role, default)

    def reason(self, effect: Effect, says: str, **more: Any) -> Reason:
        """A reason that cites this clause."""
        return Reason(self.ref, effect, says, text_ref=self.clause.text_ref, **more)

    def verdict(self, effect: Effect, says: str, claim: str = "", **more: Any) -> Verdict:
        """A verdict that cites this clause."""
        return Verdict(effect, self.reason(effect, says, **more), claim=claim)

    def ways_out(self, *first: str, waived_by: str = "") -> str:
        """What would make a forbidding clause permit: its exceptions, a waiver, its end."""
        ways = [way for way in first if way]
        ways += [
            f"the exception {carve.id} ({' and '.join(map(str, carve.scope))})"
            for carve, _ in self.carve_outs
        ]
        ways.append(f"a waiver by {waived_by}" if waived_by else "an amendment")
        if self.until < FOREVER:
            ways.append(f"the end of the clause on {day(self.until)}")
        return "; or ".join(ways)


Judge = Callable[[Live, Question], Verdict | None]


def filled(template: str, values: Mapping[str, Any]) -> str:
    """`shipped/{product}/{holder}` with the values put in; what is not known stays in its braces."""

    def fill(found: re.Match[str]) -> str:
        value = values.get(found[1])
        return found[0] if value is None or isinstance(value, tuple | list) else str(value)

    return _FIELD.sub(fill, template)


def blanks(text: str) -> tuple[str, ...]:
    """The attributes a template still lacks."""
    return tuple(_FIELD.findall(text))
