"""What one run of the swarm is made from: a seed, and what a smaller run leaves out of what the seed draws."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Seed = Annotated[int, Meta(ge=0)]

FAULTS = ("duplicates", "delays", "losses", "lies", "crashes", "jumps", "outages", "breaks", "amendments")
"""Kinds of faults, each with a rate that the seed draws; about one run in six has none at all."""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One run. The same case on the same commit gives the same digest."""

    seed: Seed
    events: Annotated[int, Meta(ge=1)] = 400
    """Commands after which the faults end and everything is healed."""
    skip: tuple[int, ...] = ()
    """Workloads that are drawn and not submitted, by number."""
    without: tuple[str, ...] = ()
    """Kinds of faults that are left out."""
    found: str = ""
    """What was violated when the case was kept."""
    commit: str = ""
    """Where it was found."""
