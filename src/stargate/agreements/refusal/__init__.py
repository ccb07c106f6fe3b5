"""The law of first refusal as pure functions: windows, comparisons, sharing, thresholds, packages.

What is here says what follows from a right; it knows no state and no clock. Whose turn it is, and what has
been answered, is the broker's sourcing machine. How a clause is written down is the `first_refusal` clause
kind.
"""

from __future__ import annotations

from stargate.agreements.refusal.calendar import deadline, is_business_day, midnight, timely
from stargate.agreements.refusal.package import burdened_chips
from stargate.agreements.refusal.requirement import (
    PARTS,
    allows_chip,
    allows_place,
    covers_place,
    enlargements,
    later,
    moved,
    rearming,
    relaxations,
    unmet,
)
from stargate.agreements.refusal.scope import Circumstances, Portion, outside, together
from stargate.agreements.refusal.sharing import Claim, entitlements, largest_remainder, share
from stargate.agreements.refusal.terms import (
    Comparison,
    Incomparable,
    Outside,
    Within,
    compare,
    compare_as_a_whole,
    matches,
)

__all__ = [
    "PARTS",
    "Circumstances",
    "Claim",
    "Comparison",
    "Incomparable",
    "Outside",
    "Portion",
    "Within",
    "allows_chip",
    "allows_place",
    "burdened_chips",
    "compare",
    "compare_as_a_whole",
    "covers_place",
    "deadline",
    "enlargements",
    "entitlements",
    "is_business_day",
    "largest_remainder",
    "later",
    "matches",
    "midnight",
    "moved",
    "outside",
    "rearming",
    "relaxations",
    "share",
    "timely",
    "together",
    "unmet",
]
