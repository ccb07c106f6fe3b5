"""The collector against timelines computed by hand, against a naive count of the facts, and against plain figures."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stargate.base import wire
from stargate.base.time import HOUR, MINUTE, Instant
from stargate.broker import Entry, Machine, State
from stargate.broker.command import Cancel, MarkSupply, SetCapacity
from stargate.broker.evolve import evolve
from stargate.rehearsal.figures import figures
from stargate.rehearsal.flat import rehearse
from stargate.rehearsal.report.collector import Collector
from stargate.rehearsal.report.gait import Gait
from stargate.rehearsal.report.job import Line
from stargate.rehearsal.report.summary import Identity, Summary
from stargate.rehearsal.traces import Job
from stargate.rehearsal.traces.trace import open_trace
from stargate.workloads import Checkpoint
from tests.broker.world import Bench, policy, pool, work
from tests.rehearsal.report import naive

HELD = policy()


def summed(bench: Bench, lines: list[Line] | None = None, **more: Any) -> Summary:
    """What the bench's entries come to."""
    collector = Collector(lines=None if lines is None else lines.append, **more)
    collector(tuple(bench.entries))
    return collector.finish(Identity(), bench.now)


def test_an_hour_of_one_job_by_hand() -> None:
    """32 chips held for 2 h; 8 placed at 0, accepted at 10 min, running at 15, done at 75 min."""
    bench, lines = Bench(pool("p", price="3"), policy=HELD), list[Line]()
    bench.submit(work("job", team="red"))
    bench.wait(10 * MINUTE)
    bench.report("job.0.1", "accepted")
    bench.wait(5 * MINUTE)
    bench.report("job.0.1", "running", step=1)
    bench.wait(HOUR)
    bench.report("job.0.1", "done", step=100)
    bench.wait(45 * MINUTE)
    found = summed(bench, lines)
    time = found.chip_time
    assert time.held_chip_hours == 64
    assert time.used_chip_hours == 10
    assert time.useful_chip_hours == 8
    assert time.overhead_chip_hours == 2
    assert (time.redone_chip_hours, time.discarded_chip_hours) == (0, 0)
    assert (time.utilisation, time.goodput) == (0.15625, 0.8)
    # Paid from acceptance on: 65 min x 8 chips x $3.
    assert found.metered_micro_usd == 26_000_000
    assert found.providers[0].metered_micro_usd == found.teams[0].metered_micro_usd == 26_000_000
    assert found.work.completion_seconds.average == 75 * 60
    assert found.work.wait_seconds.average == 0
    assert found.work.bounded_slowdown.average == 1.25
    (line,) = lines
    assert (line.outcome, line.chips, line.held_us, line.kept_us) == ("succeeded", 8, 75 * MINUTE, HOUR)


def test_what_is_kept_of_a_run_that_breaks_is_up_to_its_checkpoint() -> None:
    """Runs at 0, saves at 20 min, breaks at 50; runs again at once and is done 40 min later."""
    bench = Bench(pool("p"), pool("q", "oracle"), policy=HELD)
    bench.submit(work("job"))
    bench.run("job.0.1")
    bench.wait(20 * MINUTE)
    bench.report("job.0.1", "checkpointed", step=20)
    bench.wait(30 * MINUTE)
    bench.report("job.0.1", "failed", failure="infrastructure")
    bench.run("job.0.2")
    bench.wait(40 * MINUTE)
    bench.report("job.0.2", "done", step=60)
    found = summed(bench)
    time = found.chip_time
    assert time.useful_chip_hours == 8
    assert time.redone_chip_hours == 4
    assert time.overhead_chip_hours == 0
    assert found.work.recoveries == 1
    assert found.work.failures == {"infrastructure": 1}
    broken = {place.id: place.failures for place in found.providers}
    assert sum(broken.values()) == 1


def test_work_that_is_thrown_away_in_the_end_is_no_goodput() -> None:
    bench = Bench(pool("p"), policy=HELD)
    bench.submit(work("job"))
    bench.run("job.0.1")
    bench.wait(30 * MINUTE)
    bench.do(Cancel("job", "me"))
    bench.wait(30 * MINUTE)
    bench.report("job.0.1", "stopped")
    time = summed(bench).chip_time
    assert (time.useful_chip_hours, time.discarded_chip_hours, time.overhead_chip_hours) == (0, 4, 4)


