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
JOB = "job.0.1"


def left(stage: LocalStage) -> list[int]:
    """Processes of any job of this stage."""
    return with_environment(f"STARGATE_RUN_DIR={stage.root}/")


async def log(stage: LocalStage, rank: int | None = 0) -> str:
    return (await stage.engine.logs(JOB, rank, 0, 1 << 20)).data.decode()


async def logged(stage: LocalStage, text: str, rank: int = 0, times: int = 1) -> None:
    """Once a rank has printed this."""
    deadline = time.monotonic() + PATIENCE_S
    while (await log(stage, rank)).count(text) < times:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_one_rank_that_fails_takes_the_others_along(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, "[ $STARGATE_RANK = 1 ] && exit 5; sleep 1000", nodes=3))
    outcome = await stage.ended(JOB)
    assert (outcome.failure, outcome.detail) == ("user", "rank 1 exited with code 5")
    assert left(stage) == []


async def test_a_rank_killed_from_outside_is_not_the_users_fault(stage: LocalStage) -> None:
    script = "echo $$ > pid-$STARGATE_RANK; [ $STARGATE_RANK = 0 ] && exec sleep 1000; "
    script += "while [ -d /proc/$(cat pid-0) ]; do sleep 0.05; done; exit 75"
    await stage.engine.start(effect(JOB, script, nodes=2))
    pid = stage.root / "attempts" / JOB / "pid-0"
    await stage.until(lambda: pid.exists() and pid.read_text().strip())
    os.kill(int(pid.read_text()), signal.SIGKILL)
    outcome = await stage.ended(JOB)
    assert (outcome.failure, outcome.detail) == ("infrastructure", "rank 0 was killed by SIGKILL")
    assert 0 < LOOK_S < SETTLE_S


async def test_nobody_runs_before_everybody_is_set_up(stage: LocalStage) -> None:
    setup = "[ $STARGATE_RANK = 0 ] && sleep 0.4; touch set-up-$STARGATE_RANK"
    run = "ls set-up-* | wc -l"
    await stage.engine.start(effect(JOB, run, nodes=3, setup=setup))
    assert (await stage.ended(JOB)).phase == "done"
    assert [(await log(stage, rank)).strip() for rank in range(3)] == ["3"] * 3


async def test_a_failed_set_up_runs_nothing(stage: LocalStage) -> None:
    setup = "[ $STARGATE_RANK = 0 ] || exit 2"
    await stage.engine.start(effect(JOB, "echo ran", nodes=2, setup=setup))
    outcome = await stage.ended(JOB)
    assert (outcome.failure, outcome.detail) == ("user", "setup of rank 1 exited with code 2")
    assert "ran" not in await log(stage)
    assert "running" not in stage.phases(JOB)


async def test_the_time_limit_ends_it(stage: LocalStage) -> None:
    limit = Duration(SECOND // 2)
    await stage.engine.start(effect(JOB, "sleep 1000", nodes=2, time_limit=limit))
    outcome = await stage.ended(JOB)
    assert (outcome.failure, outcome.detail) == ("user", "its time limit of 500ms has passed")
    assert left(stage) == []


async def test_a_stop_leaves_time_to_save(stage: LocalStage) -> None:
    script = "trap 'sleep 0.3; echo saved; exit 143' TERM; echo up; while true; do sleep 0.05; done"
    await stage.engine.start(effect(JOB, script, nodes=2))
    await stage.running(JOB)
    await logged(stage, "up", rank=1)
    await stage.engine.stop(stop(JOB))
    assert (await stage.ended(JOB)).phase == "stopped"
    assert "saved" in await log(stage, 1)
    code = json.loads((stage.root / "attempts" / JOB / "exit-1").read_text())
    assert code == {"phase": "run", "code": 143}


async def test_after_its_grace_what_does_not_listen_is_killed(stage: LocalStage) -> None:
    deaf = "trap '' TERM; echo deaf; while true; do sleep 1000; done"
    await stage.engine.start(effect(JOB, f'setsid bash -c "{deaf}" & {deaf}', nodes=2))
    await logged(stage, "deaf", rank=1, times=2)
    await stage.engine.stop(stop(JOB, grace_s=0.2))
    assert (await stage.ended(JOB)).phase == "stopped"
    assert left(stage) == []


async def test_a_second_stop_may_shorten_the_grace(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, "trap '' TERM; echo deaf; while true; do sleep 1; done"))
    await logged(stage, "deaf")
    await stage.engine.stop(stop(JOB, grace_s=3600))
    await stage.engine.stop(stop(JOB, grace_s=0))
    assert (await stage.ended(JOB)).phase == "stopped"


