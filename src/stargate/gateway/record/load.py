"""What a gateway's host is doing now: told every second, worth nothing a few seconds later."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.base.time import Instant
from stargate.gateway.record.application import Count, Name
from stargate.gateway.record.endpoint import ENDPOINT_ID_LIMIT

NO_ROUTES = -1
ENDPOINTS_LIMIT = 20_000
MODELS_LIMIT = 10_000
_Id = Annotated[str, Meta(max_length=ENDPOINT_ID_LIMIT)]


class Busy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """An endpoint, as a host or one of its workers uses it."""

    begun: Count = 0
    """Requests that were sent there, since the count began."""
    open: Count = 0
    """Those that are not over."""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A model that requests found nobody for."""

    unserved: Count = 0
    """Requests that none of its endpoints took, since the count began."""
    waiting: Count = 0
    """Requests that wait for an endpoint to be started."""


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Of a host; or of one of its workers, without a name."""

    node: Name = ""
    began: Instant = Instant(0)
    """When the counts began. Those of two beginnings have nothing to do with each other."""
    routes: Annotated[int, Meta(ge=NO_ROUTES)] = NO_ROUTES
    """The version that is served by; of several workers the oldest."""
    endpoints: Annotated[dict[_Id, Busy], Meta(max_length=ENDPOINTS_LIMIT)] = {}
    """Those that have been used."""
    models: Annotated[dict[Name, Wanted], Meta(max_length=MODELS_LIMIT)] = {}
    gone: bool = False
    """The host has stopped: nothing is open there."""
