"""Why requests of one kind may go where they may go."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from stargate.base import wire


class Shut(msgspec.Struct, frozen=True, omit_defaults=True):
    """Endpoints of a place that a request may not use."""

    provider: str
    site: str
    pool: str
    endpoints: int
    filter: str
    """`agreement` or `residency`."""
    says: str
    clause: str = ""
    would_change: str = ""


class Why(msgspec.Struct, frozen=True, omit_defaults=True):
    """A decision about where requests of one kind may go, apart from its date and the replicas of the day."""

    model: str
    product: str = ""
    team: str = ""
    customer: str = ""
    attributes: dict[str, str] = {}
    residency: tuple[str, ...] = ()
    open: tuple[tuple[str, str], ...] = ()
    """Providers and sites that it may use."""
    grounds: tuple[tuple[str, str], ...] = ()
    """What that rests on, where a clause or an exception spoke: its name, and what it says."""
    shut: tuple[Shut, ...] = ()

    @property
    def digest(self) -> str:
        """The same decision has the same name."""
        return blake2b(wire.pack(self), digest_size=8).hexdigest()
