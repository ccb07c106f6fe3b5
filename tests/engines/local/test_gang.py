"""A gang starts together, ends together and has one outcome."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time

import pytest

from stargate.base.time import SECOND, Duration
from stargate.engines.local.gang import LOOK_S, SETTLE_S
from stargate.workloads import Checkpoint, Secret
from tests.engines.processes import PATIENCE_S, with_environment
from tests.engines.stage import LocalStage, effect, save, stop

pytestmark = pytest.mark.anyio


@pytest.fixture
def stage(lasting: LocalStage) -> LocalStage:
    return lasting


def left(stage: LocalStage, job: str) -> list[int]:
    """Live processes of a job."""
    return with_environment(f"STARGATE_RUN_DIR={stage.root}/attempts/{job}")


async def log(stage: LocalStage, job: str, rank: int | None = 0) -> str:
    return (await stage.engine.logs(job, rank, 0, 1 << 20)).data.decode()


async def logged(stage: LocalStage, job: str, text: str, rank: int = 0, times: int = 1) -> None:
    """Once a rank has printed this."""
    deadline = time.monotonic() + PATIENCE_S
    while (await log(stage, job, rank)).count(text) < times:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_one_rank_that_fails_takes_the_others_along(stage: LocalStage, job: str) -> None:
    await stage.engine.start(effect(job, "[ $STARGATE_RANK = 1 ] && exit 5; sleep 1000", nodes=3))
    outcome = await stage.ended(job)
    assert (outcome.failure, outcome.detail) == ("user", "rank 1 exited with code 5")
    assert left(stage, job) == []


async def test_a_rank_killed_from_outside_is_not_the_users_fault(stage: LocalStage, job: str) -> None:
    script = "echo $$ > pid-$STARGATE_RANK; [ $STARGATE_RANK = 0 ] && exec sleep 1000; "
    script += "while [ -d /proc/$(cat pid-0) ]; do sleep 0.05; done; exit 75"
    await stage.engine.start(effect(job, script, nodes=2))
    pid = stage.root / "attempts" / job / "pid-0"
    await stage.until(lambda: pid.exists() and pid.read_text().strip())
    os.kill(int(pid.read_text()), signal.SIGKILL)
    outcome = await stage.ended(job)
    assert (outcome.failure, outcome.detail) == ("infrastructure", "rank 0 was killed by SIGKILL")
    assert 0 < LOOK_S < SETTLE_S


async def test_nobody_runs_before_everybody_is_set_up(stage: LocalStage, job: str) -> None:
    setup = "[ $STARGATE_RANK = 0 ] && sleep 0.4; touch set-up-$STARGATE_RANK"
    run = "ls set-up-* | wc -l"
    await stage.engine.start(effect(job, run, nodes=3, setup=setup))
    assert (await stage.ended(job)).phase == "done"
    assert [(await log(stage, job, rank)).strip() for rank in range(3)] == ["3"] * 3


async def test_a_failed_set_up_runs_nothing(stage: LocalStage, job: str) -> None:
    setup = "[ $STARGATE_RANK = 0 ] || exit 2"
    await stage.engine.start(effect(job, "echo ran", nodes=2, setup=setup))
    outcome = await stage.ended(job)
    assert (outcome.failure, outcome.detail) == ("user", "setup of rank 1 exited with code 2")
    assert "ran" not in await log(stage, job)
    assert "running" not in stage.phases(job)


async def test_the_time_limit_ends_it(stage: LocalStage, job: str) -> None:
    limit = Duration(SECOND // 2)
    await stage.engine.start(effect(job, "sleep 1000", nodes=2, time_limit=limit))
    outcome = await stage.ended(job)
    assert (outcome.failure, outcome.detail) == ("user", "its time limit of 500ms has passed")
    assert left(stage, job) == []


async def test_a_stop_leaves_time_to_save(stage: LocalStage, job: str) -> None:
    script = "trap 'sleep 0.3; echo saved; exit 143' TERM; echo up; while true; do sleep 0.05; done"
    await stage.engine.start(effect(job, script, nodes=2))
    await stage.running(job)
    await logged(stage, job, "up", rank=1)
    await stage.engine.stop(stop(job))
    assert (await stage.ended(job)).phase == "stopped"
    assert "saved" in await log(stage, job, 1)
    code = json.loads((stage.root / "attempts" / job / "exit-1").read_text())
    assert code == {"phase": "run", "code": 143}


async def test_after_its_grace_what_does_not_listen_is_killed(stage: LocalStage, job: str) -> None:
    deaf = "trap '' TERM; echo deaf; while true; do sleep 1000; done"
    await stage.engine.start(effect(job, f'setsid bash -c "{deaf}" & {deaf}', nodes=2))
    await logged(stage, job, "deaf", rank=1, times=2)
    await stage.engine.stop(stop(job, grace_s=0.2))
    assert (await stage.ended(job)).phase == "stopped"
    assert left(stage, job) == []


async def test_a_second_stop_may_shorten_the_grace(stage: LocalStage, job: str) -> None:
    await stage.engine.start(effect(job, "trap '' TERM; echo deaf; while true; do sleep 1; done"))
    await logged(stage, job, "deaf")
    await stage.engine.stop(stop(job, grace_s=3600))
    await stage.engine.stop(stop(job, grace_s=0))
    assert (await stage.ended(job)).phase == "stopped"


async def test_nothing_in_a_name_or_a_value_is_run(stage: LocalStage, job: str) -> None:
    envs = {"EVIL": "$(touch evil); `touch evil`; '\"; touch evil"}
    await stage.engine.start(effect(job, 'printf %s "$EVIL"', envs=envs))
    assert (await stage.ended(job)).phase == "done"
    assert await log(stage, job) == envs["EVIL"]
    assert not (stage.root / "attempts" / job / "evil").exists()


async def test_a_secret_reaches_the_program_and_no_file(stage: LocalStage, job: str) -> None:
    secret = stage.root / "secrets" / "hub"
    secret.parent.mkdir()
    secret.write_text("geheim-4711")
    await stage.engine.start(
        effect(job, "[ ${TOKEN#geheim-} = 4711 ] && echo known", secrets={"TOKEN": Secret("hub")})
    )
    assert (await stage.ended(job)).phase == "done"
    assert await log(stage, job) == "known\n"
    holders = [
        path for path in stage.root.rglob("*") if path.is_file() and b"geheim-4711" in path.read_bytes()
    ]
    assert holders == [secret]


async def test_what_cannot_start_says_why(stage: LocalStage, job: str) -> None:
    await stage.engine.start(effect(job, "true", workdir="/nowhere/at/all"))
    outcome = await stage.ended(job)
    assert (outcome.phase, outcome.failure) == ("failed", "user")
    assert "workdir" in outcome.detail


async def test_all_ranks_write_one_log_line_by_line(stage: LocalStage, job: str) -> None:
    await stage.engine.start(effect(job, "for n in 1 2 3; do echo $n of $STARGATE_RANK; done", nodes=3))
    await stage.ended(job)
    lines = (await log(stage, job, None)).splitlines()
    assert sorted(lines) == sorted(f"[{rank}] {n} of {rank}" for rank in range(3) for n in (1, 2, 3))


async def test_the_checkpoint_directory_is_shared_by_attempts_and_providers(
    stage: LocalStage, job: str
) -> None:
    await stage.engine.start(
        effect(job, "echo one > $STARGATE_CHECKPOINT_DIR/state", checkpoint=Checkpoint())
    )
    await stage.ended(job)
    later = job.replace(".0.1", ".0.2")
    await stage.engine.start(effect(later, "cat $STARGATE_CHECKPOINT_DIR/state", provider="oracle"))
    await stage.ended(later)
    assert (await stage.engine.logs(later, 0, 0, 100)).data == b"one\n"
    assert (stage.root / "work" / job.partition(".")[0] / "checkpoint" / "EPOCH").read_text() == "2\n"


async def test_an_attempt_that_was_overtaken_does_not_start(stage: LocalStage, job: str) -> None:
    later = job.replace(".0.1", ".0.2")
    await stage.engine.start(effect(later, "true"))
    await stage.ended(later)
    await stage.engine.start(effect(job, "true"))
    outcome = await stage.ended(job)
    assert (outcome.phase, outcome.failure) == ("failed", "infrastructure")


async def test_a_wish_to_save_is_a_file_that_programs_may_watch(stage: LocalStage, job: str) -> None:
    script = "while [ ! -e $STARGATE_CHECKPOINT_REQUEST ]; do sleep 0.05; done"
    await stage.engine.start(effect(job, script))
    await stage.running(job)
    await stage.engine.checkpoint(save(job))
    assert (await stage.ended(job)).phase == "done"


async def test_a_service_is_told_its_port_and_the_engine_where_it_listens(
    stage: LocalStage, job: str
) -> None:
    await stage.engine.start(effect(job, "echo $PORT; exec sleep 1000", kind="serve"))
    await stage.running(job)
    await logged(stage, job, "\n")
    progress = stage.engine.progress(job)
    assert progress is not None
    assert progress.address == f"127.0.0.1:{(await log(stage, job)).strip()}"


async def test_two_attempts_have_different_ports(stage: LocalStage, job: str) -> None:
    jobs = (job, f"also-{job}")
    for each in jobs:
        await stage.engine.start(effect(each, "echo $STARGATE_MASTER_PORT; sleep 0.5"))
    for each in jobs:
        await stage.ended(each)
    ports = {(await stage.engine.logs(each, 0, 0, 100)).data for each in jobs}
    assert len(ports) == 2
