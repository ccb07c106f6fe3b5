"""A smaller case that still fails: fewer events, kinds of faults and workloads; then fewer words on the tape."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from stargate.rehearsal.swarm.case import FAULTS, Batch, Case
from stargate.rehearsal.swarm.plan import draw
from stargate.rehearsal.swarm.run import Result, run

TRIES = 60
"""Runs that are spent on the world of a case."""
CUTS = 1_000
"""Runs that are spent on its tape."""


def kind_of(violation: str) -> str:
    """What two failures have in common: the sentence without its numbers and names."""
    return " ".join(word for word in violation.split() if word.isalpha())


def smaller(result: Result) -> Result:
    """The same failure, from less. Where the words alone bring it about, they are kept, and no world is needed.

    What never comes to rest needs somebody who answers: then the case stays one of a world.
    """
    wanted = kind_of(result.violations[0])

    def fails(case: Case) -> bool:
        found = run(case).violations
        return bool(found) and kind_of(found[0]) == wanted

    found = run(shrink(result.case, fails))
    told = msgspec.structs.replace(found.case, tape=found.tape)
    if not told.tape or not fails(told):
        return found
    return run(msgspec.structs.replace(told, tape=cut(told.tape, lambda tape: fails(_told(told, tape)))))


def _told(case: Case, tape: tuple[Batch, ...]) -> Case:
    return msgspec.structs.replace(case, tape=tape)


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
    present = [int(work.id[1:]) for work in draw(case).work]
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


def cut(
    tape: tuple[Batch, ...], fails: Callable[[tuple[Batch, ...]], bool], tries: int = CUTS
) -> tuple[Batch, ...]:
    """A tape from which nothing more can be left out (Zeller's delta debugging): first batches, then commands."""
    left = [tries]
    batches = _without(list(tape), lambda kept: fails(tuple(kept)), left)
    for n in range(len(batches)):
        number = 0
        while number < len(batches[n].envelopes) and left[0] > 0:
            said = batches[n].envelopes
            less = msgspec.structs.replace(batches[n], envelopes=said[:number] + said[number + 1 :])
            tried = [*batches[:n], less, *batches[n + 1 :]]
            left[0] -= 1
            if less.envelopes and fails(tuple(tried)):
                batches = tried
            else:
                number += 1
    return tuple(batches)


def _without(kept: list[Batch], fails: Callable[[list[Batch]], bool], left: list[int]) -> list[Batch]:
    size = len(kept) // 2
    while size and left[0] > 0:
        first = 0
        while first < len(kept) and left[0] > 0:
            tried = kept[:first] + kept[first + size :]
            left[0] -= 1
            if tried and fails(tried):
                kept = tried
            else:
                first += size
        size //= 2
    return kept
