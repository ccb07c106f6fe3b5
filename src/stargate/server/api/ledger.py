"""The ledger: usage that others count comes in; statements and usage are shown to whom they concern."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from stargate.base.errors import NotFoundError
from stargate.ledger import Payable, UsageEvent
from stargate.ledger.record.month import PATTERN, month_of
from stargate.ledger.statement import Statement, Used
from stargate.ledger.store.writing import Refused
from stargate.server.access import Resource, demand_sight, demand_source
from stargate.server.api.route import Asking, Here, changing, reading
from stargate.server.api.terms import demand_time
from stargate.server.bookkeeper import Bookkeeper
from stargate.server.house import House

OWN = ("journal:", "opening:", "payments:")
"""Sources that nobody speaks for over HTTP: what the broker counts, other books, banks."""
EVENTS_LIMIT = 5_000
BODY_LIMIT_BYTES = 4 << 20
"""Of usage: so many events with the attributes that they usually have. Other bodies keep the server's limit."""
NAMES_LIMIT = 8

Month = Annotated[
    str,
    QueryParameter(pattern=f"^({PATTERN})?$", description="As `2026-03`. Empty: the present one."),
]
Party = Annotated[str, QueryParameter(min_length=1, max_length=256)]


class UsageBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody counted. Each event counts once, however often it is sent."""

    events: Annotated[tuple[UsageEvent, ...], Meta(min_length=1, max_length=EVENTS_LIMIT)]

    def __post_init__(self) -> None:
        for event in self.events:
            if event.source.startswith(OWN):
                raise ValueError(
                    f"nobody but the ledger speaks for {event.source!r}; name a source of your own"
                )
            demand_time(event.start)
            if event.end is not None:
                demand_time(event.end)
            said = (
                event.party,
                event.provider,
                event.corrects,
                *event.attributes,
                *event.attributes.values(),
            )
            if not all(text.isprintable() for text in said):
                raise ValueError(f"{event.key!r} holds characters that nobody can read; leave them out")


class UsageRefused(msgspec.Struct, frozen=True):
    """An event that contradicts what is on record under its name. Sent again, it is refused again."""

    index: int
    """Which of the events sent, from 0."""
    source: str
    key: str
    says: str


class UsageTaken(msgspec.Struct, frozen=True):
    """What became of the events. All but the refused ones are on record."""

    new: int
    known: int
    """On record already, with the same content."""
    refused: tuple[UsageRefused, ...] = ()


class StatementView(msgspec.Struct, frozen=True):
    """A statement, and what is due when between the two."""

    statement: Statement
    payables: tuple[Payable, ...]


class UsedView(msgspec.Struct, frozen=True):
    """The use of a month, in groups."""

    month: str
    items: tuple[Used, ...]


@changing("/v1/ledger/usage", "usage.add", body_bytes=BODY_LIMIT_BYTES)
async def add_usage(house: Here, actor: Asking, data: JSONBody[UsageBody]) -> UsageTaken:
    """Put usage on record. Sent again it changes nothing, so that whoever counts may send until there is an answer.

    A gateway's key speaks for the source `gateway:` with its own name, and what lies below it, and never of money.
    """
    for event in data.events:
        demand_source(actor, event.source, event.metric)
    books, at = _books(house), house.driver.now()
    taken = await books.write(lambda ledger: ledger.take(data.events, at))
    return UsageTaken(taken.new, taken.known, tuple(map(_refusal, taken.refused)))


@reading("/v1/ledger/usage", "usage.read")
async def show_usage(
    house: Here,
    month: Month = "",
    by: Annotated[
        str,
        QueryParameter(max_length=256, description="Names of attributes, with commas, as `team,provider`."),
    ] = "provider",
) -> UsedView:
    """What was used in a month, at the prices quoted and as charged."""
    wanted = month or month_of(house.driver.now())
    names = [name for name in (part.strip() for part in by.split(",")) if name][:NAMES_LIMIT]
    return UsedView(wanted, await _books(house).read(lambda ledger: ledger.used(wanted, names)))


@reading("/v1/ledger/statement", "statements.read")
async def show_statement(
    house: Here, actor: Asking, party: Party, other: Party, month: Month = ""
) -> StatementView:
    """What two parties owe each other for a month. A provider sees those that it is a party of."""
    demand_sight(actor, "statements.read", Resource(parties=(party, other)), "statement", f"{party}/{other}")
    at = house.driver.now()
    wanted = month or month_of(at)
    drawn, due = await _books(house).read(
        lambda ledger: (ledger.statement((party, other), wanted), ledger.payables((party, other), at))
    )
    return StatementView(drawn, due)


def _books(house: House) -> Bookkeeper:
    if house.books is None:
        raise NotFoundError("this server keeps no ledger", "start it without `--ledger none`")
    return house.books


def _refusal(refused: Refused) -> UsageRefused:
    return UsageRefused(refused.place, refused.source, refused.key, refused.says)


ROUTES: tuple[Any, ...] = (add_usage, show_usage, show_statement)
