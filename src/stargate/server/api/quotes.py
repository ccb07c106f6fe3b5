"""Quotes: what providers would give for a need. Each provider sees its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from litestar.params import JSONBody

from stargate.agreements.right import Terms
from stargate.base.errors import InputError, Problem
from stargate.base.time import Instant
from stargate.broker import State
from stargate.broker.sourcing.command import SubmitQuote, WithdrawQuote
from stargate.broker.sourcing.records import Quote, QuoteStatus
from stargate.server.access import Resource, demand_sight, may, sighted
from stargate.server.api.identity import GivenId, fresh_id
from stargate.server.api.page import Id, IdempotencyKey
from stargate.server.api.route import Asking, Here, changing
from stargate.server.api.terms import Name, TermsBody, demand_time
from stargate.server.auth import Actor
from stargate.server.house import House


class QuoteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A binding quote."""

    provider: Name
    pool: Name
    terms: TermsBody
    id: GivenId = ""
    """Empty: the server makes one."""
    valid_until: Instant | None = None

    def __post_init__(self) -> None:
        if self.valid_until is not None:
            demand_time(self.valid_until)


class QuoteView(msgspec.Struct, frozen=True):
    """A quote."""

    id: str
    need: str
    provider: str
    pool: str
    terms: Terms
    status: QuoteStatus
    received_at: Instant
    valid_until: Instant
    quoted_by: str


class QuoteReceipt(msgspec.Struct, frozen=True):
    """The command is in the journal; this is how the quote stands after it."""

    seq: int
    repeated: bool
    quote: QuoteView


def resource_of(quote: Quote) -> Resource:
    """A quote is its provider's party's."""
    return Resource(parties=(quote.party,))


@changing("/v1/needs/{id:str}/quotes", "quotes.submit", status=201)
async def submit_quote(
    house: Here, actor: Asking, id: Id, data: JSONBody[QuoteBody], idempotency_key: IdempotencyKey = ""
) -> QuoteReceipt:
    """Quote for a need on the market. A provider's key quotes for providers of its own party."""
    await house.driver.read(lambda state: _demand_own(state, actor, id, data))
    quote = data.id or fresh_id("quote", actor, idempotency_key)
    command = SubmitQuote(
        id=quote,
        need=id,
        provider=data.provider,
        pool=data.pool,
        terms=data.terms.record(),
        valid_until=data.valid_until,
        quoted_by=actor.party,
    )
    return await _asked(house, actor, quote, command, idempotency_key)


@changing("/v1/quotes/{id:str}/withdraw", "quotes.submit")
async def withdraw_quote(
    house: Here, actor: Asking, id: Id, idempotency_key: IdempotencyKey = ""
) -> QuoteReceipt:
    """Take a quote off the table."""
    await house.driver.read(lambda state: _view(_find(state, actor, "quotes.submit", id)))
    command = WithdrawQuote(id, actor.party or actor.name)
    return await _asked(house, actor, id, command, idempotency_key)


async def _asked(
    house: House, actor: Actor, id: str, command: SubmitQuote | WithdrawQuote, key: str
) -> QuoteReceipt:
    receipt = await house.ask(actor, command, key)
    shown = await house.driver.read(lambda state: _view(_find(state, actor, "quotes.read", id)))
    return QuoteReceipt(receipt.seq, receipt.repeated, shown)


def _demand_own(state: State, actor: Actor, need_id: str, data: QuoteBody) -> None:
    """A provider's key may quote where it sees the need, for its own providers, and under an id that is its own."""
    need = state.sourcing.needs.get(need_id)
    quotes = state.sourcing.quotes
    parties = tuple(quotes[quote].party for quote in need.quotes) if need is not None else ()
    market = need is not None and need.status == "market"
    demand_sight(actor, "quotes.submit", Resource(parties, public=market), "need", need_id)
    provider = state.providers.get(data.provider)
    if actor.role == "provider" and (provider is None or provider.party != actor.party):
        raise _problem("provider", f"{data.provider!r} is no provider of {actor.party}")
    known = quotes.get(data.id)
    if known is not None and not may(actor, "quotes.read", resource_of(known)).allowed:
        raise _problem("id", f"the id {data.id!r} cannot be used")


def _problem(path: str, message: str) -> InputError:
    return InputError((Problem(message, "Choose another one.", path=path),))


def view_quotes(state: State, actor: Actor, ids: Iterable[str]) -> tuple[QuoteView, ...]:
    """Those of the quotes that the actor may see."""
    found = (state.sourcing.quotes[id] for id in ids)
    return tuple(_view(quote) for quote in found if may(actor, "quotes.read", resource_of(quote)).allowed)


def _find(state: State, actor: Actor, action: str, id: str) -> Quote:
    return sighted(state.sourcing.quotes, resource_of, "quote", id, actor, action)


def _view(quote: Quote) -> QuoteView:
    return QuoteView(
        id=quote.id,
        need=quote.need,
        provider=quote.provider,
        pool=quote.pool,
        terms=quote.terms,
        status=quote.status,
        received_at=quote.received_at,
        valid_until=quote.valid_until,
        quoted_by=quote.quoted_by,
    )


ROUTES: tuple[Any, ...] = (submit_quote, withdraw_quote)