async def test_nothing_in_a_name_or_a_value_is_run(stage: LocalStage) -> None:
    envs = {"EVIL": "$(touch evil); `touch evil`; '\"; touch evil"}
    await stage.engine.start(effect(JOB, 'printf %s "$EVIL"', envs=envs))
    assert (await stage.ended(JOB)).phase == "done"
    assert await log(stage) == envs["EVIL"]
    assert not (stage.root / "attempts" / JOB / "evil").exists()


async def test_a_secret_reaches_the_program_and_no_file(stage: LocalStage) -> None:
    secret = stage.root / "secrets" / "hub"
    secret.parent.mkdir()
    secret.write_text("geheim-4711")
    await stage.engine.start(
        effect(JOB, "[ ${TOKEN#geheim-} = 4711 ] && echo known", secrets={"TOKEN": Secret("hub")})
    )
    assert (await stage.ended(JOB)).phase == "done"
    assert await log(stage) == "known\n"
    holders = [
        path for path in stage.root.rglob("*") if path.is_file() and b"geheim-4711" in path.read_bytes()
    ]
    assert holders == [secret]


async def test_what_cannot_start_says_why(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, "true", workdir="/nowhere/at/all"))
    outcome = await stage.ended(JOB)
    assert (outcome.phase, outcome.failure) == ("failed", "user")
    assert "workdir" in outcome.detail


async def test_all_ranks_write_one_log_line_by_line(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, "for n in 1 2 3; do echo $n of $STARGATE_RANK; done", nodes=3))
    await stage.ended(JOB)
    lines = (await log(stage, None)).splitlines()
    assert sorted(lines) == sorted(f"[{rank}] {n} of {rank}" for rank in range(3) for n in (1, 2, 3))


async def test_the_checkpoint_directory_is_shared_by_attempts_and_providers(stage: LocalStage) -> None:
    await stage.engine.start(
        effect(JOB, "echo one > $STARGATE_CHECKPOINT_DIR/state", checkpoint=Checkpoint())
    )
    await stage.ended(JOB)
    later = "job.0.2"
    await stage.engine.start(effect(later, "cat $STARGATE_CHECKPOINT_DIR/state", provider="oracle"))
    await stage.ended(later)
    assert (await stage.engine.logs(later, 0, 0, 100)).data == b"one\n"
    assert (stage.root / "work" / "job" / "checkpoint" / "EPOCH").read_text() == "2\n"


async def test_an_attempt_that_was_overtaken_does_not_start(stage: LocalStage) -> None:
    await stage.engine.start(effect("job.0.2", "true"))
    await stage.ended("job.0.2")
    await stage.engine.start(effect(JOB, "true"))
    outcome = await stage.ended(JOB)
    assert (outcome.phase, outcome.failure) == ("failed", "infrastructure")


async def test_a_wish_to_save_is_a_file_that_programs_may_watch(stage: LocalStage) -> None:
    script = "while [ ! -e $STARGATE_CHECKPOINT_REQUEST ]; do sleep 0.05; done"
    await stage.engine.start(effect(JOB, script))
    await stage.running(JOB)
    await stage.engine.checkpoint(save(JOB))
    assert (await stage.ended(JOB)).phase == "done"


async def test_a_service_is_told_its_port_and_the_engine_where_it_listens(stage: LocalStage) -> None:
    await stage.engine.start(effect(JOB, "echo $PORT; exec sleep 1000", kind="serve"))
    await stage.running(JOB)
    await logged(stage, "\n")
    progress = stage.engine.progress(JOB)
    assert progress is not None
    assert progress.address == f"127.0.0.1:{(await log(stage)).strip()}"


async def test_two_attempts_have_different_ports(stage: LocalStage) -> None:
    jobs = ("job.0.1", "jab.0.1")
    for job in jobs:
        await stage.engine.start(effect(job, "echo $STARGATE_MASTER_PORT; sleep 0.5"))
    for job in jobs:
        await stage.ended(job)
    ports = {(await stage.engine.logs(job, 0, 0, 100)).data for job in jobs}
    assert len(ports) == 2
