"""What the agreements are asked about a need: with which attributes, for the whole, a part, or one pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stargate.agreements import Request
from stargate.agreements.refusal import later
from stargate.agreements.right import Requirement
from stargate.base.time import Duration, Instant
from stargate.broker.sourcing.command import Attribute
from stargate.broker.sourcing.records import Need
from stargate.broker.sourcing.view import View
from stargate.catalog import Pool


def attributes_of(
    requirement: Requirement, scope: Mapping[str, Attribute], need: str, chips: int
) -> dict[str, Any]:
    """What is known before any provider is: the scope of the need, and its requirement."""
    found: dict[str, Any] = {**scope, "need": need, "chips": chips}
    if requirement.chip_types:
        found["chip"] = requirement.chip_types
    if requirement.jurisdictions:
        found["jurisdiction"] = requirement.jurisdictions
        found["country"] = tuple(dict.fromkeys(code.partition("-")[0] for code in requirement.jurisdictions))
    return found


def need_request(need: Need) -> Request:
    """May this need be sourced, and who is to be asked first?"""
    attributes = attributes_of(need.requirement, need.scope, need.id, need.requirement.chips)
    return Request(action="source", party=need.party, attributes=attributes)


def part_requests(need: Need) -> tuple[tuple[int, Request], ...]:
    """One question for each part of a package, with its chips; a need without parts is one part."""
    if not need.parts:
        return ((need.requirement.chips, need_request(need)),)
    return tuple(
        (
            part.chips,
            Request(
                action="source",
                party=need.party,
                attributes=attributes_of(need.requirement, {**need.scope, **part.scope}, need.id, part.chips),
            ),
        )
        for part in need.parts
    )


def pool_request(view: View, need: Need, pool: Pool, chips: int, refused: tuple[str, ...]) -> Request:
    """May these chips be sourced in this pool, now that the holders of `refused` clauses have refused?"""
    provider = view.providers[pool.provider]
    jurisdiction = view.sites[pool.site].jurisdiction
    return Request(
        action="source",
        party=need.party,
        provider=provider.party,
        attributes={
            **need.scope,
            "need": need.id,
            "chips": chips,
            "chip": pool.chip,
            "provider": provider.id,
            "provider_party": provider.party,
            "pool": pool.id,
            "site": pool.site,
            "jurisdiction": jurisdiction,
            "country": jurisdiction.partition("-")[0],
            "tenure": pool.tenure,
            "refused": refused,
        },
    )


def moved_by(need: Need, at: Instant) -> Duration:
    """How far dates have moved since the need was opened: by waiting where starts move, by lost suppliers."""
    return Duration(need.shift + (at - need.notice_at if need.moving_start else 0))


def current(need: Need, at: Instant) -> Requirement:
    """The requirement as it stands now: a lead time counts from now, a lost supplier has moved the dates."""
    start_by = later(need.requirement.start_by, Duration(moved_by(need, at) - need.stated_shift))
    return msgspec.structs.replace(need.requirement, start_by=start_by)


def term(need: Need, start: Instant) -> Duration:
    """How long a deal that starts then has to last: the whole term, or what a replacement has left of it."""
    if need.until is None:
        return need.requirement.duration
    return Duration(max(0, min(need.requirement.duration, need.until - start)))
