"""Clauses made ready to be asked: which requests each is about, whom it binds, what it is an exception to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stargate.agreements.clause import Clause, Term, Waiver, many
from stargate.agreements.firing import absolute
from stargate.agreements.judge import BENCHES, NOTHING, Live, Question, Rule, Verdict
from stargate.agreements.judge.rule import blanks
from stargate.agreements.scope import Filter, Scope, compiled, fields_of
from stargate.agreements.version import Version
from stargate.base.ids import clause_id

_DEFAULTS = {"grantor": "customer"}


class Precedence(NamedTuple):
    """Which clauses are silent where which others speak."""

    targets: dict[int, frozenset[str]]
    """By `id` of a version: what it silences, as an exception, an order form or a master that precedes."""
    silencers: dict[str, list[Version]]
    """The same the other way round: who silences a clause, by its ref."""
    orders: frozenset[int]
    """Versions of order forms that precede their master's: they speak only for what is held under the order."""


def precedence_of(versions: Sequence[Version]) -> Precedence:
    """Exceptions as they say, and order forms over their masters (or under them, where the order's term says so)."""
    orders, masters = _precedence(versions)
    targets = {
        id(version): frozenset(
            {absolute(name, version.home.id) for name in many(version.clause.exception_to)}
            | ({clause_id(version.home.master, version.clause.id)} if version in orders else set())
            | masters.get(version.ref, set())
        )
        for version in versions
    }
    silencers: dict[str, list[Version]] = {}
    for version in versions:
        for ref in targets[id(version)]:
            silencers.setdefault(ref, []).append(version)
    return Precedence(targets, silencers, frozenset(id(version) for version in orders))


def rules_of(versions: Sequence[Version], precedence: Precedence) -> list[Rule]:
    """A rule for each wording that decides requests, by itself or as an exception to one that does."""
    targets = precedence.targets
    own = {id(version): _own_actions(version) for version in versions}
    reach = _reach(versions, own, targets)
    found = []
    for version in versions:
        named = targets[id(version)]
        inherited = frozenset(action for ref in named for action in reach.get(ref, ()))
        if own[id(version)] or inherited:
            found.append(
                _rule(
                    version,
                    own[id(version)],
                    inherited,
                    named,
                    versions,
                    in_order=id(version) in precedence.orders,
                )
            )
    return found


def _reach(
    versions: Sequence[Version], own: dict[int, frozenset[str]], targets: dict[int, frozenset[str]]
) -> dict[str, set[str]]:
    """The actions each clause has a say in: its own, and those of what it is an exception to, at any remove."""
    reach: dict[str, set[str]] = {}
    for version in versions:
        reach.setdefault(version.ref, set()).update(own[id(version)])
    grown = True
    while grown:
        grown = False
        for version in versions:
            more = {action for ref in targets[id(version)] for action in reach.get(ref, ())} - reach[
                version.ref
            ]
            if more:
                reach[version.ref] |= more
                grown = True
    return reach


def fields_looked_at(versions: Sequence[Version]) -> frozenset[str]:
    """Every attribute of a request that some clause, exception or waiver may look at."""
    fields: set[str] = set()
    for version in versions:
        clause = version.clause
        bench = BENCHES.get(type(clause))
        if bench is None and not isinstance(clause, Waiver) and not clause.exception_to:
            continue
        fields |= fields_of(clause.scope)
        for carve in clause.exceptions:
            fields |= fields_of(carve.scope)
        if bench is not None:
            fields |= bench.looks_at
            fields.update(_named_in_facts(clause))
            if bench.narrows[0] and getattr(clause, bench.narrows[0]):
                fields.add(bench.narrows[1])
        if isinstance(clause, Waiver) and clause.needs:
            fields.add("need")
        if version.home.master:
            fields.add("agreement")
    return frozenset(fields)


def _named_in_facts(clause: Clause) -> Iterator[str]:
    """Attributes that names of facts are made of, as in `shipped/{product}/{holder}`."""
    templates = [
        getattr(clause, name, "") for name in ("shipped_fact", "cannot_fact", "declines_fact", "share_fact")
    ]
    failover = getattr(clause, "failover", None)
    if failover is not None:
        templates.append(failover.fact)
    for template in templates:
        yield from (name for name in blanks(template) if name not in ("holder", "clause"))


def full_scope(version: Version) -> Scope:
    """The scope with what other fields say of it: `products: [api]` is a filter too."""
    clause = version.clause
    bench = BENCHES.get(type(clause))
    if bench is None or not bench.narrows[0]:
        return clause.scope
    values = getattr(clause, bench.narrows[0])
    return (Filter(bench.narrows[1], "In", values), *clause.scope) if values else clause.scope


def bound_party(version: Version) -> str:
    """The party whose requests the clause is about; empty: everybody's."""
    bench = BENCHES.get(type(version.clause))
    if bench is None or not bench.bound:
        return ""
    return version.party(bench.bound, _DEFAULTS[bench.bound])


def _own_actions(version: Version) -> frozenset[str]:
    bench = BENCHES.get(type(version.clause))
    return NOTHING if bench is None else bench.actions(version.clause)


def _precedence(versions: Sequence[Version]) -> tuple[list[Version], dict[str, set[str]]]:
    """Order forms and masters that have a clause of the same id: who speaks.

    Gives the clauses of orders that precede their master's, and for masters that precede (the order's term
    says so) the clauses of orders that each of theirs silences.
    """
    yielding = {
        version.home.id
        for version in versions
        if isinstance(version.clause, Term) and version.clause.precedence == "master"
    }
    refs = {version.ref for version in versions}
    orders: list[Version] = []
    masters: dict[str, set[str]] = {}
    for version in versions:
        above = clause_id(version.home.master, version.clause.id)
        if not version.home.master or above not in refs:
            continue
        if version.home.id in yielding:
            masters.setdefault(above, set()).add(version.ref)
        else:
            orders.append(version)
    return orders, masters


def _rule(
    version: Version,
    own: frozenset[str],
    inherited: frozenset[str],
    targets: frozenset[str],
    versions: Sequence[Version],
    *,
    in_order: bool,
) -> Rule:
    scope = full_scope(version)
    if in_order:
        # An order form speaks for what is held under it, and for nothing else of its master's.
        scope = (*scope, Filter("agreement", "In", (version.home.id,)))
    bench = BENCHES.get(type(version.clause))
    bound = bound_party(version)
    if bench is None and targets:
        bound = next((bound_party(base) for base in versions if base.ref in targets), "")
    carve_outs = tuple((carve, compiled(carve.scope)) for carve in version.clause.exceptions)
    return Rule(
        version=version,
        actions=own,
        reach=own | inherited,
        bound=bound,
        matcher=compiled(scope),
        key=_key(scope),
        judge=_except if bench is None else bench.judge,
        targets=targets,
        carve_outs=carve_outs,
    )


def _key(scope: Scope) -> tuple[str, tuple[str, ...]] | None:
    for item in scope:
        if item.field and item.operator in ("In", "Equals") and all(isinstance(v, str) for v in item.values):
            return item.field, tuple(item.values)
    return None


def _except(live: Live, question: Question) -> Verdict | None:
    """A clause that decides nothing by itself, as an exception to one that does."""
    return live.verdict("excepted", "It is an exception that covers this request")
