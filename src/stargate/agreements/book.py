"""The agreements, compiled once and indexed, and what of them is in force at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import is_

from stargate.agreements.agreement import Agreement
from stargate.agreements.clause import Residency
from stargate.agreements.decision import Decision
from stargate.agreements.firing import Chart, absolute
from stargate.agreements.horizon import Horizon
from stargate.agreements.judge import Live, Question, Rule
from stargate.agreements.judge.residency import PLACES_KEPT, unsatisfied
from stargate.agreements.present import Present, Standing
from stargate.agreements.right import Calendar
from stargate.agreements.rules import fields_looked_at, precedence_of, rules_of
from stargate.agreements.scope import Matcher, compiled
from stargate.agreements.version import Chain, Version
from stargate.agreements.world import World, WorldFact
from stargate.base.time import FOREVER, Instant

UTC_CALENDAR = Calendar(name="UTC")
"""Where a clause names no calendar: UTC, weekends off, no holidays."""
VIEWS_KEPT = 16
"""Views of different instants that a book remembers."""


NAMING = frozenset({"exercise", "cancel", "modify", "terminate"})
"""Actions on a clause or agreement that the request names: the clause's scope has no say in who is meant."""


Entry = tuple[str, Matcher | None, Live]
"""The party it binds (empty: all), the scope that is left to test, the rule."""


class Shelf:
    """Rules for one action, found by the attribute values they insist on."""

    __slots__ = ("_by_place", "_keyed", "_others", "_places")

    def __init__(self, lives: Sequence[Live], action: str) -> None:
        others: list[Entry] = []
        keyed: dict[str, dict[str, list[Entry]]] = {}
        self._places: list[Entry] = []
        """Residencies that speak of everything: of these only those count that the place does not satisfy."""
        self._by_place: dict[str, tuple[Entry, ...]] = {}
        for live in lives:
            rule = live.rule
            entry: Entry = (rule.bound, None if action in NAMING else rule.matcher, live)
            if isinstance(live.clause, Residency) and live.plain and rule.matcher is None:
                self._places.append(entry)
            elif rule.key is None or action in NAMING:
                others.append(entry)
            else:
                field, values = rule.key
                for value in dict.fromkeys(values):
                    keyed.setdefault(field, {}).setdefault(value, []).append(entry)
        self._others = tuple(others)
        self._keyed = tuple(keyed.items())

    def covering(self, question: Question) -> list[Live]:
        """The rules whose scope and party the question meets."""
        attributes, party = question.attributes, question.party
        entries: list[Entry] = []
        for field, by_value in self._keyed:
            value = attributes.get(field)
            if type(value) is str:
                entries.extend(by_value.get(value, ()))
            elif value is not None:
                values = value if isinstance(value, tuple | list) else (value,)
                several = {id(entry): entry for part in values for entry in by_value.get(part, ())}
                entries.extend(several.values())
        entries.extend(self._others)
        if self._places:
            entries.extend(self._unsatisfied(question))
        return [
            live
            for bound, matcher, live in entries
            if (not bound or not party or bound == party) and (matcher is None or matcher(attributes))
        ]

    def _unsatisfied(self, question: Question) -> tuple[Entry, ...]:
        """Residencies that have something to say of the question's place."""
        found = self._by_place.get(question.place)
        if found is None:
            found = tuple(entry for entry in self._places if unsatisfied(entry[2].clause, question.place))
            if len(self._by_place) < PLACES_KEPT:
                self._by_place[question.place] = found
        return found


EMPTY = Shelf((), "")


