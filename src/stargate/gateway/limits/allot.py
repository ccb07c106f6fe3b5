"""Who of the workers may spend how much of a limit: slices, so that no request has to ask anybody but its own worker.

What was given is taken to be used until it is given back, so that all workers together never pass a limit. Slices
shrink with what is left, down to single requests, so that little lies idle at one worker while another refuses.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from stargate.gateway.limits.pot import KINDS, SLICE_US, Kind, Pot, Sum, Window
from stargate.gateway.record import Application

SHARE = 8
"""Of what is left a worker is given, beyond what it needs now, at most this part divided by the number of workers."""


class Wish(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A worker needs so much of a limit at once, and would use `ahead` more soon."""

    application: str
    kind: Kind
    count: int
    """In the limit's own unit: requests, tokens, or micro-USD."""
    ahead: int = 0


class Slice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What it is given: at least what it needs, or nothing."""

    count: int
    given_us: int
    until_us: int
    """From here on it may no longer be spent and is given back."""
    more_us: int = 0
    """Where nothing is given: when it may be, if nobody gives back before; 0: not known."""


class Returned(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Part of a slice that was not used; below zero: so much more was used than was given."""

    application: str
    kind: Kind
    count: int
    given_us: int


class Allotment:
    """All limits of all applications, for one host."""

    def __init__(self) -> None:
        self._pots: dict[tuple[str, Kind], Pot] = {}
        self._held: dict[str, dict[tuple[str, Kind], int]] = {}
        """What each worker holds of sums, to be taken back when it dies."""
        self._shown: dict[str, Application] = {}

    def update(self, applications: Iterable[Application], money: dict[str, int]) -> None:
        """New routes, and how much of the month's budget this host may spend in all, by application."""
        self._shown = {each.id: each for each in applications}
        for each in self._shown.values():
            for kind in KINDS:
                limit = money.get(each.id, 0) if kind == "money" else limit_of(each, kind)
                pot = self._pots.get((each.id, kind))
                if pot is not None:
                    pot.limit = limit
        for name in [key for key in self._pots if key[0] not in self._shown]:
            del self._pots[name]
        self._money = money

    def give(self, worker: str, wish: Wish, at_us: int) -> Slice:
        """A slice for a worker."""
        pot = self._pot(wish.application, wish.kind)
        if pot is None:
            return Slice(0, at_us, at_us)
        left = pot.left(at_us)
        amount = min(wish.count, pot.limit)
        if amount > left or not pot.limit:
            return Slice(0, at_us, at_us, pot.more_us(amount, at_us) or 0)
        workers = max(1, len(self._held))
        amount += max(0, min(wish.ahead, (left - amount) // (SHARE * workers)))
        pot.take(amount, at_us)
        if isinstance(pot, Sum):
            held = self._held.setdefault(worker, {})
            key = (wish.application, wish.kind)
            held[key] = held.get(key, 0) + amount
        else:
            self._held.setdefault(worker, {})
        return Slice(amount, at_us, at_us + SLICE_US)

    def take_back(self, worker: str, returned: Returned) -> None:
        """What a worker did not use, or used beyond."""
        pot = self._pot(returned.application, returned.kind)
        if pot is None:
            return
        pot.put_back(returned.count, returned.given_us)
        if isinstance(pot, Sum):
            held = self._held.setdefault(worker, {})
            key = (returned.application, returned.kind)
            held[key] = held.get(key, 0) - returned.count

    def forget(self, worker: str) -> None:
        """A worker died: the requests that it had open are over.

        Money that it held counts as spent until the ledger says what of it was.
        """
        for (application, kind), amount in self._held.pop(worker, {}).items():
            pot = self._pot(application, kind) if kind == "slots" else None
            if pot is not None:
                pot.put_back(amount, 0)

    def _pot(self, application: str, kind: Kind) -> Pot | None:
        pot = self._pots.get((application, kind))
        if pot is None:
            known = self._shown.get(application)
            if known is None:
                return None
            limit = self._money.get(application, 0) if kind == "money" else limit_of(known, kind)
            pot = Sum(limit) if kind in ("slots", "money") else Window(limit)
            self._pots[application, kind] = pot
        return pot


def limit_of(application: Application, kind: Kind) -> int:
    """What a key is bound to; 0: no bound."""
    return limits_of(application)[KINDS.index(kind)]


def limits_of(application: Application) -> tuple[int, int, int, int]:
    """What a key is bound to, in the order of KINDS."""
    scope = application.scope
    return (
        scope.requests_per_minute,
        scope.tokens_per_minute,
        scope.concurrent_requests,
        scope.budget_micro_usd,
    )