def test_what_saves_nothing_keeps_nothing_when_it_is_stopped() -> None:
    bench = Bench(pool("p", nodes=1), policy=HELD)
    bench.submit(work("low", checkpoint=None))
    bench.run("low.0.1")
    bench.wait(30 * MINUTE)
    bench.submit(work("high", priority=9))
    bench.report("low.0.1", "stopped")
    found = summed(bench)
    assert found.work.stops == {"preempted": 1}
    assert (found.chip_time.redone_chip_hours, found.chip_time.useful_chip_hours) == (4, 0)
    kept = Bench(pool("p", nodes=1), policy=HELD)
    kept.submit(work("low", checkpoint=Checkpoint(path="x")))
    kept.run("low.0.1")
    kept.wait(30 * MINUTE)
    kept.submit(work("high", priority=9))
    kept.report("low.0.1", "stopped", step=30)
    assert summed(kept).chip_time.useful_chip_hours == 4


def test_where_steps_take_a_known_time_a_late_checkpoint_counts_as_made() -> None:
    """It breaks after an hour and only then says that 40 min of it were saved."""
    bench = Bench(pool("p"), policy=HELD)
    bench.submit(work("job"))
    bench.run("job.0.1")
    bench.wait(HOUR)
    bench.report("job.0.1", "checkpointed", step=40)
    bench.report("job.0.1", "failed", failure="infrastructure", step=40)
    time = summed(bench, pace=lambda _: Gait(MINUTE)).chip_time
    assert time.useful_chip_hours == round(8 * 40 / 60, 6)
    assert time.redone_chip_hours == round(8 * 20 / 60, 6)


def test_outages_and_counts_of_nodes() -> None:
    bench = Bench(pool("p"), pool("q", "oracle", "wi"), policy=HELD)
    bench.wait(HOUR)
    bench.do(MarkSupply("site", "wi", "lost", "storm"))
    bench.wait(2 * HOUR)
    bench.do(MarkSupply("site", "wi", "up"))
    bench.do(SetCapacity("p", 1, "audit"))
    bench.wait(HOUR)
    found = summed(bench)
    assert {place.id: place.down_chip_hours for place in found.sites} == {"tx": 0, "wi": 64}
    assert {place.id: place.held_chip_hours for place in found.pools} == {"p": 3 * 32 + 8, "q": 4 * 32}
    assert [(each.kind, each.subject) for each in found.happenings] == [
        ("supply_marked", "site wi"), ("supply_marked", "site wi"), ("capacity_set", "p"),
    ]  # fmt: skip
    assert found.happenings[2].says == "32 → 8 chips (counted)"


def test_reserved_capacity_is_owed_whether_used_or_not() -> None:
    bench = Bench(pool("p", tenure="reserved", price="2", agreement="held"), policy=HELD)
    bench.wait(3 * HOUR)
    found = summed(bench)
    assert (found.owed_micro_usd, found.metered_micro_usd) == (3 * 32 * 2_000_000, 0)


def test_free_chips_that_are_not_for_the_first_in_line() -> None:
    """Two pools of two nodes, one node of each busy: the first in line wants two, and two are free."""
    bench = Bench(pool("p", nodes=2), pool("q", "oracle", nodes=2), policy=HELD)
    for name, where in (("a", "p"), ("b", "q")):
        bench.submit(work(name, pool=where))
        bench.run(f"{name}.0.1")
    bench.submit(work("wide", 2))
    bench.wait(HOUR)
    bench.report("a.0.1", "done")
    assert bench.where("wide") == "p"
    bench.wait(HOUR)
    time = summed(bench).chip_time
    assert time.stranded_chip_hours == 16
    assert time.fragmented_chip_hours == 16


def test_free_chips_too_few_in_all_are_not_fragmented() -> None:
    bench = Bench(pool("p", nodes=3), policy=HELD)
    bench.submit(work("a", 2))
    bench.submit(work("wide", 2))
    bench.wait(HOUR)
    time = summed(bench).chip_time
    assert (time.stranded_chip_hours, time.fragmented_chip_hours) == (8, 0)


