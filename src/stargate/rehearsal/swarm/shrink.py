"""A smaller case that still fails: fewer events, fewer kinds of faults, fewer workloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from stargate.rehearsal.swarm.case import FAULTS, Case
from stargate.rehearsal.swarm.plan import draw

TRIES = 60
"""Runs that are spent on one case."""


def shrink(case: Case, fails: Callable[[Case], bool], tries: int = TRIES) -> Case:
    """The smallest case found by leaving things out, one after the other, for as long as it goes on failing."""
    left = tries
    moved = True
    while moved and left > 0:
        moved = False
        for smaller in _smaller(case):
            if left <= 0:
                break
            left -= 1
            if fails(smaller):
                case, moved = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """From what leaves out most to what leaves out least."""
    for part in (4, 2):
        if case.events >= part * 2:
            yield msgspec.structs.replace(case, events=case.events // part)
    present = [int(name[1:]) for _, name, _ in draw(case).work]
    for size in (len(present) // 2, len(present) // 4):
        for first in range(0, len(present), size or 1) if size > 1 else ():
            yield msgspec.structs.replace(
                case, skip=tuple(sorted({*case.skip, *present[first : first + size]}))
            )
    for name in FAULTS:
        if name not in case.without:
            yield msgspec.structs.replace(case, without=(*case.without, name))
    if len(present) <= 8:
        for number in present:
            yield msgspec.structs.replace(case, skip=tuple(sorted({*case.skip, number})))
