"""Engine models: timelines and accounts that were worked out by hand, and each kind of trouble in the facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base.time import HOUR, MINUTE, SECOND
from stargate.broker.fact import (
    Accepted,
    Checkpointed,
    Ended,
    Placed,
    Requeued,
    Started,
    WorkloadEnded,
)
from tests.rehearsal.world.stages import Played, demand, job, play

HEAD = "start: 2026-01-05\nhorizon: 30d\n"


def balanced(played: Played) -> None:
    """Work done and lost is running time, for every attempt; what was kept is each finished task's work."""
    engines = played.stage.world.engines
    assert not engines.live
    totals = engines.totals
    for name in ("kept", "lost", "stalled", "idle", "waited"):
        assert getattr(totals, name) == sum(one.chips * getattr(one, f"{name}_us") for one in engines.spent)
    for task in engines.tasks.values():
        own = [one for one in engines.spent if one.workload == task.workload]
        assert sum(one.ran_us for one in own) == task.ran_us
        if task.end_us >= 0:
            assert sum(one.kept_us for one in own) == task.total_us
    for ended in played.facts(Ended):
        spent = next(one for one in engines.spent if one.attempt == ended.attempt)
        attempt = played.stage.play.machine.state.records.attempts[ended.attempt]
        assert attempt.ended_at is not None
        held = attempt.ended_at - attempt.placed_at
        assert held == spent.waited_us + spent.ran_us + spent.idle_us


def test_a_job_starts_after_its_delays_and_ends_after_its_time(tmp_path: Path) -> None:
    engines = "engines: [{accept: {fixed: 10s}, start: {fixed: 50s}}]\n"
    played = play(tmp_path, HEAD + engines + demand(job("a", submit_seconds=100)))
    assert played.seconds(Placed) == [100]
    assert played.seconds(Accepted) == [110]
    assert played.seconds(Started) == [160]
    assert played.seconds(Ended) == [160 + 3600]
    (row,) = played.stage.rows
    assert (row.job_id, row.submit, row.start, row.end, row.procs, row.run) == (
        "t.a",
        100,
        160,
        3760,
        8,
        3600,
    )
    balanced(played)


def test_naive_timeline_of_a_queue(tmp_path: Path) -> None:
    # Four nodes here and two in the cloud: six jobs of a node start at once, the seventh when the first ends.
    jobs = [job(f"j{n}", run_seconds=1000 + 100 * n) for n in range(7)]
    played = play(tmp_path, HEAD + demand(*jobs), policy="{lab: lab, order: fifo}")
    assert [row.start for row in played.stage.rows] == [0, 0, 0, 0, 0, 0, 1000]
    assert [row.end for row in played.stage.rows] == [1000, 1100, 1200, 1300, 1400, 1500, 2600]
    balanced(played)


def test_checkpoints_stall_and_save(tmp_path: Path) -> None:
    # 20 minutes of work, then a minute to save. The site is lost after 50 minutes: 40 were saved, 8 are lost.
    engines = "engines: [{saving: {stall: 1m}}]\n"
    fault = "faults: [{fault: outage, scope: site, id: texas, at: '2026-01-05T00:50:00Z', lasts: 2h}]\n"
    here = demand(job("a", provider="own"), form="{save_every: 20m}")
    played = play(tmp_path, HEAD + engines + fault + here)
    first, second = played.stage.world.engines.spent
    assert first.how == "lost"
    assert (first.kept_us, first.lost_us, first.stalled_us) == (40 * MINUTE, 8 * MINUTE, 2 * MINUTE)
    assert second.how == "done"
    assert (second.kept_us, second.lost_us, second.stalled_us) == (20 * MINUTE, 0, 0)
    assert second.begun_us == played.stage.start + 170 * MINUTE
    assert played.seconds(WorkloadEnded) == [190 * 60]
    balanced(played)


def test_without_checkpoints_work_begins_anew(tmp_path: Path) -> None:
    fault = "faults: [{fault: outage, scope: pool, id: home, at: '2026-01-05T00:50:00Z', lasts: 1h}]\n"
    played = play(tmp_path, HEAD + fault + demand(job("a", provider="own"), form="{saves: false}"))
    first, second = played.stage.world.engines.spent
    assert (first.kept_us, first.lost_us) == (0, 50 * MINUTE)
    assert (second.kept_us, second.lost_us) == (HOUR, 0)
    balanced(played)


@pytest.mark.parametrize(("on_stop", "kept"), [("20s", 45 * 60), ("40s", 40 * 60)])
def test_a_stop_saves_if_the_grace_is_long_enough(tmp_path: Path, on_stop: str, kept: int) -> None:
    # The grace is 30 seconds: what needs 20 saves all of it, what needs 40 is killed on the way.
    engines = f"engines: [{{saving: {{on_stop: {on_stop}}}}}]\n"
    begins = "at: '2026-01-05T00:45:00Z', lasts: 1h"
    fault = f"faults: [{{fault: outage, status: draining, scope: pool, id: home, {begins}}}]\n"
    here = demand(job("a", provider="own"), form="{save_every: 20m}")
    played = play(tmp_path, HEAD + engines + fault + here)
    first, second = played.stage.world.engines.spent
    assert first.how == "stopped"
    assert first.kept_us == kept * SECOND
    assert first.ran_us == (45 * 60 + min(30, int(on_stop[:-1]))) * SECOND
    assert second.kept_us == HOUR - first.kept_us
    saved = played.facts(Checkpointed)[-1]
    assert saved.step == kept
    balanced(played)


