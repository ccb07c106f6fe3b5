"""From signature to delivery, failure, cure and cover; and the end of a lease, by time or by loss.

A pool that is operational with enough chips at the start delivers by itself. Otherwise delivery is due, and
somebody has to report it before the grace ends. A failure may be cured; after that the chips are given up,
and where a holder of a right failed, they may be bought from anybody at any terms.
"""

from __future__ import annotations

from stargate.base.errors import ForbiddenError, NotFoundError, StateConflictError, UserError
from stargate.base.time import Duration, Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.command import ReportDelivery
from stargate.broker.sourcing.fact import (
    CoverGranted,
    DeliveryDue,
    DeliveryFailed,
    LeaseActivated,
    LeaseEnded,
    LeaseResized,
    NeedReopened,
    SourcingFact,
)
from stargate.broker.sourcing.need import close
from stargate.broker.sourcing.records import Lease, Need
from stargate.broker.sourcing.rights import open_leases
from stargate.broker.sourcing.timers import missed_start
from stargate.broker.sourcing.view import View

# -- time --------------------------------------------------------------------------------------------------


def start(view: View, lease: Lease, at: Instant) -> tuple[SourcingFact, ...]:
    """The start has come: delivered by itself, or due."""
    delivered = deliver_if_there(view, lease, at)
    if delivered:
        return delivered
    due = Ground(f"{lease.ordered_chips} chips are due in {lease.pool}; {there(view, lease, at)} are there")
    return (DeliveryDue(lease.id, at.plus(lease.grace), (due,)),)


def deliver_if_there(view: View, lease: Lease, at: Instant) -> tuple[SourcingFact, ...]:
    """The fact of delivery if the pool has all chips up and running; else nothing."""
    if there(view, lease, at) < lease.ordered_chips:
        return ()
    ground = Ground(f"{lease.pool} is operational with {lease.ordered_chips} chips for this lease")
    return _delivered(lease, lease.ordered_chips, ground)


def there(view: View, lease: Lease, at: Instant) -> int:
    """Chips of the pool that run now and are not under other active leases."""
    pool = view.catalog_pools.get(lease.pool)
    if pool is None or view.status_of(pool) != "up":
        return 0
    # Signed but undelivered leases of others do not count: whoever comes first is served first.
    others = sum(
        other.chips
        for other in view.sourcing.leases.values()
        if other.pool == lease.pool and other.status == "active" and other.id != lease.id
    )
    return max(0, view.nodes_at(pool, at) * pool.chips_per_node - others)


def fail(view: View, lease: Lease, at: Instant) -> tuple[SourcingFact, ...]:
    """The grace is over: delivered after all, or failed."""
    delivered = deliver_if_there(view, lease, at)
    if delivered:
        return delivered
    missing = lease.ordered_chips - _usable(view, lease)
    says = f"{lease.provider} has not delivered {missing} of {lease.ordered_chips} chips"
    return (_failed(lease, missing, says, at),)


def give_up(view: View, lease: Lease, at: Instant) -> tuple[SourcingFact, ...]:
    """The time to cure is over: cured after all, or the missing chips are given up."""
    delivered = deliver_if_there(view, lease, at)
    if delivered:
        return delivered
    return _lost(view, lease, _usable(view, lease), "not delivered within the time to cure", at)


def end(view: View, lease: Lease, at: Instant) -> tuple[SourcingFact, ...]:
    """The lease has run its time; with the last one the need is met."""
    ended = LeaseEnded(lease.id, "ended", reason="its term is over", grounds=(Ground("its term is over"),))
    need = view.sourcing.needs[lease.need]
    others = [other for other in open_leases(view, need) if other.id != lease.id]
    if others or need.status == "closed":
        return (ended,)
    if need.status == "covered":
        return (ended, *close(view, need, "met", "every lease has run its time"))
    return (ended, *close(view, need, "unmet", "its term is over"))


def _usable(view: View, lease: Lease) -> int:
    """Chips that came, if they can still be used."""
    pool = view.catalog_pools.get(lease.pool)
    up = pool is not None and view.status_of(pool) == "up"
    return lease.chips if lease.status == "active" and up else 0


def _failed(lease: Lease, missing: int, says: str, at: Instant) -> DeliveryFailed:
    cure = f"; it may cure before {at.plus(lease.cure)}" if lease.cure else ""
    ground = Ground(f"{says}{cure}", clause=lease.clause)
    return DeliveryFailed(lease.id, missing, at.plus(lease.cure), (ground,))