def test_energy_is_what_chips_draw_at_work_and_waiting() -> None:
    """An H100 is rated 700 W; half of the chips work for an hour: PUE 1.2, host 0.5, busy 0.92, idle 0.16."""
    bench = Bench(pool("p"), policy=HELD)
    bench.submit(work("job", 2))
    bench.wait(HOUR)
    found = summed(bench)
    watts = 700 * 1.2 * (16 * (0.92 + 0.5) + 16 * (0.16 + 0.5))
    assert found.energy_mwh == pytest.approx(watts / 1e6, abs=1e-6)
    assert found.course.whole["power_mw"][0] == pytest.approx(watts / 1e6, abs=1e-6)


def drawn(seed: int) -> list[Job]:
    """Jobs of all sizes that come faster than they go."""
    draw = random.Random(seed)
    return [
        Job(str(number + 1), draw.randint(0, 4_000), draw.randint(0, 900), draw.randint(1, 12), draw.randint(1, 900))
        for number in range(120)
    ]  # fmt: skip


@pytest.mark.parametrize("order", ["fifo", "sjf", "easy", "srtf"])
def test_on_a_flat_pool_it_says_what_the_schedule_says(order: str) -> None:
    for seed in range(4):
        collector, entries = Collector(), list[Entry]()
        lines: list[Line] = []
        collector._lines = lines.append

        def both(new: tuple[Entry, ...], entries: list[Entry] = entries, sink: Collector = collector) -> None:
            entries.extend(new)
            sink(new)

        flat = rehearse(drawn(seed), 16, order, sink=both)
        found, plain = collector.finish(Identity()), figures(flat.rows, 16)
        work_done = found.work
        assert work_done.wait_seconds.average == plain.average_wait_seconds
        assert work_done.wait_seconds.median == plain.median_wait_seconds
        assert work_done.wait_seconds.most == plain.most_wait_seconds
        assert work_done.completion_seconds.average == plain.average_completion_seconds
        assert work_done.bounded_slowdown.average == plain.average_bounded_slowdown
        assert found.chip_time.useful_chip_hours == found.chip_time.used_chip_hours
        naively = naive.figures(entries, found.ends)
        assert naively["average_wait_seconds"] == work_done.wait_seconds.average
        assert naively["preempted"] == work_done.stops.get("preempted", 0)
        assert naively["used_chip_hours"] == {place.id: place.used_chip_hours for place in found.pools}
        assert {line.job_id: (line.start_us, line.end_us) for line in lines} == {
            row.job_id: (row.start * 10**6, row.end * 10**6) for row in flat.rows
        }


def played(seed: int) -> tuple[list[Entry], Instant]:
    """A machine under random commands: submissions, reports of all kinds, outages, counts, cancellations."""
    draw = random.Random(seed)
    bench = Bench(pool("p"), pool("q", "oracle", "wi"), pool("r", "aws", "no", nodes=2), policy=HELD)
    names: list[str] = []
    for number in range(160):
        bench.wait(draw.randint(0, 20) * MINUTE)
        live = sorted(bench.state.live)
        pick = draw.random()
        if pick < 0.3 or not live:
            names.append(f"w{number}")
            bench.submit(
                work(names[-1], draw.randint(1, 4), priority=draw.randint(0, 2), team=draw.choice("xyz"))
            )
        elif pick < 0.9:
            step(bench, draw.choice(live), draw)
        elif pick < 0.94:
            bench.do(MarkSupply("site", "wi", draw.choice(("lost", "up", "draining"))))
        elif pick < 0.97:
            bench.do(SetCapacity("p", draw.randint(1, 4)))
        elif not bench.state.records.workloads[names[-1]].ended:
            bench.do(Cancel(names[-1]))
    return bench.entries, bench.now


