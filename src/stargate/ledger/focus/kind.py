"""What each kind of line is in the words of FOCUS."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

ChargeCategory = Literal["Usage", "Purchase", "Credit", "Adjustment"]
"""There is `Tax` as well; agreements speak of amounts without it."""
Frequency = Literal["One-Time", "Recurring", "Usage-Based"]


class Service(NamedTuple):
    """What was provided."""

    name: str
    category: str
    subcategory: str


class Meaning(NamedTuple):
    """A kind of line in FOCUS."""

    category: ChargeCategory
    frequency: Frequency
    given_back: bool = False
    """The supplier owes it to its customer: on the customer's bill it stands with the sign turned."""
    later: bool = False
    """It pays for what is used, or given back, later: as a cost it is effective then, not when it is billed."""


MEANINGS: dict[str, Meaning] = {
    "usage": Meaning("Usage", "Usage-Based"),
    "burst": Meaning("Usage", "Usage-Based"),
    "reservation": Meaning("Purchase", "Recurring"),
    "shortfall": Meaning("Usage", "Recurring"),
    "make_up": Meaning("Usage", "Recurring"),
    "forfeited": Meaning("Usage", "Recurring"),
    "prepayment": Meaning("Purchase", "One-Time", later=True),
    "prepayment_credit": Meaning("Adjustment", "Recurring", given_back=True, later=True),
    "deposit": Meaning("Purchase", "One-Time", later=True),
    "option": Meaning("Purchase", "One-Time"),
    "late_credit": Meaning("Credit", "One-Time", given_back=True),
    "service_credit": Meaning("Credit", "One-Time", given_back=True),
    "share": Meaning("Adjustment", "Recurring"),
    "backstop": Meaning("Adjustment", "Recurring"),
    "termination_fee": Meaning("Adjustment", "One-Time"),
}
"""Payments and opening balances are no charges, and shares of stock no money: they are left out, and counted."""

COMPUTE = Service("Accelerated Compute", "Compute", "Other (Compute)")
MODELS = Service("Model Serving", "AI and Machine Learning", "Generative AI")
SETTLEMENT = Service("Settlement", "Other", "Other (Other)")


def service_of(kind: str, metric: str) -> Service:
    """What a charge is for."""
    if MEANINGS[kind].category in ("Credit", "Adjustment"):
        return SETTLEMENT
    return MODELS if "token" in metric or "request" in metric else COMPUTE


@lru_cache(maxsize=256)
def unit_name(unit: str) -> str:
    """A unit as FOCUS writes it: `chip_hours` is `Chip-Hours`, `usd` is `USD`; what has none is counted in units."""
    return "USD" if unit == "usd" else "-".join(word.capitalize() for word in (unit or "units").split("_"))


def pricing_category(kind: str, tenure: str, *, committed: bool) -> str:
    """How it is priced. What is bought in advance or held is no committed use itself; what was short of it is."""
    if kind in ("shortfall", "make_up", "forfeited"):
        return "Committed"
    if kind == "usage" and committed:
        return "Committed"
    return "Dynamic" if tenure in ("market", "spot") else "Standard"
