"""One bank as a steward asks it: what many want goes there together, one question at a time.

So a bank is asked by each host at most as often as it answers, however many requests wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

import msgspec

from stargate.gateway.limits import NoBankError, Returned, Slice, Wish
from stargate.gateway.limits.lease import RETURNED_LIMIT, WISHES_LIMIT, Leasing, Lender, Limits

BEAT_S = 0.5
"""How often what lies idle goes back."""
SPEAK_BEATS = 10
"""After so many beats a host speaks though it has nothing to say: it is there, and holds what it holds."""
AWAY_S = 1.0
"""How long a bank that did not answer is not asked on behalf of requests, which would wait for it."""
PATIENCE_S = 1.0
_log = logging.getLogger("stargate.gateway.steward")


class Branch:
    """Of one host. `slots` says what the host holds of requests at a time; None: that is not known yet."""

    def __init__(
        self,
        lender: Lender,
        limits: Limits,
        name: tuple[str, str],
        slots: Callable[[], dict[str, int] | None] = lambda: None,
    ) -> None:
        """`name`: the node and the session."""
        self._lender = lender
        self._limits = limits
        self._name = name
        self._slots = slots
        self._said: dict[str, int] | None = None
        self._wishes: list[tuple[Wish, asyncio.Future[Slice]]] = []
        self._returned: list[Returned] = []
        """Not taken yet."""
        self._going: tuple[Returned, ...] = ()
        """Said under the last number, and not answered."""
        self._number = 0
        self._bell = asyncio.Event()
        self._away_s = 0.0
        self.hosts = 1
        """That share the limits, as was heard last."""

    @property
    def away(self) -> bool:
        """It has just not answered."""
        return asyncio.get_running_loop().time() < self._away_s

    async def give(self, wish: Wish) -> Slice:
        """A slice; its times are of this host's clock in `given_us` and the bank's in nothing but the difference.

        Raises NoBankError.
        """
        if self.away:
            raise _absent()
        future: asyncio.Future[Slice] = asyncio.get_running_loop().create_future()
        self._wishes.append((wish, future))
        self._bell.set()
        return await future

    def take_back(self, returned: Sequence[Returned]) -> None:
        """With the next question."""
        self._returned += returned

    async def run(self, beat: Callable[[], None]) -> None:
        """Until cancelled. `beat` is called before what lies idle goes back."""
        quiet = SPEAK_BEATS
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_S):
                        await self._bell.wait()
                self._bell.clear()
                beat()
                quiet += 1
                if self._wishes or self._returned or self._going or quiet >= SPEAK_BEATS or self._changed():
                    quiet = 0
                    await self._speak()
                    if self.away:
                        await asyncio.sleep(BEAT_S)
        finally:
            self._fail()

    async def say(self) -> None:
        """Say at once what there is to say, as at the end."""
        await self._speak()

    def _changed(self) -> bool:
        return self._slots() != self._said

    async def _speak(self) -> None:
        wishes, self._wishes = self._wishes[:WISHES_LIMIT], self._wishes[WISHES_LIMIT:]
        if not self._going:
            self._going = tuple(self._returned[:RETURNED_LIMIT])
            del self._returned[:RETURNED_LIMIT]
            self._number += 1
        slots = self._slots()
        leasing = Leasing(
            *self._name,
            self._number,
            tuple(wish for wish, _ in wishes),
            self._going,
            slots,
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                leased = await self._lender.lend(leasing, self._limits)
        except (NoBankError, TimeoutError) as error:
            if not self.away:
                _log.warning("limits: %s", getattr(error, "message", None) or "the bank does not answer")
            self._away_s = asyncio.get_running_loop().time() + AWAY_S
            self._said = None
            self._wishes = wishes + self._wishes
            self._fail()
            return
        self._going = ()
        self._said = slots
        self._away_s = 0.0
        self.hosts = max(1, leased.hosts)
        for (wish, future), found in zip(wishes, leased.slices, strict=True):
            if not future.done():
                future.set_result(found)
            elif found.count > 0 and wish.kind != "slots":  # whoever wanted it has gone
                self._returned.append(Returned(wish.application, wish.kind, found.count, found.given_us))
        if self._wishes:
            self._bell.set()
        # Those who waited take what they were given before it is said what the host holds.
        await asyncio.sleep(0)

    def _fail(self) -> None:
        waiting, self._wishes = self._wishes, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(_absent())


def local(given: Slice, asked_us: int) -> Slice:
    """A slice whose end is of this host's clock: counted from before it was asked for, so it ends early or in time."""
    until_us = asked_us + given.until_us - given.given_us
    more_us = asked_us + given.more_us - given.given_us if given.more_us else 0
    return msgspec.structs.replace(given, until_us=until_us, more_us=more_us)


def _absent() -> NoBankError:
    return NoBankError("the bank of these limits does not answer", "It is asked again every second")
