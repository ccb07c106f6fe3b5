"""How routes are declared: each names its action, takes strict JSON, and can answer with a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import Empty

from stargate.server.access import Action
from stargate.server.api.refusal import Refusal
from stargate.server.auth import Actor
from stargate.server.house import House

Here = NamedDependency[House]
"""The house that a route serves."""

Asking = NamedDependency[Actor]
"""Who asks."""

Decorator = Callable[[Callable[..., Any]], HTTPRouteHandler]

REFUSALS = {
    400: "The request cannot be read or makes no sense.",
    401: "No valid key.",
    403: "The key's role, an agreement or a policy does not allow it.",
    404: "No such thing, or not the caller's to see.",
    409: "The thing is not in a state that allows this.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The request is malformed; `problems` names every fault.",
    429: "Too many commands wait, or a declared limit would be passed.",
    500: "A fault of Stargate. Nothing was changed.",
    502: "A provider or an engine failed.",
    503: "The server cannot answer now; asking again is safe with the same Idempotency-Key.",
}
_OF_BODIES = {409, 413, 415}


def reading(path: str, action: Action, *, nothing: str = "") -> Decorator:
    """A GET route. `nothing`: what it means where it answers 204; empty: it never does."""
    responses = _specs(without=_OF_BODIES)
    if nothing:
        responses[204] = ResponseSpec(None, description=nothing, generate_examples=False)
    return get(path, opt={"action": action}, responses=responses)


def changing(path: str, action: Action, *, status: int = 200, body_bytes: int | None = None) -> Decorator:
    """A POST route. It may be repeated safely with an Idempotency-Key.

    Bodies may have `body_bytes`; without it, what the server's limits say.
    """
    return post(
        path,
        opt={"action": action},
        responses=_specs(without=set()),
        status_code=status,
        request_max_body_size=Empty if body_bytes is None else body_bytes,
    )


def removing(path: str, action: Action) -> Decorator:
    """A DELETE route, which says what is gone."""
    return delete(path, opt={"action": action}, responses=_specs(without={415}), status_code=200)


def _specs(without: set[int]) -> dict[int, ResponseSpec]:
    return {
        status: ResponseSpec(Refusal, description=says, generate_examples=False)
        for status, says in REFUSALS.items()
        if status not in without
    }
