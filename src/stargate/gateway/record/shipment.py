"""What a gateway's host sends to the control plane, and what comes back."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.gateway.record.application import Name
from stargate.gateway.record.attempt import Admitted, Settled
from stargate.gateway.record.why import Why

ATTEMPTS_LIMIT = 5_000
WHYS_LIMIT = 1_000

Epoch = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""A worker's life. With the number of an attempt within it, it names that attempt for ever."""
Told = tuple[Epoch, Admitted, Settled]
"""An attempt, told in full."""


class Shipment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Attempts that are over, and the decisions that they name. Sent again it changes nothing."""

    node: Name
    """The host."""
    attempts: Annotated[tuple[Told, ...], Meta(max_length=ATTEMPTS_LIMIT)] = ()
    whys: Annotated[tuple[Why, ...], Meta(max_length=WHYS_LIMIT)] = ()
    """Those that the control plane may not have been told yet."""


class Unfit(msgspec.Struct, frozen=True):
    """An attempt that can never be counted as it was told. Sent again, it is refused again."""

    index: int
    """Which of those sent, from 0."""
    epoch: str
    seq: int
    says: str


class Receipt(msgspec.Struct, frozen=True):
    """What became of a shipment: all of it is on record but what is unfit, and may be forgotten."""

    new: int
    known: int
    """Attempts that were on record already."""
    unfit: tuple[Unfit, ...] = ()
