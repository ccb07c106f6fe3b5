"""Promises that contradict each other, and exceptions that can never speak: found when they are signed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stargate.agreements.clause import (
    CarveOut,
    Commitment,
    Entitlement,
    ExclusiveServing,
    FirstRefusal,
    Price,
    RevenueShare,
    many,
)
from stargate.agreements.firing import absolute
from stargate.agreements.horizon import EVER
from stargate.agreements.judge import BENCHES
from stargate.agreements.lint.dates import fixed, term_of
from stargate.agreements.rules import bound_party, full_scope
from stargate.agreements.scope import Filter, Scope, within
from stargate.agreements.version import Version
from stargate.base.errors import Problem
from stargate.base.time import FOREVER, Instant

_RECKONED = {Price, Commitment, RevenueShare}
"""Kinds of which an exception of the same kind takes use away."""


def disjoint(one: Scope, other: Scope) -> bool:
    """Whether it is certain that nothing matches both: they ask the same attribute for different values."""
    return any(_apart(a, b) for a in one for b in other)


def _apart(a: Filter, b: Filter) -> bool:
    if a.any_of:
        return all(_apart(part, b) for part in a.any_of)
    if b.any_of:
        return all(_apart(a, part) for part in b.any_of)
    if a.field != b.field:
        return False
    kinds = {a.operator, b.operator}
    equal = {"In", "Equals"}
    if kinds <= equal:
        return not set(a.values) & set(b.values)
    if "NotExists" in kinds:
        return len(kinds) > 1
    if kinds == {"Within"}:
        return not any(within(str(p), str(q)) or within(str(q), str(p)) for p in a.values for q in b.values)
    one, two = (a, b) if a.operator in equal else (b, a)
    if one.operator in equal and two.operator in ("NotIn", "NotEquals"):
        return set(one.values) <= set(two.values)
    if one.operator in equal and two.operator == "Within":
        return not any(within(str(place), str(area)) for place in one.values for area in two.values)
    return False


def implies(narrow: Scope, wide: Scope) -> bool:
    """Whether everything that matches `narrow` is certain to match `wide`."""
    return all(any(_inside(part, item) for part in narrow) for item in wide)


def _inside(narrow: Filter, wide: Filter) -> bool:
    if narrow == wide:
        return True
    equal = {"In", "Equals"}
    same = narrow.field == wide.field and not narrow.any_of and not wide.any_of
    return (
        same
        and narrow.operator in equal
        and wide.operator in equal
        and set(narrow.values) <= set(wide.values)
    )


def life(version: Version) -> tuple[Instant, Instant]:
    """The longest span in which a wording may be in force, by plain dates."""
    start, end = term_of(version.home)
    own_end = fixed(version.clause.until, FOREVER)
    last = min(own_end, version.removed) if version.clause.until is not None else min(end, version.removed)
    return max(start, version.added, fixed(version.clause.from_, EVER)), last


def contradictions(versions: Sequence[Version]) -> Iterator[Problem]:
    """Exclusives to different holders, first refusals of one rank, and both kinds against each other."""
    kinds = (ExclusiveServing, FirstRefusal, Entitlement)
    asked = [version for version in versions if isinstance(version.clause, kinds)]
    for index, one in enumerate(asked):
        for other in asked[index + 1 :]:
            says = _contradict(one, other)
            if says and _meet(one, other):
                yield Problem(
                    f"{one.ref} and {other.ref}: {says}",
                    "Give one a rank or priority above the other, make it an exception_to, or narrow a scope.",
                    path=f"{other.paper}.{other.path}",
                )


def _contradict(one: Version, other: Version) -> str:
    """Why both cannot have their way; empty: they can."""
    a, b = one.clause, other.clause
    holders = (one.party("holder", "supplier"), other.party("holder", "supplier"))
    if holders[0] == holders[1] or a.priority != b.priority:
        return ""
    if isinstance(a, ExclusiveServing) and isinstance(b, ExclusiveServing):
        both = ", ".join(sorted(set(a.actions) & set(b.actions)))
        return f"both are exclusive, to {holders[0]} and to {holders[1]} ({both})" if both else ""
    if isinstance(a, FirstRefusal) and isinstance(b, FirstRefusal):
        together = a.sharing == b.sharing == "pro_rata"
        if a.rank == b.rank and not together:
            return f"{holders[0]} and {holders[1]} must both be asked first (rank {a.rank}), and do not share pro rata"
        return ""
    if isinstance(a, Entitlement) and isinstance(b, Entitlement):
        both = ", ".join(sorted(set(a.rights) & set(b.rights)))
        exclusive = a.exclusive or b.exclusive
        return (
            f"{holders[0]} and {holders[1]} both hold an exclusive right ({both})"
            if both and exclusive
            else ""
        )
    exclusive_one = a if isinstance(a, ExclusiveServing) else b
    if isinstance(exclusive_one, ExclusiveServing) and "source" in exclusive_one.actions:
        return "capacity is exclusive to one holder, and another must be asked first"
    return ""


def charged_twice(versions: Sequence[Version]) -> Iterator[Problem]:
    """Two prices of one agreement for the same use: both would be charged."""
    prices = [version for version in versions if isinstance(version.clause, Price)]
    for index, one in enumerate(prices):
        for other in prices[index + 1 :]:
            if one.home is other.home and _same_use(one, other) and _meet(one, other):
                yield Problem(
                    f"{one.ref} and {other.ref}: both are prices of the same use, which would be charged twice",
                    "Narrow a scope, set dates apart, or make one an exception_to the other.",
                    path=f"{other.paper}.{other.path}",
                )


def _same_use(one: Version, other: Version) -> bool:
    a, b = one.clause, other.clause
    assert isinstance(a, Price) and isinstance(b, Price), "asked of prices only"  # noqa: PT018
    pays = [
        (version.party("payer", "customer"), version.party("payee", "supplier")) for version in (one, other)
    ]
    return pays[0] == pays[1] and (a.metric or a.unit) == (b.metric or b.unit)


def _meet(one: Version, other: Version) -> bool:
    """Whether some request at some time may be within both."""
    a, b = life(one), life(other)
    if max(a[0], b[0]) >= min(a[1], b[1]):
        return False
    parties = {bound_party(one), bound_party(other)} - {""}
    if len(parties) > 1:
        return False
    if other.ref in _targets(one) or one.ref in _targets(other) or one.ref == other.ref:
        return False
    scopes = full_scope(one), full_scope(other)
    if disjoint(*scopes):
        return False
    return not _carved(one, scopes[1]) and not _carved(other, scopes[0])


def _carved(version: Version, scope: Scope) -> bool:
    """Whether an exception takes everything within `scope` out of the clause."""
    return any(implies(scope, carve.scope) for carve in version.clause.exceptions)


def _targets(version: Version) -> set[str]:
    return {absolute(name, version.home.id) for name in many(version.clause.exception_to)}


def dead_exceptions(versions: Sequence[Version]) -> Iterator[Problem]:
    """Exceptions whose base they can never meet."""
    by_ref: dict[str, list[Version]] = {}
    for version in versions:
        by_ref.setdefault(version.ref, []).append(version)
    for version in versions:
        for index, carve in enumerate(version.clause.exceptions):
            why = _dead_carve_out(version, carve)
            if why:
                yield Problem(
                    f"{version.ref}: the exception {carve.id} is never reached: {why}",
                    "Correct it, or leave it out.",
                    path=f"{version.paper}.{version.path}.exceptions[{index}]",
                )
        for ref in sorted(_targets(version)):
            bases = by_ref.get(ref, [])
            why = _dead_exception(version, bases) if bases else ""
            if why:
                yield Problem(
                    f"{version.ref}: as an exception to {ref} it is never reached: {why}",
                    "Correct its scope or dates, or leave exception_to out.",
                    path=f"{version.paper}.{version.path}.exception_to",
                )


def _dead_carve_out(version: Version, carve: CarveOut) -> str:
    start, end = life(version)
    if max(start, fixed(carve.from_, EVER)) >= min(end, fixed(carve.until, FOREVER)):
        return "the clause is not in force in its time"
    if disjoint(carve.scope, full_scope(version)):
        return "the clause does not reach what it excepts"
    return ""


def _dead_exception(version: Version, bases: Sequence[Version]) -> str:
    own = life(version)
    spans = [life(base) for base in bases]
    if all(max(own[0], span[0]) >= min(own[1], span[1]) for span in spans):
        return "they are never in force together"
    if all(disjoint(full_scope(version), full_scope(base)) for base in bases):
        return "their scopes have nothing in common"
    kinds = {type(base.clause) for base in bases}
    if not kinds & {*BENCHES} and not (kinds & _RECKONED and type(version.clause) in kinds):
        return "that clause decides no requests"
    return ""
