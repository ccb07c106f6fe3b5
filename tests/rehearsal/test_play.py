"""The driver: one batch an instant, effects answered, dates kept, refusals collected."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from itertools import pairwise

import msgspec

from stargate.base.time import HOUR, MINUTE, Instant
from stargate.broker import Effect, Entry, Envelope, Machine, StartAttempt
from stargate.broker.command import Cancel, Declare, Report, Submit
from stargate.broker.fact import CapacitySet, Ended, Placed, Submitted
from stargate.catalog.dated import DatedCount
from stargate.rehearsal.clock import Clock, Event
from stargate.rehearsal.play import Play, patient_collector
from tests.broker.world import START, infrastructure, policy, pool, work

ONE = DatedCount(nodes=1, from_=Instant(0))


class Hourly:
    """Whatever is started is accepted at once and done after an hour."""

    def answer(self, effect: Effect, now: Instant) -> Iterable[Event]:
        """Stops and notices are not answered."""
        if isinstance(effect, StartAttempt):
            yield now, Report(effect.attempt, "accepted")
            yield now.plus(HOUR), Report(effect.attempt, "done")


def stage(*nodes: DatedCount) -> tuple[Play, list[Entry]]:
    """A play on one pool that has the given nodes, and what is heard of it."""
    heard: list[Entry] = []
    machine = Machine()
    place = msgspec.structs.replace(pool("a"), nodes=nodes or (ONE,))
    machine.handle(Envelope("d", START, Declare(infrastructure(place), (), policy())))
    return Play(machine, Hourly(), Clock(START), heard.extend), heard


def test_what_ends_makes_room_for_what_arrives_at_the_same_instant() -> None:
    play, heard = stage()
    play.run([(START, Submit("a", work("a"))), (START.plus(HOUR), Submit("b", work("b")))])
    placed = {entry.fact.workload: entry.at for entry in heard if isinstance(entry.fact, Placed)}
    assert placed == {"a": START, "b": START.plus(HOUR)}
    assert play.clock.now == START.plus(2 * HOUR)
    assert play.facts == len(heard)
    assert all(after.seq == before.seq + 1 for before, after in pairwise(heard))


def test_dates_of_the_catalog_come_by_themselves() -> None:
    """A node that is due in the middle of nothing is there in time."""
    play, heard = stage(
        DatedCount(nodes=0, from_=Instant(0)), DatedCount(nodes=1, from_=START.plus(90 * MINUTE))
    )
    play.run([(START, Submit("a", work("a")))])
    assert [entry.at for entry in heard if isinstance(entry.fact, CapacitySet | Placed)] == [
        START.plus(90 * MINUTE)
    ] * 2


def test_time_stops_where_it_should() -> None:
    play, heard = stage()
    play.run([(START, Submit("a", work("a")))], until=START.plus(MINUTE))
    assert [type(entry.fact) for entry in heard].count(Ended) == 0
    play.run()
    assert [type(entry.fact) for entry in heard].count(Ended) == 1


def test_a_refused_command_is_kept_and_nothing_else_suffers() -> None:
    play, heard = stage()
    play.run([(START, Cancel("nobody")), (START, Submit("a", work("a")))])
    ((at, command, error),) = play.refused
    assert (at, command) == (START, Cancel("nobody"))
    assert "nobody" in error.message
    assert [type(entry.fact) for entry in heard][:2] == [Submitted, Placed]


def test_a_play_that_goes_on_from_another_says_nothing_under_an_id_of_the_other() -> None:
    """The first said more than it caused: numbers that go on from the last entry would meet its own."""
    first, _ = stage()
    refused = [(START, Cancel("nobody"))] * 30
    first.run([*refused, (START, Submit("a", work("a")))])
    again = Play(first.machine, Hourly(), Clock(first.clock.now))
    again.run([(again.clock.now, Submit(f"b{number}", work("b"))) for number in range(60)])
    assert len(first.machine.state.records.workloads) == 61


def test_the_collector_is_as_it_was_afterwards() -> None:
    before = gc.get_threshold()
    with patient_collector():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
