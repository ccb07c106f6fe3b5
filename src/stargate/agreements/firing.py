"""When triggers fired, conditions came true and agreements ended, as far as is known from a horizon."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from stargate.agreements.clause import (
    ConditionPrecedent,
    Survival,
    Term,
    Termination,
    Trigger,
    Waiver,
)
from stargate.agreements.condition import Comparison, Moment
from stargate.agreements.horizon import EVER, Horizon
from stargate.agreements.period import add_months
from stargate.agreements.version import Version
from stargate.agreements.world import World, WorldFact
from stargate.base.ids import clause_id
from stargate.base.time import FOREVER, Instant

_RENEWALS_LIMIT = 1_200


class Fired(NamedTuple):
    """That and when something came true, and on which facts."""

    at: Instant
    facts: tuple[WorldFact, ...]


class Span(NamedTuple):
    """From when to when an agreement is in force."""

    start: Instant
    expires: Instant | None
    """End of its term; None: none, or not yet known."""
    terminated: Instant | None
    """End by termination, wind-down included."""
    terminated_by: str
    """The termination clause."""
    facts: tuple[WorldFact, ...]


class Chart:
    """Versions by what they do to others. Made once for a book."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self.versions = tuple(versions)
        self.by_ref: dict[str, list[Version]] = {}
        self.terms: dict[str, list[Version]] = {}
        self.terminations: dict[str, list[Version]] = {}
        self.survivals: dict[str, list[Version]] = {}
        self.triggers: list[Version] = []
        self.waivers: list[Version] = []
        self.conditions: dict[str, list[Version]] = {}
        """Condition precedents by the clause that waits for them."""
        self.starters: dict[str, list[Version]] = {}
        """Triggers by the clause that they start: before one fires it is not in force."""
        self.masters: dict[str, str] = {}
        """Master agreements by order form."""
        for version in self.versions:
            self._enter(version)

    def _enter(self, version: Version) -> None:
        self.by_ref.setdefault(version.ref, []).append(version)
        clause, home = version.clause, version.home.id
        if version.home.master:
            self.masters[home] = version.home.master
        if isinstance(clause, Term):
            self.terms.setdefault(home, []).append(version)
        elif isinstance(clause, Termination):
            self.terminations.setdefault(home, []).append(version)
        elif isinstance(clause, Survival):
            self.survivals.setdefault(home, []).append(version)
        elif isinstance(clause, Waiver):
            self.waivers.append(version)
        elif isinstance(clause, ConditionPrecedent):
            for name in clause.clauses:
                self.conditions.setdefault(absolute(name, home), []).append(version)
        elif isinstance(clause, Trigger):
            self.triggers.append(version)
            for effect in clause.effects:
                if effect.__struct_config__.tag == "start":
                    for name in getattr(effect, "clauses", ()):
                        self.starters.setdefault(absolute(name, home), []).append(version)


def absolute(name: str, home: str) -> str:
    """A clause named inside an agreement, as seen from outside."""
    return name if "/" in name else clause_id(home, name)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Instant:
    return Instant.parse(text)


