"""Which clauses are in force at an instant, and why the others are not.

A wording is in force when an amendment (or the signature) has added it and none has removed it, its agreement
runs or it survives that, no trigger has ended or suspended it, and its own dates, conditions and status hold.
All of it is a function of the versions, the facts and the horizon.
"""

from __future__ import annotations

from typing import NamedTuple

from stargate.agreements.clause import (
    ConditionPrecedent,
    End,
    FirstRefusal,
    Start,
    Survival,
    Suspend,
    Termination,
    Trigger,
    Waiver,
    many,
)
from stargate.agreements.condition import Comparison, day, moment_says, moments_in
from stargate.agreements.decision import Effect
from stargate.agreements.firing import Chart, Fired, Firing, absolute
from stargate.agreements.horizon import EVER, Horizon
from stargate.agreements.version import Version
from stargate.agreements.world import World, WorldFact
from stargate.base.time import FOREVER, Instant


class Standing(NamedTuple):
    """How a wording stands: in force (`effect` is empty), or why not."""

    effect: Effect | None
    says: str = ""
    facts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    would_change: str = ""
    rule: str = ""
    """Ended: what becomes of open offers, where the amendment says it."""


IN_FORCE = Standing(None)


class _Hit(NamedTuple):
    """What a trigger did to a clause."""

    kind: type
    by: Version
    fired: Fired


