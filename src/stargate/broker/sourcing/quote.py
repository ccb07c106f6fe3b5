"""Quotes: submitted, withdrawn, and chosen by hand."""

from __future__ import annotations

import msgspec

from stargate.base.errors import ForbiddenError, InputError, NotFoundError, Problem, StateConflictError
from stargate.base.ids import is_name
from stargate.base.time import FOREVER, Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.award import decide_award
from stargate.broker.sourcing.command import AwardNeed, SubmitQuote, WithdrawQuote
from stargate.broker.sourcing.fact import QuoteEnded, QuoteReceived, SourcingFact
from stargate.broker.sourcing.market import why_not
from stargate.broker.sourcing.records import Need
from stargate.broker.sourcing.request import named_chip
from stargate.broker.sourcing.rights import standings
from stargate.broker.sourcing.view import View

QUOTES_LIMIT = 1_000
"""Quotes for one need."""


def decide_submit(view: View, command: SubmitQuote, at: Instant) -> tuple[SourcingFact, ...]:
    """A quote may come at any time while the need is open; it is looked at when its turn has come."""
    need = view.sourcing.needs[command.need]
    command = msgspec.structs.replace(command, terms=named_chip(view, command.terms))
    known = view.sourcing.quotes.get(command.id)
    if known is not None:
        if (known.need, known.pool, known.terms) == (command.need, command.pool, command.terms):
            return ()
        raise StateConflictError(
            f"quote {command.id!r} exists already and is not the same", "choose another id"
        )
    party = _party(view, command)
    if need.status in {"covered", "closed"}:
        raise StateConflictError(f"need {need.id} is {need.status}", "nothing more is asked for")
    if len(need.quotes) >= QUOTES_LIMIT:
        raise StateConflictError(f"need {need.id} has {QUOTES_LIMIT} quotes", "withdraw some first")
    _check(command, at)
    return (
        QuoteReceived(
            quote=command.id,
            need=need.id,
            provider=command.provider,
            party=party,
            pool=command.pool,
            terms=command.terms,
            valid_until=command.valid_until or FOREVER,
            quoted_by=command.quoted_by,
        ),
    )


def _party(view: View, command: SubmitQuote) -> str:
    pool = view.catalog_pools.get(command.pool)
    if pool is None or pool.provider != command.provider:
        raise NotFoundError(
            f"provider {command.provider!r} has no pool {command.pool!r}",
            "declare the pool in the catalog first",
        )
    party = view.providers[pool.provider].party
    if command.quoted_by not in {"", party}:
        raise ForbiddenError(f"{command.quoted_by} cannot quote for {party}", "quote for your own pools")
    return party


def _check(command: SubmitQuote, at: Instant) -> None:
    problems = []
    if not is_name(command.id):
        remedy = "use letters, digits, dot, dash and underscore; at most 128"
        problems.append(Problem(f"{command.id!r} is no usable id", remedy, path="id"))
    if command.terms.price_micro_usd_per_chip_hour is None:
        problems.append(Problem("the quote names no price", "give one", path="terms"))
    if command.valid_until is not None and command.valid_until <= at:
        remedy = f"give a time after {at}"
        problems.append(Problem("the quote has expired", remedy, path="valid_until"))
    if problems:
        raise InputError(tuple(problems))


def decide_withdraw_quote(view: View, command: WithdrawQuote, at: Instant) -> tuple[SourcingFact, ...]:
    """Withdrawing a quote twice changes nothing; a signed one can no longer be withdrawn."""
    quote = view.sourcing.quotes.get(command.quote)
    if quote is None:
        raise NotFoundError(f"no quote {command.quote!r}", "`stargate needs` shows how many there are")
    if command.withdrawn_by not in {"", quote.party}:
        raise ForbiddenError(f"quote {quote.id} is {quote.party}'s", "withdraw your own quotes")
    if quote.status == "signed":
        raise StateConflictError(f"quote {quote.id} was signed", "a lease has come of it; ask the buyer")
    if quote.status != "open":
        return ()
    return (QuoteEnded(quote.id, "withdrawn", (Ground(f"withdrawn by {quote.party}"),)),)


def expire(id: str) -> tuple[SourcingFact, ...]:
    """A quote's validity is over."""
    return (QuoteEnded(id, "expired", (Ground("it was valid until now"),)),)


def decide_award_command(view: View, command: AwardNeed, at: Instant) -> tuple[SourcingFact, ...]:
    """The buyer chooses. Raises StateConflictError or ForbiddenError where the choice is not open."""
    need = view.sourcing.needs[command.need]
    if need.status != "market" or need.look_at is not None or need.waits_for == "answers":
        raise StateConflictError(
            f"need {need.id} is not before the market ({need.waits_for or need.status})",
            "holders of rights are asked first; wait for their answers",
        )
    _check_choice(view, need, command.quote, at)
    return decide_award(view, need, at, standings(view, need, at), command.quote)


def _check_choice(view: View, need: Need, chosen: str, at: Instant) -> None:
    ground = why_not(view, need, chosen, at)
    if ground is not None:
        reasons = (ground.clause,) if ground.clause else ()
        raise ForbiddenError(ground.says, "choose another quote", reasons)