class Firing:
    """Answers about one chart, one world and one horizon, each worked out once."""

    def __init__(self, chart: Chart, world: World, horizon: Horizon) -> None:
        self.chart = chart
        self.world = world
        self.horizon = horizon
        self._fired: dict[int, Fired | None] = {}
        self._spans: dict[str, Span] = {}

    def resolve(self, moment: Moment, home: str) -> Instant | None:
        """The instant a date names; None while it is not known."""
        if isinstance(moment, str):
            return _parsed(moment)
        found: Instant | None
        if moment.date:
            found = _parsed(moment.date)
        elif moment.fact:
            fact = moment.comparison().first(self.world, self.horizon)
            found = None if fact is None else fact.valid_from
        elif moment.trigger:
            fired = self.fired(absolute(moment.trigger, home))
            found = None if fired is None else fired.at
        else:
            parts = [self.resolve(part, home) for part in moment.earliest_of or moment.latest_of]
            known = [part for part in parts if part is not None]
            complete = bool(moment.earliest_of) or len(known) == len(parts)
            found = (min if moment.earliest_of else max)(known, default=None) if complete else None
        return None if found is None else found.plus(moment.after)

    def added(self, version: Version) -> bool:
        """Whether the wording has been signed into the agreement."""
        return self.horizon.reached(version.added)

    def current(self, version: Version) -> bool:
        """Whether it is the wording that stands."""
        return self.added(version) and not self.horizon.reached(version.removed)

    def fired(self, ref: str) -> Fired | None:
        """When a trigger (any wording of it) first fired."""
        found = [
            fired
            for version in self.chart.by_ref.get(ref, ())
            if isinstance(version.clause, Trigger)
            if (fired := self.firing(version)) is not None
        ]
        return min(found, key=lambda fired: fired.at, default=None)

    def firing(self, version: Version) -> Fired | None:
        """When one wording of a trigger fired: within its own life, never before or after."""
        key = id(version)
        if key not in self._fired:
            self._fired[key] = None  # a trigger that waits for itself never fires
            self._fired[key] = self._fire(version)
        return self._fired[key]

    def _fire(self, version: Version) -> Fired | None:
        clause = version.clause
        assert isinstance(clause, Trigger), "only triggers fire"
        if not self.added(version):
            return None
        home = version.home.id
        own = EVER if clause.from_ is None else self.resolve(clause.from_, home)
        if own is None:
            return None
        span = self.span(home)
        start = max(version.added, span.start, own)
        ends = [version.removed, span.expires, span.terminated]
        if clause.until is not None:
            ends.append(self.resolve(clause.until, home))
        end = min(instant for instant in ends if instant is not None)
        return self._all_true(
            clause.when, clause.verifier, start, end, evidence=clause.evidence == "required"
        )

    def fulfilled(self, version: Version) -> Fired | None:
        """When a condition precedent was first fulfilled in all its parts; after its `until` it no longer can be."""
        clause = version.clause
        assert isinstance(clause, ConditionPrecedent), "only conditions are fulfilled"
        end = None if clause.until is None else self.resolve(clause.until, version.home.id)
        return self._all_true(
            clause.when, clause.verifier, EVER, FOREVER if end is None else end, evidence=False
        )

    def _all_true(
        self,
        comparisons: Sequence[Comparison],
        verifier: str,
        start: Instant,
        end: Instant,
        *,
        evidence: bool,
    ) -> Fired | None:
        """The first instant in [start, end) at which all comparisons hold together."""
        series: list[tuple[Comparison, list[WorldFact]]] = []
        for comparison in comparisons:
            believed = self.world.believed(comparison.fact, self.horizon, comparison.verifier or verifier)
            if evidence:
                believed = [fact for fact in believed if fact.evidence_sha256]
            series.append((comparison, believed))
        instants = {fact.valid_from for _, facts in series for fact in facts if fact.valid_from > start}
        for instant in sorted({start, *instants}):
            if instant >= end or not self.horizon.reached(instant):
                break
            used: list[WorldFact] = []
            for comparison, facts in series:
                latest = next((fact for fact in reversed(facts) if fact.valid_from <= instant), None)
                if latest is None or not comparison.test(latest.value):
                    break
                used.append(latest)
            else:
                return Fired(max(instant, *(fact.valid_from for fact in used)), tuple(used))
        return None

    def holding(self, version: Version) -> bool:
        """Whether all comparisons of a `while_true` trigger hold at the horizon itself."""
        clause = version.clause
        assert isinstance(clause, Trigger), "only triggers hold"
        return all(part.holds(self.world, self.horizon, clause.verifier) is True for part in clause.when)

    def span(self, home: str) -> Span:
        """From when to when an agreement is in force."""
        if home not in self._spans:
            self._spans[home] = Span(EVER, None, None, "", ())  # for terms that depend on their own triggers
            self._spans[home] = self._span(home)
        return self._spans[home]

    def _span(self, home: str) -> Span:
        versions = [version for version in self.chart.terms.get(home, ()) if self.current(version)]
        start, expires = EVER, None
        for version in versions:
            own = EVER if version.clause.from_ is None else self.resolve(version.clause.from_, home)
            start = max(start, FOREVER if own is None else own)
            end = None if version.clause.until is None else self.resolve(version.clause.until, home)
            end = None if end is None else self._renewed(version, end)
            expires = end if expires is None or (end is not None and end < expires) else expires
        terminated, by, facts = self._terminated(home)
        return Span(start, expires, terminated, by, facts)

    def _renewed(self, version: Version, end: Instant) -> Instant:
        """The end of a term after the renewals that have become certain."""
        clause = version.clause
        assert isinstance(clause, Term), "only terms renew"
        if clause.renewal_months is None:
            return end
        name = f"not_renewed/{version.ref}"
        notices = [fact for fact in self.world.believed(name, self.horizon) if fact.value is True]
        first = end
        for count in range(1, (clause.renewals or _RENEWALS_LIMIT) + 1):
            last_call = end.plus(-clause.renewal_notice)
            if not self.horizon.reached(last_call) or any(fact.valid_from < last_call for fact in notices):
                break
            end = add_months(first, clause.renewal_months * count)
        return end

    def _terminated(self, home: str) -> tuple[Instant | None, str, tuple[WorldFact, ...]]:
        best: tuple[Instant | None, str, tuple[WorldFact, ...]] = (None, "", ())
        master = self.chart.masters.get(home)
        for name in (home,) if master is None else (home, master):
            for version in self.chart.terminations.get(name, ()):
                clause = version.clause
                assert isinstance(clause, Termination), "the chart holds terminations here"
                if clause.ends == "tranche" or (name != home and clause.ends != "master"):
                    continue
                ended = self.terminated(version)
                if ended is not None and (best[0] is None or ended.at < best[0]):
                    best = (ended.at, version.ref, ended.facts)
        return best

    def terminated(self, version: Version) -> Fired | None:
        """When a termination takes the clauses out of force: notice, cure and wind-down have passed."""
        clause = version.clause
        assert isinstance(clause, Termination), "only terminations end agreements"
        if not self.added(version):
            return None
        name = clause.notice_fact or f"notice/{version.ref}"
        notice = Comparison(name).first(self.world, self.horizon)
        if notice is None or not version.added <= notice.valid_from < version.removed:
            return None
        due = notice.valid_from.plus(clause.notice)
        if clause.cause == "default":
            due = due.plus(clause.cure)
            cured = Comparison(clause.cured_fact or f"cured/{version.ref}").first(self.world, self.horizon)
            if cured is not None and notice.valid_from <= cured.valid_from < due:
                return None
        return Fired(due.plus(clause.wind_down), (notice,))
