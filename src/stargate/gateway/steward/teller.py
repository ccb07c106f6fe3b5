"""What a host holds of the limits of its keys, given out to its workers in smaller slices.

Most that is asked for is at hand; the rest is leased from the bank that the host shares with others. When that
bank is away, money is not given out beyond what is at hand, as nobody knows what is left of it. Of the rest a host
gives out its part of each limit, which is the limit divided by the number of hosts that were there last.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from stargate.gateway.limits import Allotment, NoBankError, Returned, Slice, Wish, limit_of
from stargate.gateway.limits.allot import SHARE
from stargate.gateway.limits.pot import SLICE_US, Kind
from stargate.gateway.limits.purse import UNKNOWN
from stargate.gateway.record import Application
from stargate.gateway.steward.branch import Branch, local

IDLE_US = 1_000_000
"""How long requests at a time that nobody uses are kept at hand."""
DRY_US = 100_000
"""How long a refusal holds for others of the same key."""
MINUTE_US = 60_000_000
ROUNDS = 3
"""How often it is asked again where others took what was leased."""
GREET_S = 1.0
"""How long a new teller waits for workers to say what they hold."""
_KINDS_OF_MINUTE: tuple[Kind, ...] = ("requests", "tokens", "slots")
Key = tuple[str, Kind]


class _Dry(NamedTuple):
    """So much was refused."""

    refused_count: int
    until_us: int
    more_us: int


class _Hand:
    __slots__ = ("given_us", "left", "spent", "until_us")

    def __init__(self) -> None:
        self.left = self.given_us = self.until_us = 0
        self.spent = 0
        """Since it was last filled: about what will be needed next."""


class Teller:
    """One host's. All methods belong to its event loop."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._branches: dict[Kind, Branch] = {}
        self._hands: dict[Key, _Hand] = {}
        self._slots: dict[str, dict[str, int]] = {}
        """Requests at a time that each worker holds, by application."""
        self._dry: dict[Key, _Dry] = {}
        self._spared: deque[Returned] = deque()
        """Given without the bank, which hears of it when it is there again."""
        self._reserve = Allotment()
        """What this host may give when the bank is away; it knows what the bank gave."""
        self._shared_by = 0
        self._applications: dict[str, Application] = {}
        self._begun_us = clock_us()

    def open(self, minute: Branch, money: Branch) -> None:
        """Where slices are leased; they may be one."""
        self._branches = dict.fromkeys(_KINDS_OF_MINUTE, minute) | {"money": money}

    def update(self, applications: Iterable[Application]) -> None:
        """New routes."""
        self._applications = {each.id: each for each in applications}
        self._shared_by = 0
        self._share()

    def limit(self, wish: Wish) -> int:
        """See `Limits`."""
        known = self._applications.get(wish.application)
        return 0 if known is None else limit_of(known, wish.kind)

    def slots(self) -> dict[str, int] | None:
        """Requests at a time that this host holds; None: not every worker has said yet what it holds."""
        if self._clock_us() < self._begun_us + int(GREET_S * 1e6):
            return None
        found = {key[0]: hand.left for key, hand in self._hands.items() if key[1] == "slots" and hand.left}
        for held in self._slots.values():
            for application, count in held.items():
                found[application] = found.get(application, 0) + count
        return {application: count for application, count in found.items() if count > 0}

    # -- workers -------------------------------------------------------------------------------------------

    def greet(self, worker: str, slots: dict[str, int]) -> None:
        """A worker is there, and holds requests at a time from a teller before."""
        self._slots[worker] = dict(slots)
        self._mirror([Returned(application, "slots", -count, 0) for application, count in slots.items()])

    async def give(self, worker: str, wishes: Sequence[Wish]) -> list[Slice]:
        """A slice for each wish, of this host's clock; UNKNOWN for money that nobody can give now."""
        refused: dict[Key, Slice] = {}
        for _ in range(ROUNDS):
            lacking = [wish for wish in wishes if not self._covers(wish) and _key(wish) not in refused]
            if not lacking:
                break
            for wish, given in zip(lacking, await asyncio.gather(*map(self._lease, lacking)), strict=True):
                if given is not None:
                    refused[_key(wish)] = given
        return [self._cut(worker, wish, refused.get(_key(wish))) for wish in wishes]

    def take_back(self, worker: str, returned: Sequence[Returned]) -> None:
        """What a worker did not use, or used beyond."""
        for each in returned:
            key = (each.application, each.kind)
            hand = self._hands.get(key)
            self._dry.pop(key, None)
            if each.kind == "slots":
                held = self._slots.setdefault(worker, {})
                held[each.application] = held.get(each.application, 0) - each.count
                self._keep(each.application, each.count)
            elif (
                hand is not None
                and each.count > 0
                and hand.given_us == each.given_us
                and self._clock_us() < hand.until_us
            ):
                hand.left += each.count
            else:
                self._go_back(each)

    def forget(self, worker: str) -> None:
        """A worker died: the requests that it had open are over. Its money comes back when its lease ends."""
        for application, count in self._slots.pop(worker, {}).items():
            self._keep(application, count)

    def beat(self) -> None:
        """What lies idle goes back. Called every half second."""
        at_us = self._clock_us()
        for key, hand in list(self._hands.items()):
            if at_us < hand.until_us and hand.left >= 0:
                continue
            self._let_go(key, hand)
            del self._hands[key]
        self._dry = {key: each for key, each in self._dry.items() if at_us < each.until_us}
        self._share()
        while self._spared and self._spared[0].given_us <= at_us - MINUTE_US:
            self._spared.popleft()
        if self._spared and not self._branches["requests"].away:
            self._branches["requests"].take_back(self._spared)
            self._spared.clear()

    def close(self) -> None:
        """Nothing is given any more: all goes back."""
        for key, hand in self._hands.items():
            self._let_go(key, hand)
        self._hands.clear()

    # -- the hand ------------------------------------------------------------------------------------------

    def _covers(self, wish: Wish) -> bool:
        hand = self._hands.get(_key(wish))
        if hand is None or hand.left < wish.count:
            return False
        return wish.kind == "slots" or self._clock_us() < hand.until_us

    async def _lease(self, wish: Wish) -> Slice | None:
        """Fill the hand. A slice: what is to be said instead, as nothing was given."""
        key, at_us = _key(wish), self._clock_us()
        dry = self._dry.get(key)
        if dry is not None and at_us < dry.until_us and wish.count >= dry.refused_count:
            return Slice(0, at_us, at_us, dry.more_us)
        hand = self._hands.setdefault(key, _Hand())
        if hand.left and wish.kind != "slots":  # it counts at another time
            self._let_go(key, hand)
        try:
            given = local(await self._branches[wish.kind].give(self._asked(wish, hand)), at_us)
        except NoBankError:
            return self._spare(wish)
        if given.count <= 0:
            self._dry[key] = _Dry(wish.count, at_us + DRY_US, given.more_us)
            return Slice(0, at_us, at_us, given.more_us)
        self._fill(key, given, at_us)
        return None

    def _asked(self, wish: Wish, hand: _Hand) -> Wish:
        had = hand.left if wish.kind == "slots" else 0
        return Wish(wish.application, wish.kind, wish.count - had, max(wish.ahead, hand.spent))

    def _fill(self, key: Key, given: Slice, at_us: int) -> None:
        hand = self._hands.setdefault(key, _Hand())
        if key[1] == "slots":
            given = msgspec.structs.replace(given, given_us=0, until_us=at_us + IDLE_US)
        elif hand.left and hand.given_us != given.given_us:
            self._let_go(key, hand)
        hand.left += given.count
        hand.given_us, hand.until_us = given.given_us, given.until_us
        hand.spent = 0
        self._mirror([Returned(*key, -given.count, at_us)])

    def _cut(self, worker: str, wish: Wish, refused: Slice | None) -> Slice:
        at_us = self._clock_us()
        if refused is not None and (refused.count or not self._covers(wish)):
            if refused.count > 0 and wish.kind == "slots":
                self._note(worker, wish.application, refused.count)
            return refused
        if not self._covers(wish):
            return Slice(0, at_us, at_us, at_us + DRY_US)
        hand = self._hands[_key(wish)]
        ahead = max(0, (hand.left - wish.count) // (SHARE // 2 * max(1, len(self._slots))))
        count = wish.count + min(wish.ahead, ahead)
        hand.left -= count
        hand.spent += count
        if wish.kind == "slots":
            hand.until_us = at_us + IDLE_US
            self._note(worker, wish.application, count)
            return Slice(count, 0, at_us + SLICE_US)
        return Slice(count, hand.given_us, min(hand.until_us, at_us + SLICE_US))

    def _note(self, worker: str, application: str, count: int) -> None:
        held = self._slots.setdefault(worker, {})
        held[application] = held.get(application, 0) + count

    def _keep(self, application: str, count: int) -> None:
        hand = self._hands.setdefault((application, "slots"), _Hand())
        hand.left += count
        hand.until_us = self._clock_us() + IDLE_US

    def _let_go(self, key: Key, hand: _Hand) -> None:
        if hand.left:
            self._go_back(Returned(*key, hand.left, hand.given_us))
            hand.left = 0

    def _go_back(self, returned: Returned) -> None:
        self._mirror([returned])
        if returned.kind != "slots":  # those are told as what is held in all
            self._branches[returned.kind].take_back([returned])

    # -- when the bank is away -----------------------------------------------------------------------------

    def _spare(self, wish: Wish) -> Slice:
        """Of this host's part of a limit."""
        at_us = self._clock_us()
        if wish.kind == "money":
            return Slice(UNKNOWN, at_us, at_us)
        given = self._reserve.give("", wish, at_us)
        if given.count > 0 and wish.kind != "slots":
            self._spared.append(Returned(wish.application, wish.kind, -given.count, at_us))
        return given

    def _mirror(self, changes: Iterable[Returned]) -> None:
        """What the bank gave, and what goes back there, counts in the reserve too."""
        for each in changes:
            if each.kind != "money":
                self._reserve.take_back("", each)

    def _share(self) -> None:
        """The reserve has each limit divided by the hosts."""
        branch = self._branches.get("requests")
        hosts = 1 if branch is None else branch.hosts
        if hosts != self._shared_by:
            self._shared_by = hosts
            self._reserve.update([_divided(each, hosts) for each in self._applications.values()], {})


def _divided(application: Application, hosts: int) -> Application:
    if hosts == 1:
        return application
    scope = application.scope
    bounds = {
        name: limit and max(1, limit // hosts)
        for name in ("requests_per_minute", "tokens_per_minute", "concurrent_requests")
        if (limit := getattr(scope, name))
    }
    return msgspec.structs.replace(application, scope=msgspec.structs.replace(scope, **bounds))


def _key(wish: Wish) -> Key:
    return wish.application, wish.kind
