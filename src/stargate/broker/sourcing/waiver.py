"""A right given up in writing outside an offer."""

from __future__ import annotations

from stargate.base.errors import ForbiddenError, InputError, NotFoundError, Problem
from stargate.base.time import FOREVER, Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.command import GrantWaiver
from stargate.broker.sourcing.fact import SourcingFact, WaiverGranted
from stargate.broker.sourcing.offer import end, open_offers, refusal_of
from stargate.broker.sourcing.records import Need, Refusal, Waiver
from stargate.broker.sourcing.request import current, moved_by
from stargate.broker.sourcing.rights import covering
from stargate.broker.sourcing.view import View


def decide_waiver(view: View, command: GrantWaiver, at: Instant) -> tuple[SourcingFact, ...]:
    """The waiver, and the end of offers that it makes pointless. Raises ForbiddenError or InputError."""
    if command.granted_by != command.holder:
        raise ForbiddenError(
            f"{command.granted_by} cannot waive a right of {command.holder}", "the holder itself must write it",
            (command.clause,),
        )  # fmt: skip
    if any(waiver.id == command.id for waiver in view.sourcing.waivers):
        return ()
    _check(view, command)
    waiver = Waiver(
        id=command.id,
        clause=command.clause,
        holder=command.holder,
        waiver=command.waiver,
        granted_at=at,
        need=command.need,
        scope=command.waived_scope,
        until=command.waived_until or FOREVER,
        text_ref=command.text_ref,
    )
    says = f"{command.holder} waived its right ({command.waiver})"
    ground = Ground(says, clause=command.clause)
    ended: list[SourcingFact] = []
    for need_id in view.sourcing.open_needs:
        need = view.sourcing.needs[need_id]
        for offer in open_offers(view, need):
            if offer.right.clause == command.clause and offer.status == "offered" and _covers(waiver, need):
                refusal = refusal_of(need, offer, at, offer.chips, offer.terms)
                ended.append(end(offer, "waived", says, refusal))
    stands = None
    if command.waiver == "need" and not ended:
        stands = _as_refusal(view, view.sourcing.needs[command.need], command, at)
    return (WaiverGranted(waiver, stands, (ground,)), *ended)


def _check(view: View, command: GrantWaiver) -> None:
    if command.waiver == "need" and command.need not in view.sourcing.needs:
        raise NotFoundError(f"no need {command.need!r}", "name the need that is waived")
    if command.waiver == "class" and not command.waived_scope:
        problem = Problem("the waived class is empty", "give `waived_scope`", path="waived_scope")
        raise InputError((problem,))
    if command.waiver == "until" and command.waived_until is None:
        problem = Problem("the waiver has no end", "give `waived_until`", path="waived_until")
        raise InputError((problem,))


def _covers(waiver: Waiver, need: Need) -> bool:
    if waiver.waiver == "need":
        return waiver.need == need.id
    return all(need.scope.get(name) == value for name, value in waiver.scope.items())


def _as_refusal(view: View, need: Need, command: GrantWaiver, at: Instant) -> Refusal | None:
    """A waiver for one need stands as a refusal of that need as it is; relaxing it later arms the right again."""
    if need.status == "closed":
        return None
    right = next((one for one, _ in covering(view, need, at) if one.clause == command.clause), None)
    if right is None:
        raise NotFoundError(f"{command.clause} does not cover need {need.id}", "check the clause's id")
    if right.holder != command.holder:
        raise ForbiddenError(
            f"{command.clause} is a right of {right.holder}",
            "only its holder can waive it",
            (command.clause,),
        )
    return Refusal(
        clause=right.clause,
        offer="",
        version=need.version,
        requirement=current(need, at),
        chips=max(1, need.missing_chips),
        at=at,
        shift=moved_by(need, at),
        until=at.plus(right.tail) if right.tail else FOREVER,
        divisible=right.partial,
    )
