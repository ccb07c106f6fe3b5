"""What the agreements are asked about a need: with which attributes, for the whole, a part, or one pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stargate.agreements import Request
from stargate.agreements.refusal import later
from stargate.agreements.right import Requirement, Terms
from stargate.base.time import Duration, Instant
from stargate.broker.sourcing.command import Attribute
from stargate.broker.sourcing.records import Need
from stargate.broker.sourcing.view import View
from stargate.catalog import Pool


def named_chips(view: View, requirement: Requirement) -> Requirement:
    """The requirement with chips under the catalog's ids. Raises NotFoundError for a chip nobody knows."""
    ids = tuple(dict.fromkeys(view.chip_id(name) for name in requirement.chip_types))
    return msgspec.structs.replace(requirement, chip_types=ids)


def named_chip(view: View, terms: Terms) -> Terms:
    """The same for the terms of a deal."""
    return (
        msgspec.structs.replace(terms, chip_type=view.chip_id(terms.chip_type)) if terms.chip_type else terms
    )


def attributes_of(need: Need, scope: Mapping[str, Attribute], chips: int) -> dict[str, Any]:
    """What is known before any provider is: the scope of the need, and its requirement."""
    requirement = need.requirement
    found: dict[str, Any] = {**scope, "need": need.id, "chips": chips, **_circumstances(need)}
    if requirement.chip_types:
        found["chip"] = requirement.chip_types
    if requirement.jurisdictions:
        found["jurisdiction"] = requirement.jurisdictions
        found["country"] = tuple(dict.fromkeys(code.partition("-")[0] for code in requirement.jurisdictions))
    return found


def _circumstances(need: Need) -> dict[str, bool]:
    said = {"emergency": need.emergency, "renewal": bool(need.renews)}
    return {name: True for name, is_so in said.items() if is_so}


def need_request(need: Need) -> Request:
    """May this need be sourced, and who is to be asked first?"""
    attributes = attributes_of(need, need.scope, need.requirement.chips)
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
                attributes=attributes_of(need, {**need.scope, **part.scope}, part.chips),
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
            **_circumstances(need),
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