def step(bench: Bench, name: str, draw: random.Random) -> None:
    """An engine reports the next thing about an attempt."""
    attempt = bench.state.live[name]
    if attempt.status == "stopping":
        bench.report(name, "stopped", step=draw.choice((None, 5_000)))
    elif attempt.status == "placed":
        bench.report(name, "accepted")
    elif attempt.status == "accepted":
        bench.report(name, "running", step=(attempt.checkpoint_step or 0) + 1)
    elif draw.random() < 0.4:
        bench.report(name, "checkpointed", step=(attempt.checkpoint_step or 0) + draw.randint(1, 9))
    else:
        ends: list[dict[str, Any]] = [{"phase": "done"}, {"phase": "failed", "failure": "infrastructure"}]
        bench.report(name, **draw.choice([*ends, {"phase": "failed", "failure": "user"}]))


@pytest.mark.parametrize("seed", range(8))
def test_random_histories_come_to_what_a_naive_count_says(seed: int) -> None:
    entries, now = played(seed)
    collector = Collector()
    collector(tuple(entries))
    found = collector.finish(Identity(), now)
    naively = naive.figures(entries, now)
    assert found.work.wait_seconds.average == naively["average_wait_seconds"]
    assert found.work.completion_seconds.average == naively["average_completion_seconds"]
    assert {p.id: p.used_chip_hours for p in found.pools if p.used_chip_hours} == {
        pool: hours for pool, hours in naively["used_chip_hours"].items() if hours
    }
    assert {p.id: p.held_chip_hours for p in found.pools} == naively["held_chip_hours"]
    progress = collector.progress
    parts = (
        progress.useful_chip_us,
        progress.discarded_chip_us,
        progress.redone_chip_us,
        progress.overhead_chip_us,
    )
    assert min(parts) >= 0
    assert (
        sum(parts) == progress.used_chip_us == sum(s.used.whole for s in collector.capacity.stands.values())
    )
    assert sum(team.used_chip_us for team in progress.teams.values()) == progress.used_chip_us
    course = found.course
    for scope in ("provider", "site", "pool"):
        for part, level in enumerate(course.whole["used_chips"]):
            assert sum(used[part] for used in course.used_chips[scope].values()) == pytest.approx(
                level, abs=1e-4
            )


@pytest.mark.parametrize("seed", range(4))
def test_a_state_of_its_own_sees_what_the_machine_s_state_shows(seed: int) -> None:
    entries, now = played(seed)
    machine = Machine()
    live, following = Collector(machine.state), Collector()
    for entry in entries:
        machine.apply(entry)
        live((entry,))
        following((entry,))
    one, other = live.finish(Identity(), now), following.finish(Identity(), now)
    assert wire.to_json(one) == wire.to_json(other)


@pytest.mark.parametrize("seed", range(6))
def test_going_on_from_a_state_adds_up_to_the_whole(seed: int) -> None:
    """Up to an entry, and adopted from there: chips held and used are those of the whole."""
    entries, now = played(seed)
    whole = Collector()
    whole(tuple(entries))
    all_of_it = whole.finish(Identity(), now)
    middle = len(entries) // 2
    while entries[middle].at == entries[middle - 1].at:
        middle += 1
    state, first = State(), Collector()
    for entry in entries[:middle]:
        evolve(state, entry)
        first((entry,))
    border = entries[middle].at
    second = Collector(state, begins=border)
    for entry in entries[middle:]:
        evolve(state, entry)
        second((entry,))
    halves = [first.finish(Identity(), border), second.finish(Identity(), now)]
    for figure in ("used_chip_hours", "held_chip_hours", "down_chip_hours"):
        added = sum(getattr(half.chip_time, figure) for half in halves)
        assert added == pytest.approx(getattr(all_of_it.chip_time, figure), abs=1e-5)


def test_the_real_trace_has_the_average_wait_of_the_reference(shared: Path) -> None:
    jobs = open_trace(shared / "data/traces/philly/philly_pool_d2c.swf.gz").jobs()
    collector = Collector()
    rehearse(jobs, 384, "fifo", sink=collector)
    found = collector.finish(Identity())
    assert round(found.work.wait_seconds.average, 3) == 30.733
    assert round(found.work.completion_seconds.average, 3) == 6643.695
    assert Decimal(found.work.succeeded) == 3794
