"""Is it there, and how is it?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import get
from litestar.params import QueryParameter

from stargate import __version__
from stargate.base.time import Instant
from stargate.broker import State
from stargate.server.access import ANYBODY
from stargate.server.api.route import Asking, Here, reading
from stargate.server.errors import UnavailableError


class Health(msgspec.Struct, frozen=True):
    """The server answers."""

    status: Literal["ok"]


class Counts(msgspec.Struct, frozen=True):
    """How much of everything there is."""

    workloads: int
    workloads_open: int
    slots_waiting: int
    attempts_live: int
    needs_open: int
    offers_open: int
    leases_open: int
    pools: int
    chips_held: int
    chips_in_use: int


class Status(msgspec.Struct, frozen=True):
    """The state of the server in a few lines."""

    version: str
    status: Literal["ok"]
    """That it answers; `troubles` says what is odd."""
    actor: str
    """Whose key was used for this request."""
    role: str
    started_at: Instant
    now: Instant
    seq: int
    """The journal's last entry."""
    head: str
    """The same with its hash, as `stargate journal verify` takes it."""
    snapshot_seq: int
    backlog: int
    """Commands and reports that wait to be decided."""
    effects_pending: int
    """Attempts that an engine is being asked to start or stop."""
    engines: tuple[str, ...]
    """Kinds of engine that this server has."""
    routes: int
    """Version of the routes that gateways are given; one that tells as much in its health serves by them."""
    counts: Counts
    troubles: tuple[str, ...] = ()
    """What an operator should look at."""
    digest: str = ""
    """The fingerprint of the whole state; only where `digest=yes` asks for it."""


@get("/health", opt={"action": ANYBODY}, security=[{}])
async def health(house: Here) -> Health:
    """Whether the server takes commands; 503 where it does not. Needs no key and tells nothing else."""
    if house.driver.failure:
        raise UnavailableError("the server had to stop", "see its log, and start it again")
    return Health("ok")


@reading("/v1/status", "status.read")
async def status(
    house: Here,
    actor: Asking,
    digest: Annotated[
        Literal["no", "yes"], QueryParameter(description="`yes`: compute the fingerprint of the whole state.")
    ] = "no",
) -> Status:
    """What the server holds, how far its journal goes, and what an operator should look at."""
    driver = house.driver
    counts, fingerprint = await driver.read(
        lambda state: (_count(state), state.digest() if digest == "yes" else "")
    )
    return Status(
        version=__version__,
        status="ok",
        actor=actor.name,
        role=actor.role,
        started_at=house.started_at,
        now=driver.now(),
        seq=driver.head.seq,
        head=str(driver.head),
        snapshot_seq=driver.snapshot_seq,
        backlog=driver.backlog,
        effects_pending=house.fleet.pending + house.draining.pending,
        engines=house.fleet.kinds,
        routes=house.routing.version,
        counts=counts,
        troubles=(
            *house.warnings,
            *house.doubts,
            *(f"{kind}: {says}" for kind, says in house.fleet.troubles.items()),
            *house.routing.troubles,
            *house.rollouts.troubles,
            *(house.books.troubles if house.books is not None else ()),
        ),
        digest=fingerprint,
    )


def _count(state: State) -> Counts:
    sourcing = state.sourcing
    open_offers = (
        offer
        for need in sourcing.open_needs
        for offer in sourcing.needs[need].offers
        if sourcing.offers[offer].status in {"offered", "subscribed"}
    )
    return Counts(
        workloads=len(state.records.workloads),
        workloads_open=state.open_workloads,
        slots_waiting=len(state.queue),
        attempts_live=len(state.live),
        needs_open=len(sourcing.open_needs),
        offers_open=sum(1 for _ in open_offers),
        leases_open=sum(lease.open for lease in sourcing.leases.values()),
        pools=len(state.catalog_pools),
        chips_held=state.held_chips(),
        chips_in_use=state.chips_in_use,
    )


ROUTES: tuple[Any, ...] = (health, status)
