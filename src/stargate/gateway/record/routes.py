"""Routes: all that a gateway must know to serve, as one snapshot with a version.

A gateway keeps the last one on disk and serves by it without the control plane. It holds the agreements themselves,
so that what ends by its date ends on the day, whoever can be reached.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.agreements import Agreement, WorldFact
from stargate.base.time import Instant
from stargate.gateway.record.application import Application, Name
from stargate.gateway.record.endpoint import Endpoint, Model

APPLICATIONS_LIMIT = 1_000_000
ENDPOINTS_LIMIT = 100_000
MODELS_LIMIT = 10_000


class Routes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A snapshot."""

    version: Annotated[int, Meta(ge=0)]
    """Rises with every change: when it was made, in microseconds since 1970, or one more than the last."""
    made: Instant
    lab: Name = ""
    """The party whose agreements bind what is served."""
    applications: Annotated[tuple[Application, ...], Meta(max_length=APPLICATIONS_LIMIT)] = ()
    models: Annotated[tuple[Model, ...], Meta(max_length=MODELS_LIMIT)] = ()
    endpoints: Annotated[tuple[Endpoint, ...], Meta(max_length=ENDPOINTS_LIMIT)] = ()
    agreements: tuple[Agreement, ...] = ()
    facts: tuple[WorldFact, ...] = ()