class Present:
    """The agreements at one instant."""

    def __init__(self, chart: Chart, world: World, horizon: Horizon) -> None:
        self.chart = chart
        self.world = world
        self.horizon = horizon
        self.firing = Firing(chart, world, horizon)
        self._hits = self._fire_all()
        self._ended_in_part = self._partial_ends()

    def standing(self, version: Version) -> Standing | None:
        """How it stands; None if it has not been signed yet, and nobody may know of it."""
        if not self.firing.added(version) or not self._signed(version):
            return None
        return self._ended(version) or self._pending(version) or self._resting(version) or IN_FORCE

    def in_force(self, version: Version) -> bool:
        """Whether it is in force."""
        return self.standing(version) is IN_FORCE

    def replaced(self, version: Version) -> bool:
        """Whether a later wording of the same clause has been signed: then this one is history."""
        wordings = self.chart.by_ref[version.ref]
        return any(
            other.added > version.added and self.firing.added(other)
            for other in wordings[wordings.index(version) + 1 :]
        )

    def until(self, version: Version) -> Instant:
        """Where its force ends as far as is known now."""
        clause, home = version.clause, version.home.id
        span = self.firing.span(home)
        if clause.until is not None:
            own = self.firing.resolve(clause.until, home)
        else:
            own = self._survives(version, span.expires) or span.expires
        terminated = self._survives(version, span.terminated) or span.terminated
        return min((end for end in (own, terminated) if end is not None), default=FOREVER)

    def start(self, version: Version) -> Instant:
        """Where its force began, or will begin; FOREVER while that is not known."""
        own = version.clause.from_
        home = version.home.id
        signed = version.home.signed_on
        at = EVER if own is None else self.firing.resolve(own, home)
        waits = [self.met(item) for item in self.awaited(version)]
        if version.ref in self.chart.starters:
            started = [hit.fired.at for hit in self._hits.get(version.ref, ()) if hit.kind is Start]
            waits.append(min(started, default=None))
        known = [instant for instant in waits if instant is not None]
        if at is None or len(known) < len(waits):
            return FOREVER
        floor = max(version.added, self.firing.span(home).start, EVER if signed is None else signed)
        return max(at, floor, *known)

    def awaited(self, version: Version) -> list[Version]:
        """Condition precedents (and triggers) that stand and that the wording waits for."""
        named = [absolute(name, version.home.id) for name in many(version.clause.requires)]
        found = [*self.chart.conditions.get(version.ref, ())]
        found += [item for ref in named for item in self.chart.by_ref.get(ref, ())]
        return [item for item in found if self.firing.current(item)]

    def met(self, condition: Version) -> Instant | None:
        """When a condition came true; None while it has not."""
        if isinstance(condition.clause, Trigger):
            fired = self.firing.fired(condition.ref)
        elif isinstance(condition.clause, ConditionPrecedent):
            fired = self.firing.fulfilled(condition)
        else:
            return None
        return None if fired is None else fired.at

    def waivers(self) -> list[Version]:
        """Waivers in force."""
        found = []
        for version in self.chart.waivers:
            clause = version.clause
            assert isinstance(clause, Waiver), "the chart holds waivers here"
            if not self.in_force(version):
                continue
            revoked = Comparison(clause.revoked_fact or f"revoked/{version.ref}")
            if not clause.irrevocable and revoked.first(self.world, self.horizon) is not None:
                continue
            found.append(version)
        return found

    def fired(self) -> list[tuple[Version, Fired]]:
        """Triggers that have fired (and, where they last only so long, still hold), in order of time."""
        return self._fired

    def _signed(self, version: Version) -> bool:
        signed = version.home.signed_on
        return signed is None or self.horizon.reached(signed)

    # -- what triggers did ----------------------------------------------------------------------------------

    def _fire_all(self) -> dict[str, list[_Hit]]:
        fired = [
            (version, found)
            for version in self.chart.triggers
            if (found := self.firing.firing(version)) is not None
        ]
        fired.sort(key=lambda pair: pair[1].at)
        self._fired: list[tuple[Version, Fired]] = []
        hits: dict[str, list[_Hit]] = {}
        for version, found in fired:
            clause = version.clause
            assert isinstance(clause, Trigger), "the chart holds triggers here"
            if clause.lasts == "while_true" and not self.firing.holding(version):
                continue
            if any(hit.kind is not Start and hit.fired.at <= found.at for hit in hits.get(version.ref, ())):
                continue
            self._fired.append((version, found))
            for effect in clause.effects:
                if isinstance(effect, Suspend | End | Start):
                    for name in effect.clauses:
                        ref = absolute(name, version.home.id)
                        hits.setdefault(ref, []).append(_Hit(type(effect), version, found))
        return hits

    def _hit(self, version: Version, kind: type) -> _Hit | None:
        """What a trigger did to this very wording."""
        for hit in self._hits.get(version.ref, ()):
            if hit.kind is kind and (kind is Start or version.added <= hit.fired.at < version.removed):
                return hit
        return None

    # -- why not ----------------------------------------------------------------------------------------------

    def _ended(self, version: Version) -> Standing | None:
        if self.horizon.reached(version.removed):
            says = f"{version.removed_by} removed it on {day(version.removed)}"
            return Standing("ended", says, rule=version.rule)
        hit = self._hit(version, End)
        if hit is not None:
            return Standing("ended", f"{hit.by.ref} ended it on {day(hit.fired.at)}", _named(hit.fired.facts))
        clause, home = version.clause, version.home.id
        own = None if clause.until is None else self.firing.resolve(clause.until, home)
        if clause.until is not None and own is not None and self.horizon.reached(own):
            why = "" if isinstance(clause.until, str) else f" ({moment_says(clause.until)})"
            says = f"it ended on {day(own)}{why}"
            return Standing("ended", says, self._facts_of(version))
        return self._ended_with_home(version)

    def _ended_with_home(self, version: Version) -> Standing | None:
        home = version.home.id
        span = self.firing.span(home)
        part = self._ended_in_part.get(version.ref)
        if part is not None and self.horizon.reached(part[1].at):
            says = f"{part[0].ref} terminated it on {day(part[1].at)}"
            return Standing("ended", says, _named(part[1].facts))
        if isinstance(version.clause, Survival):
            return None
        if span.terminated is not None and self.horizon.reached(span.terminated):
            kept = self._survives(version, span.terminated)
            if kept is None or self.horizon.reached(kept):
                says = f"{home} was terminated on {day(span.terminated)} under {span.terminated_by}"
                return Standing("ended", says, _named(span.facts))
        if version.clause.until is None and span.expires is not None and self.horizon.reached(span.expires):
            kept = self._survives(version, span.expires)
            if kept is None or self.horizon.reached(kept):
                return Standing("ended", f"{home} ended on {day(span.expires)}")
        return None

    def _survives(self, version: Version, end: Instant | None) -> Instant | None:
        """Until when a wording outlives the agreement's end; None: it does not."""
        if end is None:
            return None
        for survival in self.chart.survivals.get(version.home.id, ()):
            clause = survival.clause
            assert isinstance(clause, Survival), "the chart holds survivals here"
            names = {absolute(name, survival.home.id) for name in clause.clauses}
            if version.ref in names and self.firing.current(survival):
                return FOREVER if clause.lasts is None else end.plus(clause.lasts)
        return None

    def _partial_ends(self) -> dict[str, tuple[Version, Fired]]:
        found: dict[str, tuple[Version, Fired]] = {}
        for versions in self.chart.terminations.values():
            for version in versions:
                clause = version.clause
                assert isinstance(clause, Termination), "the chart holds terminations here"
                if clause.ends != "tranche":
                    continue
                ended = self.firing.terminated(version)
                if ended is not None:
                    for name in clause.clauses:
                        found[absolute(name, version.home.id)] = (version, ended)
        return found

    def _pending(self, version: Version) -> Standing | None:
        clause, home = version.clause, version.home.id
        begins = self.firing.span(home).start
        if not self.horizon.reached(begins):
            return Standing("pending", f"{home} begins on {day(begins)}")
        if clause.from_ is not None:
            own = self.firing.resolve(clause.from_, home)
            if own is None or not self.horizon.reached(own):
                says = f"it begins {_from(moment_says(clause.from_))}"
                return Standing("pending", says, needs=_facts_in(clause.from_))
        waits = self._waits(version)
        if waits is not None:
            return waits
        starters = [item for item in self.chart.starters.get(version.ref, ()) if self.firing.current(item)]
        if starters and self._hit(version, Start) is None:
            return Standing("pending", f"{starters[0].ref} starts it and has not fired")
        return None

    def _waits(self, version: Version) -> Standing | None:
        """An unfulfilled condition precedent."""
        for name in many(version.clause.requires):
            ref = absolute(name, version.home.id)
            if not any(self.firing.added(item) for item in self.chart.by_ref.get(ref, ())):
                return Standing("pending", f"it waits for {ref}, which is nowhere defined")
        for item in self.awaited(version):
            if self.met(item) is None:
                return self._unmet(item)
        return None

    def _unmet(self, condition: Version) -> Standing:
        clause = condition.clause
        when = getattr(clause, "when", ())
        says = f"it waits for {condition.ref}: {' and '.join(part.says() for part in when)}"
        stop = None if clause.until is None else self.firing.resolve(clause.until, condition.home.id)
        if stop is not None and isinstance(clause, ConditionPrecedent):
            if self.horizon.reached(stop):
                late = f"{condition.ref} was not fulfilled before its long-stop date, {day(stop)}"
                return Standing("pending", late, would_change="The parties agree anew")
            says += f", before {day(stop)}"
        return Standing("pending", says, needs=tuple(part.fact for part in when))

    def _resting(self, version: Version) -> Standing | None:
        clause = version.clause
        if clause.status == "suspended":
            return Standing("suspended", "it is marked as suspended")
        hit = self._hit(version, Suspend)
        if hit is not None:
            says = f"{hit.by.ref} suspended it from {day(hit.fired.at)}"
            return Standing("suspended", says, _named(hit.fired.facts), would_change="The parties agree anew")
        resting = clause.suspended_by
        if isinstance(clause, FirstRefusal):
            # A holder in uncured default keeps the right, and cannot use it.
            resting = (*resting, Comparison(f"in_default/{version.party('holder', 'supplier')}"))
        for comparison in resting:
            if comparison.holds(self.world, self.horizon):
                fact = self.world.latest(comparison.fact, self.horizon, comparison.verifier)
                says = f"it rests while {comparison.says()}"
                return Standing("suspended", says, () if fact is None else (str(fact),))
        return None

    def _facts_of(self, version: Version) -> tuple[str, ...]:
        """Facts behind the end of a wording, where facts ended it."""
        used: list[str] = []
        for when in moments_in(version.clause.until):
            if when.trigger:
                fired = self.firing.fired(absolute(when.trigger, version.home.id))
                used.extend(_named(fired.facts) if fired is not None else ())
            elif when.fact:
                fact = when.comparison().first(self.world, self.horizon)
                used.extend((str(fact),) if fact is not None else ())
        return tuple(used)


def _named(facts: tuple[WorldFact, ...]) -> tuple[str, ...]:
    return tuple(str(fact) for fact in facts)


def _facts_in(moment: object) -> tuple[str, ...]:
    """Facts a date waits for."""
    return tuple(when.fact for when in moments_in(moment) if when.fact)  # type: ignore[arg-type]


def _from(text: str) -> str:
    return text if text.startswith("when") else f"on {text}"
