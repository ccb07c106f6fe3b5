"""Where a holder serves what it takes, and on which terms."""

from __future__ import annotations

import msgspec

from stargate.agreements.right import Terms
from stargate.base.errors import ForbiddenError, NotFoundError, StateConflictError
from stargate.base.time import FOREVER, Duration, Instant
from stargate.broker.sourcing.fit import free_chips, misfits, price_micro_usd_per_chip_hour
from stargate.broker.sourcing.permit import permit
from stargate.broker.sourcing.records import Need
from stargate.broker.sourcing.request import current, term
from stargate.broker.sourcing.view import View
from stargate.catalog import Pool


def choose_pool(view: View, need: Need, holder: str, chips: int, at: Instant, named: str) -> Pool:
    """The pool that the holder named, or its best one that fits.

    Raises NotFoundError, ForbiddenError or StateConflictError where there is none.
    """
    requirement = current(need, at)
    if named:
        return _named(view, need, holder, chips, at, named)
    fitting = [
        pool
        for pool in view.catalog_pools.values()
        if view.providers[pool.provider].party == holder
        and not misfits(view, requirement, pool, chips)
        and permit(view, need, pool, chips, at).ground is None
    ]
    if not fitting:
        raise StateConflictError(
            f"no pool of {holder} in the catalog fits the requirement of {need.id}",
            "declare the pool first, or answer `cannot_meet`",
        )
    return min(fitting, key=lambda pool: _preference(view, need, pool, chips, at))


def _named(view: View, need: Need, holder: str, chips: int, at: Instant, named: str) -> Pool:
    pool = view.catalog_pools.get(named)
    if pool is None or view.providers[pool.provider].party != holder:
        raise NotFoundError(
            f"{holder} has no pool {named!r}", "name one of its pools in the catalog, or none"
        )
    wrong = misfits(view, current(need, at), pool, chips)
    if wrong:
        raise StateConflictError(
            f"pool {named} does not meet {', '.join(wrong)}", "name another pool, or answer `cannot_meet`"
        )
    ground = permit(view, need, pool, chips, at).ground
    if ground is not None:
        raise ForbiddenError(
            f"pool {named} may not serve {need.id}: {ground.says}", "name another pool", (ground.clause,)
        )
    return pool


def _preference(
    view: View, need: Need, pool: Pool, chips: int, at: Instant
) -> tuple[bool, bool, bool, int, str]:
    """Capacity to be let before capacity held already; there now; cheap."""
    requirement = current(need, at)
    free = free_chips(view, requirement, pool, Instant(min(at + pool.start_delay, FOREVER)))
    price = price_micro_usd_per_chip_hour(pool, at)
    up = view.status_of(pool) == "up"
    return (not up, pool.tenure != "market", free < chips, FOREVER if price is None else price, pool.id)


def holder_terms(
    view: View, need: Need, pool: Pool, chips: int, at: Instant, named: Terms | None
) -> Terms | None:
    """The terms of a taking: those named, completed by what the pool says. None where no price is known."""
    requirement = current(need, at)
    place = view.sites[pool.site].jurisdiction
    if named is not None and named.price_micro_usd_per_chip_hour is not None:
        start = max(named.start, at)
        return msgspec.structs.replace(
            named, chips=chips, start=start, chip_type=named.chip_type or pool.chip,
            jurisdiction=named.jurisdiction or place,
        )  # fmt: skip
    start = _start(view, need, pool, chips, at)
    price = price_micro_usd_per_chip_hour(pool, start)
    if price is None:
        price = requirement.max_price_micro_usd_per_chip_hour
    if price is None:
        return None
    if named is not None:
        return msgspec.structs.replace(named, chips=chips, price_micro_usd_per_chip_hour=price)
    return Terms(chips, price, start, Duration(max(1, term(need, start))), pool.chip, place)


def _start(view: View, need: Need, pool: Pool, chips: int, at: Instant) -> Instant:
    """As soon as the chips are there; at the latest start where they are still to come."""
    requirement = current(need, at)
    soon = Instant(min(at + pool.start_delay, FOREVER))
    if free_chips(view, requirement, pool, soon) >= chips or requirement.start_by == FOREVER:
        return soon
    return max(soon, requirement.start_by)
