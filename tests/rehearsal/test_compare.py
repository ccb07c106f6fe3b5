"""Two runs side by side: equal ones are equal, and others part where a naive search says that they do."""

from __future__ import annotations

import random

import msgspec
import pytest

from stargate.base.time import Instant
from stargate.broker import Entry
from stargate.broker.fact import Placed
from stargate.rehearsal.compare import GIVEN, differences, divergence, subject
from stargate.rehearsal.traces import Job
from tests.rehearsal.report.histories import flat, rich


def decided(entries: list[Entry]) -> list[tuple[int, object]]:
    """Decisions without grounds."""
    return [
        (int(entry.at), msgspec.structs.replace(entry.fact, grounds=()))
        for entry in entries
        if type(entry.fact) not in GIVEN
    ]


def test_a_run_beside_itself_has_no_difference() -> None:
    entries, summary = flat("easy")
    again, same = flat("easy")
    assert divergence(entries, again) is None
    assert differences(summary, same) == ()


@pytest.mark.parametrize("seed", range(6))
def test_they_part_where_a_naive_search_says(seed: int) -> None:
    draw = random.Random(seed)
    given = [
        Job(str(n + 1), draw.randint(0, 900), run := draw.randint(1, 400), draw.randint(1, 8), run)
        for n in range(50)
    ]
    ours, _ = flat("fifo", given=given)
    theirs, _ = flat("easy", given=given)
    one, other = decided(ours), decided(theirs)
    first = next(place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    found = divergence(ours, theirs)
    assert found is not None
    assert found.decisions == first
    assert found.first is not None
    assert found.second is not None
    for shown, (at, fact) in ((found.first, one[first]), (found.second, other[first])):
        assert shown.at == str(Instant(at))
        assert isinstance(fact, Placed)
        assert (shown.kind, shown.subject) == ("placed", subject(fact))


def test_backfilling_is_named_as_the_reason() -> None:
    """The first takes 6 of 8 chips; the second wants 6 and waits; the third wants 2 and may pass it under easy."""
    given = [Job("1", 0, 100, 6, 100), Job("2", 10, 100, 6, 100), Job("3", 20, 50, 2, 50)]
    ours, _ = flat("fifo", given=given)
    theirs, _ = flat("easy", given=given)
    found = divergence(ours, theirs)
    assert found is not None
    assert found.first is not None
    assert found.second is not None
    assert found.before is not None
    assert (found.before.kind, found.before.subject) == ("placed", "1.0")
    assert (found.second.kind, found.second.subject) == ("placed", "3.0")
    assert any("backfilled" in ground.says for ground in found.second.grounds)
    assert found.first_on_second is not None
    assert found.first_on_second.subject == "3.0"
    assert found.first_on_second.at > found.second.at, "ours did the same, later"


def test_a_run_that_goes_on_longer_parts_at_the_end_of_the_other() -> None:
    entries, _ = flat("fifo")
    last = max(place for place, entry in enumerate(entries) if type(entry.fact) not in GIVEN)
    found = divergence(entries, entries[:last])
    assert found is not None
    assert found.second is None
    assert found.first is not None
    assert found.first.seq == entries[last].seq


def test_what_was_told_differently_stands_beside_it() -> None:
    """One more job, and the next decision differs: the job is shown."""
    given = [Job("1", 0, 100, 6, 100), Job("2", 10, 100, 6, 100)]
    ours, _ = flat("fifo", given=given)
    theirs, _ = flat("fifo", given=[*given, Job("9", 5, 10, 2, 10)])
    found = divergence(ours, theirs)
    assert found is not None
    assert found.told_second is not None
    assert (found.told_second.kind, found.told_second.subject) == ("submitted", "")
    assert "id=9" in found.told_second.says


def test_grounds_alone_do_not_part_runs() -> None:
    entries, _ = flat("fifo")
    bare = [
        msgspec.structs.replace(entry, fact=msgspec.structs.replace(entry.fact, grounds=()))
        if isinstance(entry.fact, Placed)
        else entry
        for entry in entries
    ]
    assert divergence(entries, bare) is None


def test_streams_are_read_no_further_than_needed() -> None:
    ours, _ = flat("fifo")
    read: list[int] = []

    def watched() -> object:
        for entry in ours:
            read.append(entry.seq)
            yield entry

    theirs = [*ours[:2], *flat("easy", given=[Job("x", 0, 5, 8, 5)])[0][2:]]
    assert divergence(watched(), theirs) is not None  # type: ignore[arg-type]  # a generator of entries
    assert len(read) <= len(ours)


def test_figures_are_matched_by_name_and_not_by_place() -> None:
    _, fifo = flat("fifo")
    _, easy = flat("easy")
    found = {each.path: each for each in differences(fifo, easy)}
    waits = found["work.wait_seconds.average"]
    assert (waits.first, waits.second) == (fifo.work.wait_seconds.average, easy.work.wait_seconds.average)
    assert waits.change == easy.work.wait_seconds.average - fifo.work.wait_seconds.average
    assert not any(path.startswith(("course", "identity")) for path in found)
    other = {each.path: each for each in differences(fifo, rich())}
    assert other["pools.flat.held_chip_hours"].second is None
    assert other["pools.p.held_chip_hours"].first is None
    assert other["pools.p.held_chip_hours"].change is None


def test_what_a_fact_is_about() -> None:
    entries, _ = flat("fifo")
    placed = next(entry.fact for entry in entries if isinstance(entry.fact, Placed))
    assert subject(placed) == f"{placed.workload}.{placed.slot}"