def _delivered(lease: Lease, chips: int, ground: Ground) -> tuple[SourcingFact, ...]:
    if lease.status == "signed":
        return (LeaseActivated(lease.id, chips, (ground,)),)
    return (LeaseResized(lease.id, chips, lease.ordered_chips, (ground,)),)


def _lost(view: View, lease: Lease, usable: int, says: str, at: Instant) -> tuple[SourcingFact, ...]:
    """Give up what is missing: the lease shrinks or fails, a holder's failure gives cover, the need goes on."""
    missing = lease.ordered_chips - usable
    ground = Ground(f"{lease.provider}: {says}", clause=lease.clause)
    need = view.sourcing.needs[lease.need]
    facts: list[SourcingFact] = [
        LeaseResized(lease.id, usable, usable, (ground,))
        if usable
        else LeaseEnded(lease.id, "failed", reason=says, grounds=(ground,))
    ]
    if need.status == "closed":
        return tuple(facts)
    if lease.clause:
        cover = Ground(
            f"{missing} chips may be bought from anybody at any terms; what they cost more is the holder's debt",
            clause=lease.clause,
        )
        price = lease.price_micro_usd_per_chip_hour
        facts.append(CoverGranted(need.id, lease.clause, lease.id, missing, price, (cover,)))
    return (*facts, _reopened(need, lease, at, ground))


def _reopened(need: Need, lease: Lease, at: Instant, ground: Ground) -> NeedReopened:
    """Lead times count anew where the start was reached already; a start that is still to come stays."""
    reached = need.moving_start or lease.status == "active" or at >= missed_start(need)
    shift = Duration(at - need.notice_at if reached else 0)
    return NeedReopened(need.id, at if reached else need.notice_at, shift, (ground,))


# -- commands and calls ------------------------------------------------------------------------------------


def reopen(view: View, need_id: str, lease_id: str, at: Instant, says: str = "") -> tuple[SourcingFact, ...]:
    """The capacity of a lease is lost: the same need goes on.

    Within the tail and the ceiling of what was refused the next third party may sign without another offer. A
    holder that lost what it had delivered may cure, if its clause says so; then it is covered for. Nothing
    happens where the loss is being dealt with already.
    """
    need = view.sourcing.needs[need_id]
    lease = view.sourcing.leases[lease_id]
    assert lease.need == need.id, f"{lease_id} is no lease of {need_id}"
    if not lease.open or lease.delivery == "curing":
        return ()
    says = says or "its capacity was lost"
    if lease.cure:
        return (_failed(lease, lease.ordered_chips, f"{lease.provider}: {says}", at),)
    return _lost(view, lease, 0, says, at)


def decide_report(view: View, command: ReportDelivery, at: Instant) -> tuple[SourcingFact, ...]:
    """What has been delivered so far. Repeats change nothing. Raises UserError and its kind."""
    lease = view.sourcing.leases.get(command.lease)
    if lease is None:
        raise NotFoundError(f"no lease {command.lease!r}", "`stargate leases` lists them")
    need = view.sourcing.needs[lease.need]
    if command.reported_by not in {"", lease.party, need.party}:
        raise ForbiddenError(
            f"{command.reported_by} is no party of lease {lease.id}", "its provider or its buyer reports"
        )
    _check(lease, command, at)
    so_far = lease.chips if lease.status == "active" else 0
    said = command.evidence or f"reported by {command.reported_by or 'an operator'}"
    facts: tuple[SourcingFact, ...] = ()
    if command.delivered_chips > so_far:
        facts = _delivered(
            lease, command.delivered_chips, Ground(f"{command.delivered_chips} chips delivered: {said}")
        )
    missing = lease.ordered_chips - command.delivered_chips
    if command.failed and missing and lease.delivery != "curing":
        return (*facts, _failed(lease, missing, f"{lease.provider} gave up {missing} chips: {said}", at))
    return facts


def _check(lease: Lease, command: ReportDelivery, at: Instant) -> None:
    if not lease.open:
        raise StateConflictError(
            f"lease {lease.id} has {lease.status}", "nothing is to be delivered any more"
        )
    if at < lease.start and not command.failed:
        raise StateConflictError(f"lease {lease.id} starts {lease.start}", "report the delivery then")
    if not 0 <= command.delivered_chips <= lease.ordered_chips:
        raise UserError(
            f"{command.delivered_chips} chips cannot be delivered",
            f"lease {lease.id} is for {lease.ordered_chips}",
        )
    if lease.status == "active" and command.delivered_chips < lease.chips:
        raise StateConflictError(
            f"{lease.chips} chips of {lease.id} were delivered already",
            "mark the pool as lost if they are gone",
        )
