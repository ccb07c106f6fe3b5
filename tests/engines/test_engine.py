"""The contract of `stargate.engines.engine`, kept by every engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stargate.base.errors import NotFoundError
from stargate.engines.engine import LOG_PAGE_LIMIT, Engine
from tests.engines.stage import (
    AZURE,
    BAD,
    LONG,
    ORACLE,
    SAVING,
    WELL,
    FakeStage,
    LocalStage,
    effect,
    save,
    stop,
)

pytestmark = pytest.mark.anyio
JOB = "job.0.1"
Stage = LocalStage | FakeStage


@pytest.fixture(params=["local", "fake"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    made: Stage = LocalStage(tmp_path) if request.param == "local" else FakeStage()
    await made.engine.open()
    yield made
    await made.close()


async def test_it_is_an_engine(stage: Stage) -> None:
    assert isinstance(stage.engine, Engine)


async def test_an_attempt_goes_from_acceptance_to_its_end(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, WELL, nodes=2))
    outcome = await stage.ended(JOB)
    assert outcome.phase == "done"
    assert outcome.failure is None
    assert outcome.metrics["loss"] > 0
    phases = stage.phases(JOB)
    assert phases[:2] == ["accepted", "running"]
    assert phases[-1] == "done"


async def test_acceptance_is_said_before_start_returns(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.until(lambda: stage.phases(JOB)[:1] == ["accepted"])


async def test_a_program_that_fails_is_its_users_fault(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, BAD))
    outcome = await stage.ended(JOB)
    assert (outcome.phase, outcome.failure) == ("failed", "user")


async def test_a_second_start_repeats_reports_and_runs_nothing(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.running(JOB)
    stage.heard.clear()
    await stage.engine.start(effect(JOB, LONG))
    await stage.running(JOB)
    await stage.until(lambda: stage.starts(JOB))
    assert stage.starts(JOB) == 1
    assert stage.outcome(JOB) is None


async def test_a_start_after_the_end_repeats_the_end(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, WELL))
    first = await stage.ended(JOB)
    stage.heard.clear()
    await stage.engine.start(effect(JOB, WELL))
    assert await stage.ended(JOB) == first
    assert stage.starts(JOB) == 1


async def test_a_running_attempt_is_stopped(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, LONG, nodes=2))
    await stage.running(JOB)
    await stage.engine.stop(stop(JOB))
    outcome = await stage.ended(JOB)
    assert (outcome.phase, outcome.failure) == ("stopped", None)


async def test_a_second_stop_repeats_the_end(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.running(JOB)
    await stage.engine.stop(stop(JOB))
    await stage.engine.stop(stop(JOB))
    first = await stage.ended(JOB)
    stage.heard.clear()
    await stage.engine.stop(stop(JOB))
    assert await stage.ended(JOB) == first


async def test_a_stop_after_the_end_changes_nothing(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, WELL))
    first = await stage.ended(JOB)
    await stage.engine.stop(stop(JOB))
    await stage.until(lambda: len(stage.outcomes(JOB)) > 1)
    assert stage.outcome(JOB) == first


async def test_an_unknown_attempt_is_stopped_already_and_never_starts(stage: Stage) -> None:
    await stage.engine.stop(stop(JOB))
    assert (await stage.ended(JOB)).phase == "stopped"
    await stage.engine.start(effect(JOB, WELL))
    await stage.until(lambda: len(stage.outcomes(JOB)) > 1)
    assert stage.outcome(JOB) is not None
    assert stage.starts(JOB) == 0


async def test_a_stop_right_after_the_start_is_obeyed(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.engine.stop(stop(JOB))
    assert (await stage.ended(JOB)).phase == "stopped"


async def test_saved_steps_are_reported_and_rise(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, SAVING))
    await stage.until(lambda: sum(report.phase == "checkpointed" for report in stage.reports(JOB)) > 1)
    steps = [report.step or 0 for report in stage.reports(JOB) if report.phase == "checkpointed"]
    assert steps == sorted(set(steps)), "each one once, rising"
    first_steps = [report.step for report in stage.reports(JOB) if report.phase == "running"]
    assert first_steps[-1] == 1
    progress = stage.engine.progress(JOB)
    assert progress is not None
    assert progress.checkpoint_step is not None
    assert progress.checkpoint_step >= steps[-1]


async def test_the_end_says_how_far_it_came(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, SAVING))
    await stage.until(lambda: "checkpointed" in stage.phases(JOB))
    saved = max(report.step or 0 for report in stage.reports(JOB))
    await stage.engine.stop(stop(JOB))
    assert ((await stage.ended(JOB)).step or 0) >= saved


async def test_a_wish_to_save_never_harms(stage: Stage) -> None:
    await stage.engine.checkpoint(save("nobody.0.1"))
    await stage.engine.start(effect(JOB, LONG))
    await stage.running(JOB)
    await stage.engine.checkpoint(save(JOB))
    await stage.engine.stop(stop(JOB))
    assert (await stage.ended(JOB)).phase == "stopped"


async def test_a_lost_provider_is_said_before_its_attempts_fail(stage: Stage) -> None:
    for number in (1, 2, 3):
        await stage.engine.start(effect(f"job{number}.0.1", LONG, nodes=2))
        await stage.running(f"job{number}.0.1")
    await stage.lose(AZURE)
    for number in (1, 2, 3):
        outcome = await stage.ended(f"job{number}.0.1")
        assert (outcome.phase, outcome.failure) == ("failed", "infrastructure")
    lost = next(n for n, said in enumerate(stage.heard) if getattr(said, "status", "") == "lost")
    assert all(getattr(said, "phase", "") != "failed" for said in stage.heard[:lost])


async def test_nothing_starts_at_a_lost_provider_then_or_later(stage: Stage) -> None:
    await stage.engine.start(effect("other.0.1", LONG))
    await stage.lose(AZURE)
    await stage.engine.start(effect(JOB, WELL))
    outcome = await stage.ended(JOB)
    assert (outcome.phase, outcome.failure) == ("failed", "no_capacity")
    assert stage.starts(JOB) == 0


async def test_other_providers_go_on(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, LONG))
    await stage.engine.start(effect("other.0.1", LONG, provider=ORACLE))
    await stage.running("other.0.1")
    await stage.lose(AZURE)
    await stage.ended(JOB)
    assert stage.outcome("other.0.1") is None
    await stage.engine.start(effect("job.0.2", WELL, provider=ORACLE))
    assert (await stage.ended("job.0.2")).phase == "done"


async def test_what_runs_survives_the_server_and_is_adopted_again(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, SAVING, nodes=2))
    await stage.engine.start(effect("other.0.1", LONG, provider=ORACLE))
    await stage.running(JOB)
    await stage.running("other.0.1")
    await stage.reopen()
    await stage.running(JOB)
    await stage.running("other.0.1")
    assert stage.starts(JOB) in {1, 2}, "once for each rank"
    await stage.engine.stop(stop(JOB))
    assert (await stage.ended(JOB)).phase == "stopped"


async def test_an_end_while_nobody_listened_is_told(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, WELL))
    first = await stage.ended(JOB)
    await stage.reopen()
    assert await stage.ended(JOB) == first


async def test_logs_are_read_in_pages(stage: Stage) -> None:
    await stage.engine.start(effect(JOB, WELL, nodes=2))
    await stage.ended(JOB)
    whole = await stage.engine.logs(JOB, 0, 0, LOG_PAGE_LIMIT)
    assert whole.data.count(b"\n") == 2
    assert whole.next_offset == len(whole.data)
    first = await stage.engine.logs(JOB, 0, 0, 5)
    rest = await stage.engine.logs(JOB, 0, first.next_offset, LOG_PAGE_LIMIT)
    assert first.data + rest.data == whole.data
    assert (await stage.engine.logs(JOB, 0, whole.next_offset, 10)).next_offset == whole.next_offset
    together = await stage.engine.logs(JOB, None, 0, 10**9)
    assert together.data


async def test_a_log_of_nobody_is_not_found(stage: Stage) -> None:
    with pytest.raises(NotFoundError):
        await stage.engine.logs("nobody.0.1", 0, 0, 10)
    await stage.engine.start(effect(JOB, LONG))
    with pytest.raises(NotFoundError):
        await stage.engine.logs(JOB, 1, 0, 10)


async def test_nobody_has_no_progress(stage: Stage) -> None:
    assert stage.engine.progress("nobody.0.1") is None
