"""A second, deliberately simple-minded reading of the journal: does anything in it break a promise?

It shares no code with the machine: it looks at each fact as it is applied, keeps its own notes, and knows
only what a lawyer would ask. Whether a right is live it asks the world, as the machine does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stargate.agreements.right import Requirement, Right, Terms
from stargate.base.time import Instant
from stargate.broker.sourcing import fact as facts
from stargate.broker.sourcing.request import need_request

if TYPE_CHECKING:
    from tests.broker.sourcing.world import World

REFUSALS = {"declined", "cannot_meet", "lapsed", "waived", "partial", "not_taken"}
NEVER = Instant(0)
STRICT = {"any": 0, "pool": 1, "block": 2}


@dataclass
class Note:
    """An offer, as far as it matters whether it was honoured."""

    right: Right
    need: str
    requirement: Requirement
    put: Terms | None
    offered_at: Instant
    outcome: str = ""
    ended_at: Instant = NEVER
    named: Terms | None = None
    answered: bool = False
    deadline: Instant | None = None


@dataclass
class Wanted:
    """A need."""

    requirement: Requirement
    stated_at: Instant
    moving: bool
    leases: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    standing_in: dict[str, int] = field(default_factory=dict)
    waived: set[str] = field(default_factory=set)
    closed: bool = False
    served: bool = False


class Naive:
    """Fed with every fact in order; raises AssertionError on the first broken promise."""

    def __init__(self) -> None:
        self.needs: dict[str, Wanted] = {}
        self.offers: dict[str, Note] = {}
        self.leases: dict[str, tuple[str, str, int]] = {}
        """Need, pool and chips of leases that hold capacity."""
        self.covers: dict[str, tuple[str, ...]] = {}

    def see(self, world: World, fact: Any) -> None:
        """One more fact."""
        seen = getattr(self, f"_{type(fact).__name__}", None)
        if seen is not None:
            seen(world, fact)
        for need in self.needs.values():
            held = sum(need.leases.values())
            assert held <= need.requirement.chips, f"{held} chips are held for {need.requirement.chips}"

    # -- needs and offers ----------------------------------------------------------------------------------

    def _NeedOpened(self, world: World, fact: facts.NeedOpened) -> None:  # noqa: N802
        self.needs[fact.need] = Wanted(fact.requirement, world.now, fact.moving_start)

    def _NeedRevised(self, world: World, fact: facts.NeedRevised) -> None:  # noqa: N802
        need = self.needs[fact.need]
        need.requirement, need.stated_at, need.served = fact.requirement, world.now, False

    def _NeedClosed(self, world: World, fact: facts.NeedClosed) -> None:  # noqa: N802
        self.needs[fact.need].closed = True
        still = [id for id, note in self.offers.items() if note.need == fact.need and not note.outcome]
        assert not still, f"{fact.need} closed while {still} are open"

    def _OfferMade(self, world: World, fact: facts.OfferMade) -> None:  # noqa: N802
        twice = [
            note
            for note in self.offers.values()
            if note.need == fact.need and note.right.clause == fact.right.clause and not note.outcome
        ]
        assert not twice, f"{fact.right.clause} is asked twice at once"
        assert not fact.right.suspended, "a right that rests is not honoured"
        self.offers[fact.offer] = Note(
            fact.right, fact.need, fact.requirement, fact.terms, world.now, deadline=fact.deadline
        )

    def _OfferReceived(self, world: World, fact: facts.OfferReceived) -> None:  # noqa: N802
        self.offers[fact.offer].deadline = fact.deadline

    def _OfferAnswered(self, world: World, fact: facts.OfferAnswered) -> None:  # noqa: N802
        note = self.offers[fact.offer]
        if fact.effect:
            assert not note.answered, f"two answers to {fact.offer} count"
            assert not note.outcome, f"an answer to {fact.offer} counts after its end"
            assert note.deadline is None or world.now < note.deadline, "a late answer counts"
            assert fact.answered_by == note.right.holder
            assert fact.answer != "counter"
            note.answered = True

    def _OfferEnded(self, world: World, fact: facts.OfferEnded) -> None:  # noqa: N802
        note = self.offers[fact.offer]
        assert not note.outcome, f"{fact.offer} ends as {note.outcome} and again as {fact.outcome}"
        assert fact.outcome != "lapsed" or (note.deadline is not None and world.now >= note.deadline)
        note.outcome, note.ended_at, note.named = fact.outcome, world.now, fact.terms
        if fact.outcome in {"accepted", "partial"}:
            assert note.answered, "nobody accepted"
            assert fact.taken_chips > 0

    def _WaiverGranted(self, world: World, fact: facts.WaiverGranted) -> None:  # noqa: N802
        if fact.waiver.waiver == "need" and fact.refusal is not None:
            self.needs[fact.waiver.need].waived.add(fact.waiver.clause)

    # -- leases --------------------------------------------------------------------------------------------

    def _LeaseSigned(self, world: World, fact: facts.LeaseSigned) -> None:  # noqa: N802
        need = self.needs[fact.need]
        assert not need.closed, "a closed need signs"
        if not fact.clause:
            self._third_party(world, fact, need)
        else:
            note = self.offers[fact.offer]
            assert note.outcome in {"accepted", "partial", "not_taken"}
            assert world.providers[fact.provider].party == note.right.holder
        if fact.quote.startswith("list:"):
            pool = world.catalog_pools[fact.pool]
            let = sum(chips for _, id, chips in self.leases.values() if id == fact.pool) + fact.chips
            assert let <= pool.nodes_at(fact.start) * pool.chips_per_node, f"{fact.pool} is let twice"
        assert world.status_of(world.catalog_pools[fact.pool]) == "up" or fact.clause
        assert fact.pool not in world.forbidden
        self.leases[fact.lease] = (fact.need, fact.pool, fact.chips)
        need.leases[fact.lease] = fact.chips
        self.covers[fact.lease] = fact.covers

    def _third_party(self, world: World, fact: facts.LeaseSigned, need: Wanted) -> None:
        request = need_request(world.sourcing.needs[fact.need])
        for right in world.rights(world.now, request):
            if right.suspended or right.holder == fact.party or right.clause in need.waived:
                continue
            if any(
                waiver.clause == right.clause and waiver.waiver != "need" and world.now < waiver.until
                for waiver in world.sourcing.waivers
            ):
                continue
            missing = need.requirement.chips - sum(need.leases.values())
            used = sum(chips for id, chips in need.leases.items() if right.clause in self.covers.get(id, ()))
            if missing <= need.failed.get(right.clause, 0) - used:
                continue  # the holder failed to deliver this much: any terms will do
            assert any(
                self._allows(world, note, right, fact, need)
                for note in self.offers.values()
                if note.need == fact.need and note.right.clause == right.clause
            ), f"{fact.lease} is signed past {right.clause}"

    def _allows(self, world: World, note: Note, right: Right, deal: facts.LeaseSigned, need: Wanted) -> bool:
        """Whether this holder refused something at least as good for the third party, lately enough."""
        if note.outcome not in REFUSALS or note.right.mode != right.mode:
            return False
        if note.right.tail and world.now >= note.ended_at + note.right.tail:
            return False
        if _easier(note.requirement, need.requirement, dates=not need.moving and not need.served):
            return False
        ceiling = note.named if note.outcome == "not_taken" else note.put
        if ceiling is None or right.comparison == "as_a_whole":
            return True
        known_at = note.ended_at if note.outcome == "not_taken" else note.offered_at
        price = ceiling.price_micro_usd_per_chip_hour
        assert price is not None
        return (
            deal.price_micro_usd_per_chip_hour <= price
            and deal.terms.prepayment <= ceiling.prepayment
            and max(0, deal.start - world.now) <= max(0, ceiling.start - known_at)
            and deal.terms.duration <= ceiling.duration
            and deal.chips <= ceiling.chips
        )

    def _LeaseResized(self, world: World, fact: facts.LeaseResized) -> None:  # noqa: N802
        need, pool, before = self.leases[fact.lease]
        assert fact.ordered_chips <= before
        self.leases[fact.lease] = (need, pool, fact.ordered_chips)
        self.needs[need].leases[fact.lease] = fact.ordered_chips

    def _LeaseActivated(self, world: World, fact: facts.LeaseActivated) -> None:  # noqa: N802
        self.needs[self.leases[fact.lease][0]].served = True

    def _CoverGranted(self, world: World, fact: facts.CoverGranted) -> None:  # noqa: N802
        failed = self.needs[fact.need].failed
        failed[fact.clause] = failed.get(fact.clause, 0) + fact.chips

    def _LeaseEnded(self, world: World, fact: facts.LeaseEnded) -> None:  # noqa: N802
        need, _, _ = self.leases.pop(fact.lease)
        del self.needs[need].leases[fact.lease]


def _easier(old: Requirement, new: Requirement, *, dates: bool) -> bool:
    """Whether the requirement in force asks for less, or for more of it, than what was refused."""
    old_cap, new_cap = old.max_price_micro_usd_per_chip_hour, new.max_price_micro_usd_per_chip_hour
    return bool(
        new.chips != old.chips
        or new.duration != old.duration
        or (old.chip_types and (not new.chip_types or set(new.chip_types) - set(old.chip_types)))
        or (dates and new.start_by > old.start_by)
        or (old.jurisdictions and not new.jurisdictions)
        or any(
            all(place != wide and not place.startswith(wide + "-") for wide in old.jurisdictions)
            for place in (new.jurisdictions if old.jurisdictions else ())
        )
        or STRICT[new.topology] < STRICT[old.topology]
        or (old_cap is not None and (new_cap is None or new_cap > old_cap))
        or (old.sla is not None and (new.sla is None or new.sla < old.sla))
    )
