"""What is particular to the local engine's side of the line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from stargate.engines.local import Bounds
from stargate.engines.local.engine import LocalEngine, job_of
from stargate.engines.local.wire import FRAME_LIMIT
from stargate.workloads import Secret
from tests.engines.stage import AZURE, LONG, ORACLE, WELL, LocalStage, effect

pytestmark = pytest.mark.anyio
JOB = "job.0.1"


def test_a_job_is_what_the_workload_says() -> None:
    start = effect(
        "w.0.3", "run", nodes=2, setup="set up", envs={"A": "1"}, secrets={"T": Secret("hub")}, kind="serve"
    )
    job = job_of(start)
    assert (job.attempt, job.workload, job.epoch, job.nodes) == ("w.0.3", "w", 3, (0, 1))
    assert (job.setup, job.run, job.envs, job.secrets, job.serve) == (
        "set up",
        "run",
        {"A": "1"},
        {"T": "hub"},
        True,
    )


@pytest.fixture
def stage(lasting: LocalStage) -> LocalStage:
    return lasting


async def test_metrics_are_exact(stage: LocalStage, job: str) -> None:
    told = '{"done": true, "step": 3, "loss": 2.191929555223851, "metrics": {"accuracy": 0.1}}'
    await stage.engine.start(effect(job, f"echo '{told}' > $STARGATE_PROGRESS_FILE"))
    outcome = await stage.ended(job)
    assert outcome.metrics == {"loss": Decimal("2.191929555223851"), "accuracy": Decimal("0.1")}
    assert outcome.step == 3


async def test_garbage_in_the_progress_file_harms_nobody(stage: LocalStage, job: str) -> None:
    await stage.engine.start(effect(job, "head -c 100000 /dev/urandom > $STARGATE_PROGRESS_FILE"))
    assert (await stage.ended(job)).phase == "done"
    assert stage.engine.progress(job) is None


async def test_a_workload_too_large_for_a_message_is_refused(stage: LocalStage, job: str) -> None:
    envs = {f"E{n}": "x" * 32_768 for n in range(FRAME_LIMIT // 32_768 + 1)}
    await stage.engine.start(effect(job, WELL, envs=envs))
    outcome = await stage.ended(job)
    assert (outcome.phase, outcome.failure) == ("failed", "user")
    await stage.engine.start(effect(f"other-{job}", WELL))
    assert (await stage.ended(f"other-{job}")).phase == "done"


async def test_an_environment_too_large_for_the_system_is_not_hidden(stage: LocalStage, job: str) -> None:
    envs = {f"E{n}": "x" * 32_768 for n in range(100)}
    await stage.engine.start(effect(job, WELL, envs=envs))
    outcome = await stage.ended(job)
    assert (outcome.phase, outcome.failure) == ("failed", "user")
    assert b"cannot start" in (await stage.engine.logs(job, 0, 0, 1000)).data


async def test_a_name_that_leads_elsewhere_is_refused(stage: LocalStage, job: str) -> None:
    await stage.engine.start(effect(job, WELL, provider="../elsewhere"))
    outcome = await stage.ended(job)
    assert (outcome.phase, outcome.failure) == ("failed", "no_capacity")
    assert not (stage.root.parent / "elsewhere.json").exists()


async def test_providers_with_live_attempts_are_found_without_being_named(tmp_path: Path) -> None:
    stage = LocalStage(tmp_path)
    await stage.engine.open()
    try:
        await stage.engine.start(effect(JOB, LONG, provider=ORACLE))
        await stage.running(JOB)
        await stage.engine.start(effect("other.0.1", WELL, provider="coreweave"))
        first = await stage.ended("other.0.1")
        await stage.engine.close()
        stage.heard.clear()
        stage.engine = LocalEngine(tmp_path, stage.heard.append, (), Bounds(revive_s=None))
        await stage.engine.open()
        await stage.running(JOB)
        assert stage.outcome("other.0.1") == first
        assert stage.marks(ORACLE) == ["up"]
        assert stage.marks("coreweave") == []
    finally:
        await stage.close()


async def test_many_attempts_at_once(stage: LocalStage) -> None:
    jobs = [f"many{n}.0.1" for n in range(20)]
    for job in jobs:
        await stage.engine.start(effect(job, WELL))
    for job in jobs:
        assert (await stage.ended(job)).phase == "done"
        assert stage.starts(job) == 1
    assert set(stage.marks(AZURE)) == {"up"}
