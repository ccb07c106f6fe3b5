"""What a host and a bank of several hosts say to each other: what is wanted, what goes back, what is held."""

from __future__ import annotations

from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from stargate.gateway.limits.allot import Returned, Slice, Wish

WISHES_LIMIT = 2_000
RETURNED_LIMIT = 10_000
SLOTS_LIMIT = 100_000

Label = Annotated[str, Meta(min_length=1, max_length=128)]
Whole = Annotated[int, Meta(ge=0, le=2**53)]


class Leasing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """From a host. Said again with the same number it is answered again, and what goes back does so once."""

    node: Label
    session: Label
    """The life of the steward that speaks."""
    number: Whole
    """1, 2, 3 … within the session."""
    wishes: Annotated[tuple[Wish, ...], Meta(max_length=WISHES_LIMIT)] = ()
    returned: Annotated[tuple[Returned, ...], Meta(max_length=RETURNED_LIMIT)] = ()
    slots: Annotated[dict[Label, Whole], Meta(max_length=SLOTS_LIMIT)] | None = None
    """All requests at a time that the host holds, by application; None: as it said before."""


class Leased(msgspec.Struct, frozen=True):
    """To a host."""

    slices: tuple[Slice, ...]
    """One for each wish. Their times are the bank's: what counts is how long after `given_us` they end."""
    hosts: int
    """That spoke within the last minute."""


class Lender(Protocol):
    """A bank of several hosts."""

    async def lend(self, leasing: Leasing, limits: Limits) -> Leased:
        """Answer a host. Raises NoBankError where that cannot be done now."""

    async def close(self) -> None:
        """Let go."""


class Limits(Protocol):
    """What keys are bound to."""

    def __call__(self, wish: Wish) -> int:
        """The limit that a wish is about; 0: none is known, and nothing is given."""
