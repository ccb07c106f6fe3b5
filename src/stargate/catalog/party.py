"""Companies: those who sign (parties), and those among them that sell capacity (providers)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from stargate.catalog.dated import Id, Name, Sourced, Text

PartyKind = Literal[
    "lab", "cloud", "neocloud", "developer", "chip_maker", "investor", "energy", "customer", "public", "other"
]
"""What a party mostly is in this business; it may be more than one thing, and nothing is decided by it."""


class Party(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A company or body that can sign an agreement."""

    id: Id
    name: Name = ""
    kind: PartyKind = "other"
    country: Annotated[str, Meta(max_length=2)] = ""
    """ISO 3166-1 alpha-2 of its seat."""


class Provider(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A party as a seller of capacity, under the name its capacity is known by."""

    id: Id
    party: Id
    name: Name = ""
    homepage: Text = ""
