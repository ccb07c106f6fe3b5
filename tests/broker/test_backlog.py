"""What waits, by size: nobody who may find room is passed over, and the order is the queue's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stargate.broker.backlog import Backlog, Room
from stargate.broker.state import Waiting

SLOTS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(0, 20)), max_size=25)
ROOM = st.builds(Room, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 20))


@given(slots=SLOTS, room=ROOM, gone=st.sets(st.integers(0, 24)), after=st.integers(0, 24))
def test_those_behind_are_whom_a_look_at_everybody_finds(
    slots: list[tuple[int, int, int]], room: Room, gone: set[int], after: int
) -> None:
    backlog = Backlog()
    waiting = {}
    for seq, (order, chips, run) in enumerate(slots):
        place = Waiting(order, seq, f"w{seq}", 0)
        waiting[place] = (chips, run)
        backlog.add(place, chips, run)
    for place in [place for place in waiting if place.seq in gone]:
        backlog.remove(place, *waiting.pop(place))
    head = Waiting(1, after, "head", 0)
    expected = [place for place in sorted(waiting) if place > head and room.may_serve(*waiting[place])]
    assert list(backlog.behind(head, room)) == expected


@given(slots=SLOTS, gone=st.sets(st.integers(0, 24)))
def test_the_lines_of_teams_are_the_queue_by_team_and_size(
    slots: list[tuple[int, int, int]], gone: set[int]
) -> None:
    backlog = Backlog()
    waiting = {}
    for seq, (order, chips, run) in enumerate(slots):
        place = Waiting(order, seq, f"w{seq}", 0)
        waiting[place] = (chips % 3 + 1, run, ("", "red", "blue")[run % 3])
        backlog.add(place, *waiting[place])
    for place in [place for place in waiting if place.seq in gone]:
        backlog.remove(place, *waiting.pop(place))
    for team in ("red", "blue"):
        lines = {
            size: sorted(
                place for place, (chips, _, whose) in waiting.items() if (chips, whose) == (size, team)
            )
            for size in (1, 2, 3)
        }
        assert backlog.lines.get(team, {}) == {size: line for size, line in lines.items() if line}
    assert "" not in backlog.lines


def test_room_beside_is_for_everybody_and_kept_room_for_who_does_not_outstay() -> None:
    room = Room(beside=2, free=4, spare=1, until_us=60)
    assert [room.may_serve(chips, 100) for chips in (1, 2, 3, 5)] == [True, True, False, False]
    assert [room.may_serve(chips, 60) for chips in (3, 4, 5)] == [True, True, False]
