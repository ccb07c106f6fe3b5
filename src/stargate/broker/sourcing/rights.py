"""How each right stands towards a need at this moment: must its holder be asked, and if not, why not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

from stargate.agreements.refusal import Circumstances, Portion, burdened_chips, outside
from stargate.agreements.right import Right
from stargate.base.time import FOREVER, Duration, Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.records import Lease, Need, Refusal
from stargate.broker.sourcing.request import part_requests
from stargate.broker.sourcing.view import View


@dataclass(frozen=True, slots=True)
class Standing:
    """One right, seen from one need."""

    right: Right
    chips: int
    """Missing chips that its holder must be asked about before anybody else gets them; 0: none."""
    says: str
    """Why none, or in what way the right binds."""
    refusal: Refusal | None = None
    """What stands: third parties may have these terms."""

    @property
    def ground(self) -> Ground:
        """The same as a reason on record."""
        return Ground(f"{self.right.holder}: {self.says}", clause=self.right.clause)


def standings(view: View, need: Need, at: Instant) -> tuple[Standing, ...]:
    """Every live right whose scope covers some of the need, in rank order."""
    return tuple(_standing(view, need, right, burdened, at) for right, burdened in covering(view, need, at))


def covering(view: View, need: Need, at: Instant) -> tuple[tuple[Right, int], ...]:
    """Live rights with the chips of the whole need that each burdens, in rank order, ties as asked."""
    asked = [(chips, view.rights(at, request)) for chips, request in part_requests(need)]
    found = {right.clause: right for _, rights in asked for right in rights if right.holder != need.party}
    burdens = [
        (
            right,
            burdened_chips(
                right,
                tuple((chips, any(one.clause == clause for one in rights)) for chips, rights in asked),
            ),
        )
        for clause, right in found.items()
    ]
    return tuple(sorted(burdens, key=lambda burden: burden[0].rank))


def _standing(view: View, need: Need, right: Right, burdened: int, at: Instant) -> Standing:
    if right.suspended:
        return Standing(right, 0, f"its right rests: {right.suspended}")
    if burdened == 0:
        return Standing(right, 0, "a package that is only partly within scope does not trigger the right")
    carved = _carved_out(view, need, right)
    if carved:
        return Standing(right, 0, carved)
    waiver = _waived(view, need, right, at)
    if waiver:
        return Standing(right, 0, waiver)
    covered = cover_left(view, need, right.clause)
    chips = min(burdened - taken_chips(view, need, right.clause), need.missing_chips) - covered
    if chips <= 0:
        why = (
            "it failed to deliver what is missing" if covered else "it has taken all that it was to be asked"
        )
        return Standing(right, 0, why)
    refusal = need.refusals.get(right.clause)
    if refusal is not None and at < refusal.until and _same_mode(view, refusal, right):
        until = "" if refusal.until == FOREVER else f" until {refusal.until}"
        return Standing(right, chips, f"its refusal of version {refusal.version} stands{until}", refusal)
    return Standing(right, chips, "it is to be asked first")


def _same_mode(view: View, refusal: Refusal, right: Right) -> bool:
    """Whoever refused to serve has not refused to match: an amended right begins anew."""
    return not refusal.offer or view.sourcing.offers[refusal.offer].right.mode == right.mode


def open_leases(view: View, need: Need) -> Iterable[Lease]:
    """Leases of the need that hold, or will hold, capacity."""
    return (lease for id in need.leases if (lease := view.sourcing.leases[id]).open)


def taken_chips(view: View, need: Need, clause: str) -> int:
    """Chips that the holder serves under its right."""
    return sum(lease.ordered_chips for lease in open_leases(view, need) if lease.clause == clause)


def cover_left(view: View, need: Need, clause: str) -> int:
    """Chips that the holder failed to deliver and nobody has stood in for yet."""
    failure = need.failures.get(clause)
    if failure is None:
        return 0
    used = sum(lease.ordered_chips for lease in open_leases(view, need) if clause in lease.covers)
    return max(0, min(failure.chips - used, need.missing_chips))


def _waived(view: View, need: Need, right: Right, at: Instant) -> str:
    for waiver in view.sourcing.waivers:
        if waiver.clause != right.clause or waiver.waiver == "need" or at >= waiver.until:
            continue
        if all(need.scope.get(name) == value for name, value in waiver.scope.items()):
            return f"it waived its right in writing ({waiver.id})"
    return ""


def _carved_out(view: View, need: Need, right: Right) -> str:
    around = Circumstances(
        start_by=need.requirement.start_by, emergency=need.emergency, renewal=bool(need.renews)
    )
    return outside(right, portion(view, need), _others(view, need, right), around)


def portion(view: View, need: Need) -> Portion:
    """The need as thresholds see it; what was closed counts with what was signed."""
    chips = need.requirement.chips
    if need.status == "closed":
        chips = sum(view.sourcing.leases[id].ordered_chips for id in need.leases)
    return Portion(need.id, need.root, chips, Duration(need.requirement.duration), need.opened_at)


def _others(view: View, need: Need, right: Right) -> tuple[Portion, ...]:
    """Needs of the same buyer under the same right that may count with this one."""
    if not right.threshold_chips and not right.threshold_duration:
        return ()
    needs = view.sourcing.needs
    recent = takewhile(
        lambda other: other.opened_at > need.opened_at - right.aggregation_window,
        (needs[id] for id in reversed(view.sourcing.opened)),
    )
    family = (needs[id] for id in view.sourcing.families.get(need.root, ()))
    others = {other.id: other for other in (*recent, *family)}
    return tuple(
        portion(view, other)
        for other in others.values()
        if other.id != need.id and other.party == need.party and right.clause in other.clauses
    )
