"""What goes wrong, by date or by lot: outages, drains, capacity and power that fall short, prices that move.

`expand` turns the records into events of the clock and into dated prices, once, before the rehearsal. Each record
draws from a stream named after its place or its `name`, and for each thing it strikes: leaving one out, or adding
one at the end, changes nothing for the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stargate.base.errors import InputError, Problem
from stargate.base.faults import did_you_mean
from stargate.base.time import FOREVER, Duration, Instant
from stargate.broker.command import MarkSupply
from stargate.catalog import Infrastructure, Pool
from stargate.catalog.dated import Id, Price
from stargate.rehearsal.clock import Event
from stargate.rehearsal.draw import AT_ONCE, Chance, Delay, stream
from stargate.rehearsal.limits import Cap, PowerCap, capacity_events

MOST_STRIKES = 1_000_000
"""Outages that one record may bring."""
Scope = Literal["provider", "site", "pool"]
Status = Literal["lost", "draining"]
Names = Annotated[tuple[Id, ...], Meta(max_length=10_000)]


class _Fault(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="fault",
    kw_only=True,
):
    name: str = ""
    """Of its draws; not given: its place in the list."""


class Outage(_Fault, frozen=True, tag="outage", kw_only=True):
    """A provider, site or pool is down (or, `draining`, emptied for maintenance) from a date for a time."""

    scope: Scope
    id: Id
    at: Instant
    lasts: Duration
    status: Status = "lost"
    evidence: str = ""


class Companion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What goes down with something else."""

    scope: Scope
    id: Id
    chance: Chance = 1.0
    after: Delay = AT_ONCE


class Outages(_Fault, frozen=True, tag="outages", kw_only=True):
    """Each of several goes down again and again, at random."""

    scope: Scope
    ids: Names = ()
    """Not given: all there are."""
    every: Delay
    """From the end of one outage to the beginning of the next."""
    lasts: Delay
    status: Status = "lost"
    together: Annotated[tuple[Companion, ...], Meta(max_length=1_000)] = ()
    """Correlated: each of these with its chance, for as long."""


class CapacityLoss(_Fault, frozen=True, tag="capacity", kw_only=True):
    """A pool has at most so many nodes for a time, whatever the catalog says."""

    pool: Id
    at: Instant
    until: Instant | None = None
    nodes: Annotated[int, Meta(ge=0)] | None = None
    fraction: Annotated[float, Meta(ge=0, le=1)] | None = None
    """Instead: of what the catalog says."""

    def __post_init__(self) -> None:
        if (self.nodes is None) == (self.fraction is None):
            raise ValueError("capacity is nodes or a fraction of them; give one of the two")


class PowerLimit(_Fault, frozen=True, tag="power", kw_only=True):
    """A site may draw at most so much, from a date on, or rising in steps as it is energised."""

    site: Id
    at: Instant
    until: Instant | None = None
    """End of the cap or, with `rises_to_mw`, the moment of the last step; then the cap is over."""
    cap_mw: Annotated[float, Meta(ge=0)]
    rises_to_mw: Annotated[float, Meta(ge=0)] | None = None
    steps: Annotated[int, Meta(ge=1, le=10_000)] = 1
    """Equal ones, at equal times from `at` to `until`."""
    kw_per_chip: Annotated[float, Meta(gt=0)] | None = None
    """Everything in it. Not given: the site's power over its chips where the catalog has both, else the chip's
    own power times the site's PUE."""

    def __post_init__(self) -> None:
        if self.rises_to_mw is not None and self.until is None:
            raise ValueError("a ramp has no end; add `until`")


class PriceChange(_Fault, frozen=True, tag="price", kw_only=True):
    """A pool's price changes at a date."""

    pool: Id
    at: Instant
    usd_per_chip_hour: Decimal | None = None
    times: Annotated[float, Meta(gt=0, le=1_000)] | None = None
    """Instead: the price before times this."""

    def __post_init__(self) -> None:
        if (self.usd_per_chip_hour is None) == (self.times is None):
            raise ValueError("a price is given or is a multiple; give usd_per_chip_hour or times")


class PriceWalk(_Fault, frozen=True, tag="prices", kw_only=True):
    """Prices that move by lot: at every step the logarithm moves by a normal draw."""

    pools: Names
    every: Duration
    sigma: Annotated[float, Meta(gt=0, le=2)]
    """Of one step."""

    def __post_init__(self) -> None:
        if self.every <= 0:
            raise ValueError("prices move without pause; make `every` longer than 0")


