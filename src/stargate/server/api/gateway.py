"""What gateways ask and tell: the routes that they serve by, and what became of requests."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.params import MsgPackBody, QueryParameter

from stargate.base import wire
from stargate.base.time import Instant
from stargate.gateway.limits.lease import Leased, Leasing
from stargate.gateway.record import Load, Receipt, Routes, Shipment
from stargate.server.access import GATEWAY
from stargate.server.api.body import MSGPACK
from stargate.server.api.route import Asking, Here, changing, reading
from stargate.server.routing import opened

BODY_LIMIT_BYTES = 16 << 20
"""Of a full shipment, with what endpoints said of each attempt."""
LEASING_LIMIT_BYTES = 4 << 20
LOAD_LIMIT_BYTES = 4 << 20
WAIT_LIMIT_S = 25
HURRY_S = 2.0
"""An answer is on its way this long before a request takes too long."""

Version = Annotated[
    int, QueryParameter(ge=-1, le=2**63 - 1, description="That of the routes one has. -1: none.")
]
Wait = Annotated[
    int,
    QueryParameter(
        ge=0,
        le=WAIT_LIMIT_S,
        description="How many seconds to wait for another version before the answer is 204.",
    ),
]


class Heard(msgspec.Struct, frozen=True):
    """It was heard."""

    at: Instant
    """When, by the clock of the server."""


@reading("/v1/gateway/routes", "routes.read", nothing="Within the time there was no other version.")
async def show_routes(
    house: Here, request: Request[Any, Any, Any], version: Version = -1, wait_s: Wait = 0
) -> Response[Routes]:
    """All that a gateway serves by, once it is of another version than the caller's.

    As JSON, or as msgpack where `Accept` asks for `application/msgpack`.
    """
    patience_s = min(float(wait_s), house.config.limits.request_s - HURRY_S)
    body = await house.routing.newer(version, patience_s)
    if body is None:
        return Response(None, status_code=204)  # type: ignore[arg-type]
    if MSGPACK[0] in request.headers.get("accept", ""):
        return Response(body, media_type=MSGPACK[0])  # type: ignore[arg-type]
    return Response(wire.to_json(opened(body)), media_type="application/json")  # type: ignore[arg-type]


@changing("/v1/gateway/records", "records.add", body_bytes=BODY_LIMIT_BYTES)
async def add_records(house: Here, actor: Asking, data: MsgPackBody[Shipment]) -> Receipt:
    """Put attempts on record, under the source `gateway:` with the key's name. Sent again they change nothing.

    An answer means that all but the `unfit` are in the log of requests and in the ledger, and may be forgotten.
    """
    return await house.intake.take(data, f"{GATEWAY}{actor.name}")


@changing("/v1/gateway/load", "load.tell", body_bytes=LOAD_LIMIT_BYTES)
async def hear_load(house: Here, actor: Asking, data: MsgPackBody[Load]) -> Heard:
    """Say what a host does now: every second, or it is taken to have fallen silent.

    Services scale by it, and replicas that are to stop are waited for until nothing is open there.
    """
    return Heard(house.hosts.hear(f"{GATEWAY}{actor.name}", data))


@changing("/v1/gateway/leases", "records.add", body_bytes=LEASING_LIMIT_BYTES)
async def lend(house: Here, actor: Asking, data: MsgPackBody[Leasing]) -> Leased:
    """Give a host slices of keys' limits and budgets, and take back what it did not use.

    Sent again with the same number, what goes back does so once.
    What a host says nothing more about comes back by itself.
    """
    return await house.lender.lend(data, f"{GATEWAY}{actor.name}")


ROUTES: tuple[Any, ...] = (show_routes, lend, add_records, hear_load)