def test_failures_come_by_chip_hours(tmp_path: Path) -> None:
    # 300 hours of 32 chips at one failure in 320 chip-hours: some 30, each costs at most the hour since it saved.
    engines = "engines: [{failures: {chip_hours_between: 320}}]\n"
    here = demand(job("a", chips=32, run_seconds=300 * 3600, provider="own"), form="{save_every: 1h}")
    played = play(
        tmp_path, HEAD + engines + here, policy="{lab: lab, recovery: {backoff: 1s, backoff_max: 1s}}"
    )
    broken = [one for one in played.stage.world.engines.spent if one.how == "broken"]
    assert 15 <= len(broken) <= 60
    assert all(one.lost_us < HOUR for one in broken)
    assert all(fact.failure == "infrastructure" for fact in played.facts(Ended)[:-1])
    assert played.facts(WorkloadEnded)[0].outcome == "succeeded"
    balanced(played)


def test_published_rates_count_by_chip(tmp_path: Path) -> None:
    engines = "engines: [{failures: {rate: published, times: 100}}]\n"
    here = demand(job("a", chips=32, run_seconds=300 * 3600, provider="own"), form="{save_every: 1h}")
    played = play(tmp_path, HEAD + engines + here)
    assert played.stage.world.engines.totals.hows["broken"] > 3
    balanced(played)


def test_refusals_are_tried_again(tmp_path: Path) -> None:
    played = play(tmp_path, HEAD + "engines: [{refused: 0.5}]\n" + demand(*[job(f"j{n}") for n in range(6)]))
    refused = [fact for fact in played.facts(Ended) if fact.failure == "no_capacity"]
    assert refused
    assert len(played.facts(Requeued)) == len(refused)
    assert [fact.outcome for fact in played.facts(WorkloadEnded)] == ["succeeded"] * 6
    balanced(played)


def test_users_fail_and_cancel_as_in_the_trace(tmp_path: Path) -> None:
    jobs = demand(
        job("good", status="completed"), job("bad", status="failed"), job("gone", status="cancelled")
    )
    played = play(tmp_path, HEAD + jobs)
    ends = {fact.workload: fact.outcome for fact in played.facts(WorkloadEnded)}
    assert ends == {"t.good": "succeeded", "t.bad": "failed", "t.gone": "cancelled"}
    assert set(played.seconds(WorkloadEnded)) == {3600}
    assert played.stage.world.engines.totals.hows == {"done": 1, "failed": 1, "cancelled": 1}
    balanced(played)


def test_a_cancellation_waits_for_the_work_to_have_run(tmp_path: Path) -> None:
    # Its owner cancels after an hour of work, however long it was down in between.
    fault = "faults: [{fault: outage, scope: pool, id: home, at: '2026-01-05T00:30:00Z', lasts: 1h}]\n"
    here = demand(job("a", provider="own", status="cancelled"), form="{save_every: 10m}")
    played = play(tmp_path, HEAD + fault + here)
    assert played.seconds(WorkloadEnded) == [2 * 3600]
    assert played.facts(WorkloadEnded)[0].outcome == "cancelled"
    balanced(played)


def test_late_and_repeated_reports_do_no_harm(tmp_path: Path) -> None:
    engines = "engines: [{reports: {late: 0.5, late_by: {fixed: 5m}, repeated: 0.5}, start: {fixed: 1m}}]\n"
    played = play(tmp_path, HEAD + engines + demand(*[job(f"j{n}") for n in range(20)]))
    assert len(played.facts(WorkloadEnded)) == len(played.facts(Ended)) == 20
    late = [one for one in played.stage.world.engines.spent if one.idle_us == 5 * MINUTE]
    assert late
    assert len(late) < 20
    balanced(played)


def test_an_engine_may_be_slower(tmp_path: Path) -> None:
    engines = "engines: [{pools: [cloud], stretch: 2}, {sites: [texas]}]\n"
    jobs = demand(job("there", provider="cloudy"), job("here", provider="own"))
    played = play(tmp_path, HEAD + engines + jobs)
    assert {row.job_id: row.end for row in played.stage.rows} == {"t.there": 7200, "t.here": 3600}


def test_checkpoints_are_reported_now_and_then(tmp_path: Path) -> None:
    here = demand(job("a", run_seconds=5 * 3600), form="{save_every: 10m}")
    played = play(tmp_path, HEAD + "engines: [{saving: {reported_every: 1h}}]\n" + here)
    assert played.seconds(Checkpointed) == [3600, 7200, 10800, 14400]
    assert [fact.step for fact in played.facts(Checkpointed)] == [3600, 7200, 10800, 14400]


def test_the_same_seed_gives_the_same_and_another_does_not(tmp_path: Path) -> None:
    engines = "engines: [{start: {median: 1m}, failures: {chip_hours_between: 50}, refused: 0.1}]\n"
    text = HEAD + engines + demand(*[job(f"j{n}", run_seconds=9000) for n in range(12)])
    digests = [play(tmp_path, text, seed=seed).stage.state_digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_one_attempts_draws_do_not_shift_anothers(tmp_path: Path) -> None:
    engines = "engines: [{start: {median: 1m}}]\n"
    alone = play(tmp_path, HEAD + engines + demand(job("b")))
    both = play(tmp_path, HEAD + engines + demand(job("a"), job("b")))
    assert alone.stage.rows[0].start == both.stage.rows[1].start
    assert both.stage.rows[0].start != both.stage.rows[1].start
