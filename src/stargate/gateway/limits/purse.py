"""What a worker may spend of the limits of its keys: its slices, and more asked for when they do not suffice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stargate.base.errors import InternalError
from stargate.gateway.limits.allot import Allotment, Returned, Slice, Wish, limits_of
from stargate.gateway.limits.pot import KINDS, SLICE_US, Kind
from stargate.gateway.record import Application

AHEAD = 2
"""A worker asks for so many times what it last used up: slices grow fast to what suffices until they must go back."""
UNKNOWN = -1
"""The count of a slice where nobody knows what is left of a limit."""
_DATED = ("requests", "tokens", "money")
"""What is given is so of a moment, and goes back to it."""


class NoBankError(InternalError):
    """Nobody says what is left of the limits now."""


class Bank(Protocol):
    """Whoever gives out slices: this process, or the host's steward."""

    async def give(self, wishes: Sequence[Wish]) -> Sequence[Slice]:
        """A slice for each wish. Raises NoBankError where nobody answers."""

    def take_back(self, returned: Sequence[Returned]) -> None:
        """Unused, or used beyond. Must not block."""


class OwnBank:
    """The bank of a host with a single worker: an allotment in the same process."""

    def __init__(self, allotment: Allotment, worker: str, clock_us: Clock) -> None:
        self._allotment = allotment
        self._worker = worker
        self._clock_us = clock_us

    async def give(self, wishes: Sequence[Wish]) -> Sequence[Slice]:
        """See `Bank`."""
        at_us = self._clock_us()
        return [self._allotment.give(self._worker, wish, at_us) for wish in wishes]

    def take_back(self, returned: Sequence[Returned]) -> None:
        """See `Bank`."""
        for each in returned:
            self._allotment.take_back(self._worker, each)


class Clock(Protocol):
    """Microseconds since 1970."""

    def __call__(self) -> int:
        """Now."""


class Ticket(NamedTuple):
    """What a request holds of its key's limits until it is over."""

    application: str
    tokens: int
    tokens_given_us: int
    slot: bool
    micro_usd: int
    money_given_us: int = 0
    """Names, with the key and the host, the lease that the money is of."""


class Short(NamedTuple):
    """The limit that does not allow a request now."""

    kind: Kind
    limit: int
    more_us: int
    """When it may; 0: not known."""


class _Holding:
    __slots__ = ("given_us", "left", "spent", "until_us")

    def __init__(self) -> None:
        self.left = 0
        self.given_us = self.until_us = 0
        self.spent = 0
        """Since it was last filled: about what will be needed in the next slice."""


class Purse:
    """One worker's. All methods belong to its event loop."""

    def __init__(self, bank: Bank, clock_us: Clock) -> None:
        self._bank = bank
        self._clock_us = clock_us
        self._holdings: dict[tuple[str, Kind], _Holding] = {}
        self._back: dict[tuple[str, Kind, int], int] = {}
        """To be given back with the next question, or sweep: how much of what was given when."""

    async def enter(self, application: Application, tokens: int, micro_usd: int) -> Ticket | Short | None:
        """Take what a request needs. None: the key has no limits. Raises NoBankError."""
        limits = limits_of(application)
        needs = [
            (kind, min(limit, amount))
            for kind, amount, limit in zip(KINDS, (1, tokens, 1, micro_usd), limits, strict=True)
            if amount > 0 and limit
        ]
        if not needs:
            return None
        # Others spend while the bank is asked, so it is looked at again; in the end there is more, or none.
        while lacking := self._lacking(application.id, needs):
            self._give_back()
            slices = await self._bank.give(lacking)
            for wish, given in zip(lacking, slices, strict=True):
                if given.count > 0:
                    self._fill(wish, given)
            for wish, given in zip(lacking, slices, strict=True):
                if given.count == UNKNOWN:
                    raise NoBankError(
                        f"what is left of {wish.kind} is not known", "It is asked again at once"
                    )
                if given.count <= 0:
                    return Short(wish.kind, limits[KINDS.index(wish.kind)], given.more_us)
        return self._spend(application.id, needs)

    def leave(self, ticket: Ticket | None, tokens: int, micro_usd: int) -> None:
        """The request is over, and has used so much."""
        if ticket is None:
            return
        name = ticket.application
        if ticket.slot:
            self._keep(name, "slots", 1)
        dated: tuple[tuple[Kind, int, int, int], ...] = (
            ("tokens", ticket.tokens, tokens, ticket.tokens_given_us),
            ("money", ticket.micro_usd, micro_usd, ticket.money_given_us),
        )
        for kind, taken, used, given_us in dated:
            if not taken or taken == used:
                continue
            holding = self._holdings.get((name, kind))
            if holding is not None and taken > used and holding.given_us == given_us:
                holding.left += taken - used
            else:
                self._note(name, kind, taken - used, given_us)

    def sweep(self) -> None:
        """Give back what lies idle. Called every slice."""
        at_us = self._clock_us()
        for key, holding in list(self._holdings.items()):
            if at_us < holding.until_us and holding.left >= 0:
                continue
            if holding.left:
                self._note(*key, holding.left, holding.given_us)
            del self._holdings[key]
        self._give_back()

    def _note(self, name: str, kind: Kind, amount: int, given_us: int) -> None:
        key = (name, kind, given_us)
        self._back[key] = self._back.get(key, 0) + amount

    def _give_back(self) -> None:
        if self._back:
            back, self._back = self._back, {}
            self._bank.take_back(
                [Returned(name, kind, amount, given_us) for (name, kind, given_us), amount in back.items()]
            )

    def _lacking(self, name: str, needs: list[tuple[Kind, int]]) -> list[Wish]:
        """What must be asked for. Of what is dated, what is left goes back first: it counts at another time."""
        at_us = self._clock_us()
        found: list[Wish] = []
        for kind, needed in needs:
            holding = self._holdings.get((name, kind))
            if holding is None:
                found.append(Wish(name, kind, needed))
                continue
            dated = kind in _DATED
            if holding.left >= needed and not (dated and at_us >= holding.until_us):
                continue
            if dated and holding.left:
                self._note(name, kind, holding.left, holding.given_us)
                holding.left = 0
            found.append(Wish(name, kind, needed - holding.left, holding.spent * AHEAD))
        return found

    def _fill(self, wish: Wish, given: Slice) -> None:
        key = (wish.application, wish.kind)
        holding = self._holdings.setdefault(key, _Holding())
        if wish.kind in _DATED and holding.left and holding.given_us != given.given_us:
            self._note(*key, holding.left, holding.given_us)
            holding.left = 0
        holding.left += given.count
        holding.given_us, holding.until_us = given.given_us, given.until_us
        holding.spent = 0

    def _spend(self, name: str, needs: list[tuple[Kind, int]]) -> Ticket:
        tokens = tokens_given_us = money = money_given_us = 0
        slot = False
        for kind, amount in needs:
            holding = self._holdings[name, kind]
            holding.left -= amount
            holding.spent += amount
            if kind == "tokens":
                tokens, tokens_given_us = amount, holding.given_us
            elif kind == "money":
                money, money_given_us = amount, holding.given_us
            elif kind == "slots":
                slot = True
        return Ticket(name, tokens, tokens_given_us, slot, money, money_given_us)

    def _keep(self, name: str, kind: Kind, amount: int) -> None:
        """A sum comes back into the hand, for the next request or the next sweep."""
        holding = self._holdings.setdefault((name, kind), _Holding())
        holding.left += amount
        holding.until_us = max(holding.until_us, self._clock_us() + SLICE_US)
