"""What gateways ask and tell: the routes that they serve by."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import QueryParameter

from stargate.base import wire
from stargate.gateway.record import Routes
from stargate.server.api.route import Here, reading
from stargate.server.routing import opened

MSGPACK = "application/msgpack"
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
    if MSGPACK in request.headers.get("accept", ""):
        return Response(body, media_type=MSGPACK)  # type: ignore[arg-type]
    return Response(wire.to_json(opened(body)), media_type="application/json")  # type: ignore[arg-type]


ROUTES: tuple[Any, ...] = (show_routes,)
