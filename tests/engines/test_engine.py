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
KINDS = ("local", "fake")


async def staged(kind: str, root: Path) -> AsyncIterator[Stage]:
    made: Stage = LocalStage(root) if kind == "local" else FakeStage()
    await made.engine.open()
    yield made
    await made.close()


@pytest.fixture(scope="module", params=KINDS)
async def lasting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    async for made in staged(request.param, tmp_path_factory.mktemp("stage")):
        yield made


@pytest.fixture
def stage(lasting: Stage) -> Stage:
    """Shared by tests that leave the provider as it is."""
    lasting.heard.clear()
    return lasting


@pytest.fixture(params=KINDS)
async def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    """For tests that break something."""
    async for made in staged(request.param, tmp_path):
        yield made


async def test_it_is_an_engine(stage: Stage) -> None:
    assert isinstance(stage.engine, Engine)


async def test_an_attempt_goes_from_acceptance_to_its_end(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, WELL, nodes=2))
    outcome = await stage.ended(job)
    assert outcome.phase == "done"
    assert outcome.failure is None
    assert outcome.metrics["loss"] > 0
    phases = stage.phases(job)
    assert phases[:2] == ["accepted", "running"]
    assert phases[-1] == "done"


async def test_acceptance_is_said_before_start_returns(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, LONG))
    await stage.until(lambda: stage.phases(job)[:1] == ["accepted"])


async def test_a_program_that_fails_is_its_users_fault(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, BAD))
    outcome = await stage.ended(job)
    assert (outcome.phase, outcome.failure) == ("failed", "user")


async def test_a_second_start_repeats_reports_and_runs_nothing(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, LONG))
    await stage.running(job)
    stage.heard.clear()
    await stage.engine.start(effect(job, LONG))
    await stage.running(job)
    await stage.until(lambda: stage.starts(job))
    assert stage.starts(job) == 1
    assert stage.outcome(job) is None


async def test_a_start_after_the_end_repeats_the_end(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, WELL))
    first = await stage.ended(job)
    stage.heard.clear()
    await stage.engine.start(effect(job, WELL))
    assert await stage.ended(job) == first
    assert stage.starts(job) == 1


async def test_a_running_attempt_is_stopped(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, LONG, nodes=2))
    await stage.running(job)
    await stage.engine.stop(stop(job))
    outcome = await stage.ended(job)
    assert (outcome.phase, outcome.failure) == ("stopped", None)


async def test_a_second_stop_repeats_the_end(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, LONG))
    await stage.running(job)
    await stage.engine.stop(stop(job))
    await stage.engine.stop(stop(job))
    first = await stage.ended(job)
    stage.heard.clear()
    await stage.engine.stop(stop(job))
    assert await stage.ended(job) == first


async def test_a_stop_after_the_end_changes_nothing(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, WELL))
    first = await stage.ended(job)
    await stage.engine.stop(stop(job))
    await stage.until(lambda: len(stage.outcomes(job)) > 1)
    assert stage.outcome(job) == first


async def test_an_unknown_attempt_is_stopped_already_and_never_starts(stage: Stage, job: str) -> None:
    await stage.engine.stop(stop(job))
    assert (await stage.ended(job)).phase == "stopped"
    await stage.engine.start(effect(job, WELL))
    await stage.until(lambda: len(stage.outcomes(job)) > 1)
    assert stage.outcome(job) is not None
    assert stage.starts(job) == 0


async def test_a_stop_right_after_the_start_is_obeyed(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, LONG))
    await stage.engine.stop(stop(job))
    assert (await stage.ended(job)).phase == "stopped"


async def test_saved_steps_are_reported_and_rise(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, SAVING))
    await stage.until(lambda: sum(report.phase == "checkpointed" for report in stage.reports(job)) > 1)
    steps = [report.step or 0 for report in stage.reports(job) if report.phase == "checkpointed"]
    assert steps == sorted(set(steps)), "each one once, rising"
    first_steps = [report.step for report in stage.reports(job) if report.phase == "running"]
    assert first_steps[-1] == 1
    progress = stage.engine.progress(job)
    assert progress is not None
    assert progress.checkpoint_step is not None
    assert progress.checkpoint_step >= steps[-1]


