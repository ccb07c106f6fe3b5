"""The application: routes, and what stands before and behind them."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, Response
from litestar.datastructures import State as AppState
from litestar.di import Provide
from litestar.logging import LoggingConfig
from litestar.types import ASGIApp

from stargate.base import wire
from stargate.server.api import (
    attempts,
    batches,
    declare,
    explain,
    facts,
    files,
    gateway,
    journal,
    keys,
    leases,
    ledger,
    models,
    needs,
    offers,
    quotes,
    requests,
    status,
    supply,
    workloads,
)
from stargate.server.api.body import StrictRequest
from stargate.server.api.gate import Gate, authorise
from stargate.server.api.refusal import HANDLERS
from stargate.server.api.schema import Records, document, openapi_config
from stargate.server.auth import Actor
from stargate.server.config import Limits
from stargate.server.house import House

MODULES: tuple[Any, ...] = (
    status,
    workloads,
    attempts,
    explain,
    offers,
    needs,
    quotes,
    leases,
    supply,
    facts,
    journal,
    ledger,
    gateway,
    requests,
    models,
    files,
    batches,
    keys,
    declare,
)


class JsonResponse(Response[Any]):
    """Records as JSON in the form of the house: times as ISO 8601, decimals as text."""

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:
        """The body."""
        return content if isinstance(content, bytes) else wire.to_json(content)


def create_app(house: House) -> ASGIApp:
    """The whole application around an open house."""
    return Gate(create_litestar(house, Records()), house.config.limits)


def create_litestar(house: House | None, records: Records) -> Litestar:
    """The routes without their gate; without a house, good for its OpenAPI document only."""
    limits = house.config.limits if house is not None else Limits()
    return Litestar(
        route_handlers=[route for module in MODULES for route in module.ROUTES],
        dependencies={
            "house": Provide(_house, sync_to_thread=False),
            "actor": Provide(_actor, sync_to_thread=False),
        },
        guards=[authorise],
        exception_handlers=HANDLERS,
        request_class=StrictRequest,
        response_class=JsonResponse,
        request_max_body_size=limits.body_bytes,
        openapi_config=openapi_config(records),
        plugins=[records],
        state=AppState({"house": house}),
        logging_config=LoggingConfig(
            configure_root_logger=False, log_exceptions="never", loggers={}, formatters={}, handlers={}
        ),
        debug=False,
    )


def openapi() -> dict[str, Any]:
    """The OpenAPI document as plain data."""
    records = Records()
    return document(create_litestar(None, records), records)


def _house(state: AppState) -> House:
    found: House = state.house
    return found


def _actor(request: Request[Any, Any, Any]) -> Actor:
    found: Actor = request.scope["user"]
    return found
