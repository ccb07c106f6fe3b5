"""What became of a request at a gateway, and why it went where it went."""

from __future__ import annotations

from typing import Any

import msgspec

from stargate.base.errors import NotFoundError
from stargate.base.time import Instant
from stargate.gateway.record import CountSource, Operation, Outcome, Tokens, Why
from stargate.server.api.body import shortened
from stargate.server.api.page import Id
from stargate.server.api.route import Here, reading
from stargate.server.request_log import Filed, Where


class TokensView(msgspec.Struct, frozen=True):
    """As OpenAI's usage means it: the cached are among the input, the reasoning among the output."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int


class AttemptAtView(msgspec.Struct, frozen=True):
    """An endpoint was asked."""

    nth: int
    """0 for the first."""
    source: str
    """The gateway, as the ledger calls it."""
    node: str
    """Its host."""
    at: Instant
    ended: Instant
    model: str
    endpoint: str
    where: Where
    """The endpoint's place, as it was known."""
    outcome: Outcome
    status: int
    """HTTP status that it answered with; 0: none."""
    tokens: TokensView
    counted: CountSource
    chargeable: bool
    micro_usd: int
    """What the key's budget was charged, at the model's price then."""
    first_byte_us: int
    last_byte_us: int
    """Microseconds from its admission; 0: none came."""
    why: str
    """Digest of the decision about where the request may go."""
    routes: int
    """Version of the routes that it was decided by."""


class RequestView(msgspec.Struct, frozen=True):
    """A request at a gateway."""

    id: str
    key: str
    """Id of the application's key."""
    key_name: str
    party: str
    """Who owes for it."""
    product: str
    team: str
    operation: Operation
    batch: str
    """The batch that it is a line of; empty: of none."""
    summary: str
    attempts: tuple[AttemptAtView, ...]
    """Every endpoint that was asked, in order."""
    whys: dict[str, Why]
    """The decisions about where it may go, with the clauses they rest on, by digest."""


@reading("/v1/requests/{id:str}", "explain.read")
async def show_request(house: Here, id: Id) -> RequestView:
    """What became of a request, by the id that its client was told (`x-request-id`), and why it went there.

    It is known once the gateway has shipped it, and as long as the log of requests has room.
    """
    found, whys = await house.requests.find(id)
    if not found:
        raise NotFoundError(
            f"no request {shortened(id)!r} is on record",
            "its gateway may not have told of it yet; or it was refused before anybody was asked, and then its answer"
            " said why; or it was longer ago than is remembered",
        )
    first = found[0]
    return RequestView(
        id=id,
        key=first.admitted.application,
        key_name=first.key_name,
        party=first.scope.party or first.lab,
        product=first.scope.product,
        team=first.scope.team,
        operation=first.admitted.operation,
        batch=first.admitted.batch,
        summary=_summary(found),
        attempts=tuple(map(_attempt, found)),
        whys=whys,
    )


def _summary(found: list[Filed]) -> str:
    """The one that is charged in a sentence, else the last."""
    last = next((each for each in found if each.settled.chargeable), found[-1])
    place = (
        " at ".join(part for part in (last.where.provider, last.where.site) if part) or last.admitted.endpoint
    )
    tries = f", endpoint {len(found)} of those asked" if len(found) > 1 else ""
    return f"{last.settled.outcome} by {place}{tries}"


def _attempt(filed: Filed) -> AttemptAtView:
    admitted, settled = filed.admitted, filed.settled
    return AttemptAtView(
        nth=admitted.nth,
        source=filed.source,
        node=filed.node,
        at=Instant(admitted.at_us),
        ended=Instant(settled.at_us),
        model=admitted.model,
        endpoint=admitted.endpoint,
        where=filed.where,
        outcome=settled.outcome,
        status=settled.status,
        tokens=_tokens(settled.tokens),
        counted=settled.counted,
        chargeable=settled.chargeable,
        micro_usd=filed.micro_usd,
        first_byte_us=settled.first_byte_us,
        last_byte_us=settled.last_byte_us,
        why=admitted.why,
        routes=admitted.routes,
    )


def _tokens(tokens: Tokens) -> TokensView:
    return TokensView(*(getattr(tokens, field) for field in TokensView.__struct_fields__))


ROUTES: tuple[Any, ...] = (show_request,)