async def test_the_end_says_how_far_it_came(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, SAVING))
    await stage.until(lambda: "checkpointed" in stage.phases(job))
    saved = max(report.step or 0 for report in stage.reports(job))
    await stage.engine.stop(stop(job))
    assert ((await stage.ended(job)).step or 0) >= saved


async def test_a_wish_to_save_never_harms(stage: Stage, job: str) -> None:
    await stage.engine.checkpoint(save("nobody.0.1"))
    await stage.engine.start(effect(job, LONG))
    await stage.running(job)
    await stage.engine.checkpoint(save(job))
    await stage.engine.stop(stop(job))
    assert (await stage.ended(job)).phase == "stopped"


async def test_a_lost_provider_is_said_before_its_attempts_fail(fresh: Stage) -> None:
    for number in (1, 2, 3):
        await fresh.engine.start(effect(f"job{number}.0.1", LONG, nodes=2))
        await fresh.running(f"job{number}.0.1")
    await fresh.lose(AZURE)
    for number in (1, 2, 3):
        outcome = await fresh.ended(f"job{number}.0.1")
        assert (outcome.phase, outcome.failure) == ("failed", "infrastructure")
    lost = next(n for n, said in enumerate(fresh.heard) if getattr(said, "status", "") == "lost")
    assert all(getattr(said, "phase", "") != "failed" for said in fresh.heard[:lost])


async def test_nothing_starts_at_a_lost_provider_then_or_later(fresh: Stage) -> None:
    await fresh.engine.start(effect("other.0.1", LONG))
    await fresh.lose(AZURE)
    await fresh.engine.start(effect(JOB, WELL))
    outcome = await fresh.ended(JOB)
    assert (outcome.phase, outcome.failure) == ("failed", "no_capacity")
    assert fresh.starts(JOB) == 0


async def test_other_providers_go_on(fresh: Stage) -> None:
    await fresh.engine.start(effect(JOB, LONG))
    await fresh.engine.start(effect("other.0.1", LONG, provider=ORACLE))
    await fresh.running("other.0.1")
    await fresh.lose(AZURE)
    await fresh.ended(JOB)
    assert fresh.outcome("other.0.1") is None
    await fresh.engine.start(effect("job.0.2", WELL, provider=ORACLE))
    assert (await fresh.ended("job.0.2")).phase == "done"


async def test_what_runs_survives_the_server_and_is_adopted_again(fresh: Stage) -> None:
    await fresh.engine.start(effect(JOB, SAVING, nodes=2))
    await fresh.engine.start(effect("other.0.1", LONG, provider=ORACLE))
    await fresh.running(JOB)
    await fresh.running("other.0.1")
    await fresh.reopen()
    await fresh.running(JOB)
    await fresh.running("other.0.1")
    assert fresh.starts(JOB) in {1, 2}, "once for each rank"
    await fresh.engine.stop(stop(JOB))
    assert (await fresh.ended(JOB)).phase == "stopped"


async def test_an_end_while_nobody_listened_is_told(fresh: Stage) -> None:
    await fresh.engine.start(effect(JOB, WELL))
    first = await fresh.ended(JOB)
    await fresh.reopen()
    assert await fresh.ended(JOB) == first


async def test_logs_are_read_in_pages(stage: Stage, job: str) -> None:
    await stage.engine.start(effect(job, WELL, nodes=2))
    await stage.ended(job)
    whole = await stage.engine.logs(job, 0, 0, LOG_PAGE_LIMIT)
    assert whole.data.count(b"\n") == 2
    assert whole.next_offset == len(whole.data)
    first = await stage.engine.logs(job, 0, 0, 5)
    rest = await stage.engine.logs(job, 0, first.next_offset, LOG_PAGE_LIMIT)
    assert first.data + rest.data == whole.data
    assert (await stage.engine.logs(job, 0, whole.next_offset, 10)).next_offset == whole.next_offset
    together = await stage.engine.logs(job, None, 0, 10**9)
    assert together.data


async def test_a_log_of_nobody_is_not_found(stage: Stage, job: str) -> None:
    with pytest.raises(NotFoundError):
        await stage.engine.logs("nobody.0.1", 0, 0, 10)
    await stage.engine.start(effect(job, LONG))
    with pytest.raises(NotFoundError):
        await stage.engine.logs(job, 1, 0, 10)


async def test_nobody_has_no_progress(stage: Stage) -> None:
    assert stage.engine.progress("nobody.0.1") is None
