"""Requirements compared: what became easier, what became larger, and what a deal leaves unmet.

A holder refuses a requirement as it was put. Whoever relaxes it afterwards asks for something else, and
must ask the holder again; otherwise any right could be emptied by first asking for the impossible. A
larger requirement was never refused either. A stricter one of the same size was: who cannot meet less
cannot meet more.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from stargate.agreements.right import Requirement, Terms
from stargate.base.time import FOREVER, Duration, Instant

_STRICTNESS: Final = {"any": 0, "pool": 1, "block": 2}

PARTS: Final = tuple(field.name for field in msgspec.structs.fields(Requirement))
"""Names by which a holder says which part it cannot meet."""


def relaxations(old: Requirement, new: Requirement) -> tuple[str, ...]:
    """Parts that the new requirement makes easier to meet, by field name. Empty: it is no easier."""
    easier = {
        "chips": new.chips < old.chips,
        "chip_types": _wider(old.chip_types, new.chip_types),
        "start_by": new.start_by > old.start_by,
        "duration": new.duration < old.duration,
        "jurisdictions": _wider_places(old.jurisdictions, new.jurisdictions),
        "chips_per_node": new.chips_per_node < old.chips_per_node,
        "topology": _STRICTNESS[new.topology] < _STRICTNESS[old.topology],
        "max_price_micro_usd_per_chip_hour": _higher_cap(
            old.max_price_micro_usd_per_chip_hour, new.max_price_micro_usd_per_chip_hour
        ),
        "sla": (new.sla or Decimal(0)) < (old.sla or Decimal(0)),
    }
    return tuple(name for name, is_easier in easier.items() if is_easier)


def enlargements(old: Requirement, new: Requirement) -> tuple[str, ...]:
    """Parts that make the deal larger than the one refused: quantity and term."""
    larger = {"chips": new.chips > old.chips, "duration": new.duration > old.duration}
    return tuple(name for name, is_larger in larger.items() if is_larger)


def rearming(old: Requirement, new: Requirement) -> tuple[str, ...]:
    """Every part whose change arms a refused right again, each named once."""
    return tuple(dict.fromkeys((*relaxations(old, new), *enlargements(old, new))))


def unmet(requirement: Requirement, terms: Terms) -> tuple[str, ...]:
    """Parts of the requirement that a deal on these terms does not meet, by field name.

    The quantity and the topology are not judged here: a deal may be for a part, and topology is seen in
    the pool.
    """
    price, cap = terms.price_micro_usd_per_chip_hour, requirement.max_price_micro_usd_per_chip_hour
    misses = {
        "chip_types": not allows_chip(requirement.chip_types, terms.chip_type),
        "start_by": terms.start > requirement.start_by,
        "duration": terms.duration < requirement.duration,
        "jurisdictions": not allows_place(requirement.jurisdictions, terms.jurisdiction),
        "max_price_micro_usd_per_chip_hour": cap is not None and price is not None and price > cap,
        "sla": requirement.sla is not None and (terms.sla is None or terms.sla < requirement.sla),
    }
    return tuple(name for name, is_missed in misses.items() if is_missed)


def allows_chip(allowed: tuple[str, ...], chip: str) -> bool:
    """No list allows any chip."""
    return not allowed or chip in allowed


def allows_place(allowed: tuple[str, ...], place: str) -> bool:
    """No list allows any place; `US` covers `US-TX`, not the other way round."""
    return not allowed or any(covers_place(wide, place) for wide in allowed)


def covers_place(wide: str, narrow: str) -> bool:
    """Whether an ISO 3166 code lies inside another."""
    return bool(wide) and (narrow == wide or narrow.startswith(f"{wide}-"))


def moved(requirement: Requirement, shift: Duration) -> Requirement:
    """The same requirement with its latest start moved by `shift`; a start that never comes stays so."""
    return msgspec.structs.replace(requirement, start_by=later(requirement.start_by, shift))


def later(at: Instant, shift: Duration) -> Instant:
    """An instant moved by `shift`, bounded by the end of time."""
    return Instant(min(at + shift, FOREVER))


def _wider(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    if not old:
        return False
    return not new or bool(set(new) - set(old))


def _wider_places(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    if not old:
        return False
    return not new or not all(allows_place(old, place) for place in new)


def _higher_cap(old: int | None, new: int | None) -> bool:
    if old is None:
        return False
    return new is None or new > old