class View:
    """What is in force over a span of time in which nothing that was looked at changes."""

    def __init__(self, book: Book, world: World, horizon: Horizon) -> None:
        self.world = world
        self.horizon = horizon
        self.present = Present(book.chart, world, horizon)
        self.answers: dict[tuple[object, ...], tuple[Instant, Instant, Decision]] = {}
        """What was answered here: from when, until when, what."""
        self.soonest = FOREVER
        """No answer given here ends before this."""
        self._waivers = self._waivers_by_clause()
        lives: dict[str, list[Live]] = {}
        dormant: dict[str, list[Live]] = {}
        self._standings: dict[int, Standing] = {}
        for rule in book.rules:
            standing = self.present.standing(rule.version)
            if standing is None or self.present.replaced(rule.version):
                continue
            live = self._live(rule)
            if standing.effect is not None:
                self._standings[id(live)] = standing
            for action in rule.reach:
                (lives if standing.effect is None else dormant).setdefault(action, []).append(live)
        self._lives = {action: Shelf(found, action) for action, found in lives.items()}
        self._dormant = {action: Shelf(found, action) for action, found in dormant.items()}

    def until(self, at: Instant) -> Instant:
        """The next date at which what was answered here may change, seen from `at`; FOREVER: none is known."""
        if self.soonest <= at:
            self.soonest = min(
                (until for _, until, _ in self.answers.values() if until > at), default=FOREVER
            )
        return min(self.horizon.before, self.soonest)

    def covering(self, question: Question) -> list[Live]:
        """Rules in force that the question meets."""
        return self._lives.get(question.action, EMPTY).covering(question)

    def dormant(self, question: Question) -> list[tuple[Live, Standing]]:
        """Rules that the question meets and that are no longer, or not yet, in force; and why."""
        found = self._dormant.get(question.action, EMPTY).covering(question)
        return [(live, self._standings[id(live)]) for live in found]

    def _live(self, rule: Rule) -> Live:
        home = rule.version.home.id
        return Live(
            rule,
            until=self.present.until(rule.version),
            carve_outs=tuple(
                (carve, matcher)
                for carve, matcher in rule.carve_outs
                if self._has_come(carve.from_, home, default=True)
                and not self._has_come(carve.until, home, default=False)
            ),
            waivers=tuple(self._waivers.get(rule.version.ref, ())),
        )

    def _has_come(self, moment: object, home: str, *, default: bool) -> bool:
        if moment is None:
            return default
        instant = self.present.firing.resolve(moment, home)  # type: ignore[arg-type]
        return instant is not None and self.horizon.reached(instant)

    def _waivers_by_clause(self) -> dict[str, list[tuple[Version, Matcher | None]]]:
        found: dict[str, list[tuple[Version, Matcher | None]]] = {}
        for version in self.present.waivers():
            for name in getattr(version.clause, "clauses", ()):
                found.setdefault(absolute(name, version.home.id), []).append(
                    (version, compiled(version.clause.scope))
                )
        return found


class Book:
    """Agreements ready to be asked. Immutable as seen from outside; it remembers recent views."""

    def __init__(self, agreements: Sequence[Agreement]) -> None:
        self.agreements = tuple(agreements)
        self.chain = Chain(self.agreements)
        self.chart = Chart(self.chain.versions)
        self.precedence = precedence_of(self.chain.versions)
        self.rules = tuple(rules_of(self.chain.versions, self.precedence))
        self.fields = fields_looked_at(self.chain.versions)
        """Attributes any clause looks at: requests that agree in these get the same answer."""
        self.answer_fields = tuple(sorted(self.fields | {"provider", "provider_party"}))
        self._calendars = {
            calendar.name: calendar for agreement in self.agreements for calendar in agreement.calendars
        }
        self._world = World(())
        self._given: Sequence[WorldFact] = ()
        self._views: list[View] = []

    @classmethod
    def compile(cls, agreements: Iterable[Agreement]) -> Book:
        """A book of these agreements. Faults of amendments are what `lint` is for; they have no effect here."""
        return cls(tuple(agreements))

    def calendar(self, version: Version, name: str) -> Calendar:
        """A calendar by the name a clause uses: the agreement's own first, then any agreement's."""
        own = next((item for item in version.home.calendars if item.name == name), None)
        return own or self._calendars.get(name) or UTC_CALENDAR

    def world(self, facts: Sequence[WorldFact]) -> World:
        """The facts indexed; the last ones are remembered. A list that is handed in again may only have grown."""
        kept = self._world.facts
        count = len(facts)
        if facts is self._given and count == len(kept) and (not count or facts[-1] is kept[-1]):
            return self._world
        if not (count == len(kept) and all(map(is_, facts, kept))):
            self._world = World(facts)
            self._views.clear()
        self._given = facts
        return self._world

    def view(self, facts: Sequence[WorldFact], at: Instant) -> View:
        """What is in force at an instant, with what is known by then."""
        world = self.world(facts)
        for index, view in enumerate(self._views):
            if view.horizon.covers(at):
                if index:
                    self._views.insert(0, self._views.pop(index))
                return view
        view = View(self, world, Horizon(at))
        self._views.insert(0, view)
        del self._views[VIEWS_KEPT:]
        return view

    def present(self, facts: Sequence[WorldFact], at: Instant, known_at: Instant | None = None) -> Present:
        """The same without rules, and with what was known at another time."""
        if known_at is None:
            return self.view(facts, at).present
        return Present(self.chart, self.world(facts), Horizon(at, known_at))
