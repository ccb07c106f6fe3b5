"""Models that can be asked for at gateways, and where they are served now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from stargate.gateway.record import Endpoint, Model, Price
from stargate.server.api.page import After, Limit, cut
from stargate.server.api.route import Here, reading


class PlaceView(msgspec.Struct, frozen=True):
    """Where a model is served."""

    provider: str
    site: str
    endpoints: int
    """That answer and get requests."""
    draining: int
    """That finish what they have."""


class ModelView(msgspec.Struct, frozen=True):
    """A model by the name that clients use."""

    id: str
    owner: str
    context_tokens: int
    """0: not known."""
    price: Price
    """What keys are charged for their budgets."""
    fallbacks: tuple[str, ...]
    places: tuple[PlaceView, ...]
    """Empty: nothing serves it now."""


class ModelPage(msgspec.Struct, frozen=True):
    """Models, those of the catalog first."""

    items: tuple[ModelView, ...]
    total: int
    next: str | None


@reading("/v1/models", "pools.read")
async def list_models(house: Here, limit: Limit = 50, after: After = "") -> ModelPage:
    """Models that gateways serve, and where: replicas that answer, and APIs of providers.

    Whether a key may use an endpoint is decided by its scope and the agreements.
    """
    routing = house.routing
    found, total, following = cut(routing.models, limit, after, lambda model: model.id)
    return ModelPage(tuple(_view(model, routing.endpoints) for model in found), total, following)


def _view(model: Model, endpoints: Iterable[Endpoint]) -> ModelView:
    own = [endpoint for endpoint in endpoints if endpoint.model == model.id]
    places = Counter((endpoint.provider, endpoint.site, endpoint.draining) for endpoint in own)
    return ModelView(
        id=model.id,
        owner=model.owner,
        context_tokens=model.context_tokens,
        price=model.price,
        fallbacks=model.fallbacks,
        places=tuple(
            PlaceView(provider, site, places[provider, site, False], places[provider, site, True])
            for provider, site in sorted({(provider, site) for provider, site, _ in places})
        ),
    )


ROUTES: tuple[Any, ...] = (list_models,)