Fault = Outage | Outages | CapacityLoss | PowerLimit | PriceChange | PriceWalk


class Expansion(msgspec.Struct, frozen=True):
    """What the faults come to."""

    infrastructure: Infrastructure
    """With the prices that will be."""
    events: tuple[Event, ...]
    """In order of time."""


def problems(faults: tuple[Fault, ...], infrastructure: Infrastructure) -> tuple[Problem, ...]:
    """Names that lead nowhere; each with its path below `faults`."""
    known: dict[str, Mapping[str, object]] = {
        "provider": infrastructure.providers_by_id,
        "site": infrastructure.sites_by_id,
        "pool": infrastructure.pools_by_id,
    }
    return tuple(
        Problem(
            f"there is no {scope} {id!r}", did_you_mean(id, known[scope]), path=f"faults[{place}].{field}"
        )
        for place, fault in enumerate(faults)
        for field, scope, id in _named(fault)
        if id not in known[scope]
    )


def _named(fault: Fault) -> Iterator[tuple[str, Scope, str]]:
    if isinstance(fault, Outage):
        yield "id", fault.scope, fault.id
    elif isinstance(fault, Outages):
        yield from (("ids", fault.scope, id) for id in fault.ids)
        yield from (("together", other.scope, other.id) for other in fault.together)
    elif isinstance(fault, PowerLimit):
        yield "site", "site", fault.site
    elif isinstance(fault, PriceWalk):
        yield from (("pools", "pool", id) for id in fault.pools)
    else:
        yield "pool", "pool", fault.pool


def expand(
    faults: tuple[Fault, ...],
    infrastructure: Infrastructure,
    start: Instant,
    until: Instant,
    seed: int,
    counted: Mapping[str, int] | None = None,
) -> Expansion:
    """Everything that happens in `[start, until)`.

    `counted` holds the nodes of pools to which the catalog's dates no longer apply. Raises InputError for names
    that lead nowhere.
    """
    wrong = problems(faults, infrastructure)
    if wrong:
        raise InputError(wrong)
    names = [fault.name or str(place) for place, fault in enumerate(faults)]
    marks: dict[tuple[Scope, str], list[_Span]] = {}
    for name, fault in zip(names, faults, strict=True):
        for key, span in _spans(fault, name, infrastructure, start, until, seed):
            marks.setdefault(key, []).append(span)
    events = [event for key in sorted(marks) for event in _marked(key, marks[key], until)]
    caps = [
        Cap(fault.pool, fault.at, fault.until or FOREVER, fault.nodes, fault.fraction)
        for fault in faults
        if isinstance(fault, CapacityLoss)
    ]
    powers = [cap for fault in faults if isinstance(fault, PowerLimit) for cap in _steps(fault)]
    events += capacity_events(infrastructure, caps, powers, start, until, counted or {})
    priced = infrastructure
    for name, fault in zip(names, faults, strict=True):
        if isinstance(fault, PriceChange):
            priced = _repriced(priced, fault.pool, _changed(priced.pools_by_id[fault.pool], fault))
        elif isinstance(fault, PriceWalk):
            for pool in fault.pools:
                walk = _walked(priced.pools_by_id[pool], fault, name, start, until, seed)
                priced = _repriced(priced, pool, walk)
    return Expansion(priced, tuple(sorted(events, key=lambda event: event[0])))


# -- outages -----------------------------------------------------------------------------------------------


class _Span(msgspec.Struct, frozen=True):
    begin: Instant
    end: Instant
    status: Status
    evidence: str


