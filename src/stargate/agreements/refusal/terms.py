"""Terms compared from the refused holder's side: is the third party's deal better than the one refused?

In compute deals the buyer grants the right to the seller, so "more favourable to the third party" means: a
higher price, a larger quantity, a longer term, more money up front, a later start, a lower service level,
less liability, or a kind of chip or a place that the requirement did not allow.

Sources: lawinsider.com, PacifiCorp PPA "Rejection of Offer; Revival of Offer" ("no more favorable to the
third party"); "First Offer Period" ("taken as a whole"); Fienberg v. Hassan, 928 N.E.2d 356 (a later date
is no match).
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Final, Literal

import msgspec

from stargate.agreements.refusal.requirement import allows_chip, allows_place, covers_place
from stargate.agreements.right import Requirement, Terms
from stargate.base.time import DAY

Order = Literal["same", "less", "more", "unlike"]
"""Seen by the third party: as good as what was refused, less good, better, or of another kind."""

MONETARY: Final = frozenset({"price_micro_usd_per_chip_hour", "prepayment", "duration", "chips"})
"""Terms that a net present value can weigh against each other. The others are never averaged away."""

_YEAR: Final = Decimal(365 * DAY)
_DIGITS: Final = 34
_TERM_WORDS: Final = {
    "price_micro_usd_per_chip_hour": "price",
    "sla": "service level",
    "liability_cap_micro_usd": "liability",
    "chip_type": "chip",
}


class Within(msgspec.Struct, frozen=True, tag="within"):
    """No term is better for the third party than what the holder refused."""


class Outside(msgspec.Struct, frozen=True, tag="outside"):
    """Some terms are better for the third party, and none makes up for it: the holder must be asked again."""

    terms: tuple[str, ...]
    says: str


class Incomparable(msgspec.Struct, frozen=True, tag="incomparable"):
    """Some terms are better and some worse, or of another kind: the holder must be asked again."""

    better: tuple[str, ...]
    worse: tuple[str, ...]
    unlike: tuple[str, ...]
    says: str


Comparison = Within | Outside | Incomparable


def compare(
    refused: Terms,
    offered: Terms,
    requirement: Requirement | None = None,
    *,
    divisible: bool = True,
) -> Comparison:
    """Per term. `requirement`: what it leaves open (which chip, which place) is not compared.

    `divisible`: the holder might have taken a part, so a smaller quantity is no other deal; otherwise each
    lesser amount is one of its own.
    """
    orders = order(refused, offered, requirement, divisible=divisible)
    more, less, unlike = (
        tuple(name for name, found in orders.items() if found == wanted)
        for wanted in ("more", "less", "unlike")
    )
    if not more and not unlike:
        return Within()
    says = _say(refused, offered, (*more, *unlike))
    if less or unlike:
        return Incomparable(better=more, worse=less, unlike=unlike, says=says)
    return Outside(terms=more, says=says)


def compare_as_a_whole(
    refused: Terms,
    offered: Terms,
    requirement: Requirement | None = None,
    *,
    tolerance: Decimal,
    annual_discount_fraction: Decimal,
    divisible: bool = True,
) -> Comparison:
    """By net present value to the seller, where only money, quantity and term differ.

    Still the same deal while the offered value is at most `1 + tolerance` times the refused one. Any other
    term that is better for the third party decides by itself.
    """
    found = compare(refused, offered, requirement, divisible=divisible)
    if isinstance(found, Within) or not MONETARY.issuperset(_better(found)):
        return found
    if refused.price_micro_usd_per_chip_hour is None or offered.price_micro_usd_per_chip_hour is None:
        return found
    before = value_micro_usd_per_chip(refused, annual_discount_fraction)
    after = value_micro_usd_per_chip(offered, annual_discount_fraction)
    if offered.chips > refused.chips:
        after = after * offered.chips / refused.chips
    if after <= before * (1 + tolerance):
        return Within()
    says = (
        f"taken as a whole the deal is worth {_percent(after, before)}% of the one refused; "
        f"{_percent(1 + tolerance, Decimal(1))}% is its bound"
    )
    return Outside(terms=_better(found), says=says)


def order(
    refused: Terms, offered: Terms, requirement: Requirement | None, *, divisible: bool
) -> dict[str, Order]:
    """Each term as the third party sees it against what was refused."""
    free_chip = requirement is not None and _both_allowed(
        allows_chip, requirement.chip_types, refused.chip_type, offered.chip_type
    )
    free_place = requirement is not None and _both_allowed(
        allows_place, requirement.jurisdictions, refused.jurisdiction, offered.jurisdiction
    )
    return {
        "price_micro_usd_per_chip_hour": _price(refused, offered),
        "chips": _chips(refused.chips, offered.chips, divisible=divisible),
        "duration": _rising(refused.duration, offered.duration),
        "start": _rising(refused.start, offered.start),
        "prepayment": _rising(refused.prepayment, offered.prepayment),
        "sla": _rising(-(refused.sla or Decimal(0)), -(offered.sla or Decimal(0))),
        "liability_cap_micro_usd": _liability(
            refused.liability_cap_micro_usd, offered.liability_cap_micro_usd
        ),
        "chip_type": "same" if free_chip or refused.chip_type == offered.chip_type else "unlike",
        "jurisdiction": "same" if free_place else _place(refused.jurisdiction, offered.jurisdiction),
    }


def matches(put: Terms, answered: Terms, requirement: Requirement | None = None) -> tuple[str, ...]:
    """Terms of an answer that are worse for the buyer than those put to the holder. Empty: a full match.

    A holder that takes a part is judged on that part: compare with the terms put for that many chips.
    """
    orders = order(put, answered, requirement, divisible=False)
    return tuple(name for name, found in orders.items() if found in {"more", "unlike"})


def value_micro_usd_per_chip(terms: Terms, annual_discount_fraction: Decimal) -> Decimal:
    """Present value of a chip's payments at the start: the prepaid part at once, the rest evenly."""
    price = Decimal(terms.price_micro_usd_per_chip_hour or 0)
    with localcontext() as context:
        context.prec = _DIGITS
        total = price * Decimal(int(terms.duration)) / Decimal(DAY // 24)
        exponent = annual_discount_fraction * Decimal(int(terms.duration)) / _YEAR
        evenly = Decimal(1) if exponent == 0 else (1 - (-exponent).exp()) / exponent
        return total * (terms.prepayment + (1 - terms.prepayment) * evenly)


def _better(found: Outside | Incomparable) -> tuple[str, ...]:
    return found.terms if isinstance(found, Outside) else (*found.better, *found.unlike)


def _both_allowed(allows: object, allowed: tuple[str, ...], first: str, second: str) -> bool:
    assert callable(allows), "a rule of what is allowed"
    return bool(allows(allowed, first) and allows(allowed, second))


def _rising(refused: Decimal | int, offered: Decimal | int) -> Order:
    return "same" if offered == refused else "more" if offered > refused else "less"


def _price(refused: Terms, offered: Terms) -> Order:
    before, after = refused.price_micro_usd_per_chip_hour, offered.price_micro_usd_per_chip_hour
    return "same" if before is None or after is None else _rising(before, after)


def _chips(refused: int, offered: int, *, divisible: bool) -> Order:
    if offered < refused:
        return "same" if divisible else "more"
    return _rising(refused, offered)


def _liability(refused: int | None, offered: int | None) -> Order:
    if refused == offered:
        return "same"
    if refused is None:
        return "more"
    return "less" if offered is None or offered > refused else "more"


def _place(refused: str, offered: str) -> Order:
    if refused == offered or not refused:
        return "same"
    if covers_place(refused, offered):
        return "less"
    return "more" if not offered or covers_place(offered, refused) else "unlike"


def _say(refused: Terms, offered: Terms, names: tuple[str, ...]) -> str:
    return "; ".join(
        f"{_TERM_WORDS.get(name, name)} {_show(getattr(refused, name))} "
        f"became {_show(getattr(offered, name))}"
        for name in names
    )


def _show(value: object) -> str:
    return "none" if value is None else str(value) or "unnamed"


def _percent(part: Decimal, whole: Decimal) -> str:
    return "more than 999" if whole == 0 else f"{part / whole * 100:.2f}"
