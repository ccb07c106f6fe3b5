"""What waits, by size, by expected run and by team: whom a little room can serve is found without asking everybody."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from heapq import heapify, heappop, merge
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stargate.broker.state import Waiting


class Room(NamedTuple):
    """Bounds on what can start behind the first in line; whoever is beyond them cannot, and the rest may."""

    beside: int
    """Chips free in one pool that nothing is kept in, at most."""
    free: int
    """Chips free in the pool in which room is kept for the first in line."""
    spare: int
    """Chips of it that are not needed even then."""
    until_us: int
    """Time until then."""

    def may_serve(self, chips: int, run_us: int) -> bool:
        """Whether a gang of this size and run time is within the bounds."""
        return chips <= self.beside or (
            chips <= self.free and (run_us <= self.until_us or chips <= self.spare)
        )


class Backlog:
    """The waiting slots by the chips of the least gang that will do."""

    def __init__(self) -> None:
        self._by_size: dict[int, tuple[list[Waiting], list[tuple[int, Waiting]]]] = {}
        """Chips to slots in order of the queue, and in order of their expected run."""
        self.lines: dict[str, dict[int, list[Waiting]]] = {}
        """Team, then chips, to slots in order of the queue. Only work that names a team is here."""

    def add(self, place: Waiting, chips: int, run_us: int, team: str = "") -> None:
        """A slot waits."""
        if team:
            insort(self.lines.setdefault(team, {}).setdefault(chips, []), place)
        held = self._by_size.get(chips)
        if held is None:
            held = self._by_size[chips] = ([], [])
        insort(held[0], place)
        insort(held[1], (run_us, place))

    def remove(self, place: Waiting, chips: int, run_us: int, team: str = "") -> None:
        """It no longer does."""
        if team:
            line = self.lines[team][chips]
            del line[bisect_left(line, place)]
            if not line:
                del self.lines[team][chips]
        in_line, by_run = self._by_size[chips]
        del in_line[bisect_left(in_line, place)]
        del by_run[bisect_left(by_run, (run_us, place))]
        if not in_line:
            del self._by_size[chips]

    def behind(self, place: Waiting, room: Room) -> Iterator[Waiting]:
        """Those after a place in the queue that may find room, in order."""
        return merge(
            *(
                self._of_size(chips, in_line, by_run, place, room)
                for chips, (in_line, by_run) in self._by_size.items()
                if chips <= room.beside or chips <= room.free
            )
        )

    def _of_size(
        self,
        chips: int,
        in_line: list[Waiting],
        by_run: list[tuple[int, Waiting]],
        place: Waiting,
        room: Room,
    ) -> Iterator[Waiting]:
        if room.may_serve(chips, room.until_us + 1):
            return iter(in_line[bisect_right(in_line, place) :])
        short = [waiting for _, waiting in by_run[: bisect_left(by_run, (room.until_us + 1,))]]
        return _after(place, short)


def _after(place: Waiting, waiting: list[Waiting]) -> Iterator[Waiting]:
    """Those after a place, in order: often only the first is wanted, so they are not all sorted."""
    heapify(waiting)
    while waiting:
        first = heappop(waiting)
        if first > place:
            yield first
