"""How much of a need with unlike parts is put before a holder whose right covers only some of them.

Courts differ on package deals (22 Fordham Urb. L.J. 461), so the clause says it.
"""

from __future__ import annotations

from stargate.agreements.right import Right


def burdened_chips(right: Right, parts: tuple[tuple[int, bool], ...]) -> int:
    """Chips of the need that the holder is asked about; 0: the right is not triggered.

    `parts`: the chips of each part, and whether the right's scope covers it.
    """
    covered = sum(chips for chips, is_covered in parts if is_covered)
    whole = sum(chips for chips, _ in parts)
    if covered in {0, whole}:
        return covered
    if right.package == "no_trigger":
        return 0
    return whole if right.package == "whole" else covered