def _spans(
    fault: Fault, name: str, infrastructure: Infrastructure, start: Instant, until: Instant, seed: int
) -> Iterator[tuple[tuple[Scope, str], _Span]]:
    if isinstance(fault, Outage):
        evidence = fault.evidence or fault.name or "outage"
        yield (fault.scope, fault.id), _Span(fault.at, fault.at.plus(fault.lasts), fault.status, evidence)
    if not isinstance(fault, Outages):
        return
    known = {"provider": infrastructure.providers, "site": infrastructure.sites, "pool": infrastructure.pools}
    for id in fault.ids or tuple(thing.id for thing in known[fault.scope]):  # type: ignore[attr-defined]  # each has an id
        chance = stream(seed, f"fault/{name}/{fault.scope}/{id}")
        at = start
        for number in range(MOST_STRIKES):
            # A wait of nothing still passes: otherwise one moment would hold all outages.
            at = at.plus(max(1, fault.every.draw(chance)))
            lasts = fault.lasts.draw(chance)
            if at >= until:
                break
            yield (fault.scope, id), _Span(at, at.plus(lasts), fault.status, fault.name or "outage")
            together = stream(seed, f"fault/{name}/{fault.scope}/{id}/{number}")
            for other in fault.together:
                strikes, after = together.random() < other.chance, other.after.draw(together)
                if strikes:
                    begin = at.plus(after)
                    span = _Span(begin, begin.plus(lasts), fault.status, f"with {fault.scope} {id}")
                    yield (other.scope, other.id), span
            at = at.plus(lasts)


def _marked(key: tuple[Scope, str], spans: list[_Span], until: Instant) -> Iterator[Event]:
    """Marks where the status changes: what is lost is lost, however often, until the last outage is over."""
    scope, id = key
    now = "up"
    for moment in sorted({at for span in spans for at in (span.begin, span.end)}):
        if moment >= until:
            return
        over = [span for span in spans if span.begin <= moment < span.end]
        worst = next((span for span in over if span.status == "lost"), over[0] if over else None)
        status: Literal["up", "draining", "lost"] = "up" if worst is None else worst.status
        if status != now:
            evidence = "it is back" if worst is None else worst.evidence
            yield moment, MarkSupply(scope, id, status, evidence)
            now = status


# -- power and prices --------------------------------------------------------------------------------------


def _steps(fault: PowerLimit) -> Iterator[PowerCap]:
    end = fault.until or FOREVER
    if fault.rises_to_mw is None:
        yield PowerCap(fault.site, fault.at, end, fault.cap_mw, fault.kw_per_chip)
        return
    for step in range(fault.steps):
        begin = fault.at.plus((end - fault.at) * step // fault.steps)
        stop = fault.at.plus((end - fault.at) * (step + 1) // fault.steps)
        cap = fault.cap_mw + (fault.rises_to_mw - fault.cap_mw) * step / fault.steps
        yield PowerCap(fault.site, begin, stop, cap, fault.kw_per_chip)


def _changed(pool: Pool, fault: PriceChange) -> tuple[Price, ...]:
    price = fault.usd_per_chip_hour
    if price is None:
        before = pool.price_at(fault.at)
        if before is None:
            message = f"pool {pool.id} has no price at {fault.at} to multiply"
            raise InputError((Problem(message, "Give usd_per_chip_hour.", path="faults"),))
        price = _rounded(float(before) * (fault.times or 1.0))
    return (_price(pool, fault.at, price),)


def _walked(
    pool: Pool, fault: PriceWalk, name: str, start: Instant, until: Instant, seed: int
) -> tuple[Price, ...]:
    chance = stream(seed, f"fault/{name}/pool/{pool.id}")
    moment = start.plus(fault.every)
    found: list[Price] = []
    factor = 1.0
    while moment < until and len(found) < MOST_STRIKES:
        factor *= 2.718281828459045 ** (fault.sigma * chance.gauss(0.0, 1.0))
        base = pool.price_at(moment)
        if base is not None:
            found.append(_price(pool, moment, _rounded(float(base) * factor)))
        moment = moment.plus(fault.every)
    return tuple(found)


def _price(pool: Pool, at: Instant, price: Decimal) -> Price:
    """Of the kind that counts then: what was negotiated goes before the list."""
    negotiated = pool.price_at(at, "negotiated") is not None
    return Price(
        usd_per_chip_hour=price, from_=at, kind="negotiated" if negotiated else "list", evidence="derived"
    )


def _rounded(price: float) -> Decimal:
    return Decimal(round(price * 10_000)) / 10_000


def _repriced(infrastructure: Infrastructure, pool: str, prices: tuple[Price, ...]) -> Infrastructure:
    pools = tuple(
        msgspec.structs.replace(one, prices=(*one.prices, *prices)) if one.id == pool else one
        for one in infrastructure.pools
    )
    return msgspec.structs.replace(infrastructure, pools=pools)
