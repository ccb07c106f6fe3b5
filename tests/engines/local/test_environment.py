"""What a rank finds in its environment."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import msgspec

from stargate.engines.local.environment import HOST, Ports, choose_port, environment
from stargate.engines.local.layout import Layout
from stargate.engines.local.wire import Job

JOB = Job(
    "w.0.3", "w", 0, 3, "azure", "azure-1", (4, 5, 9), 8, envs={"GREETING": "hello", "STARGATE_RANK": "77"}
)


def variables(job: Job, rank: int, tmp_path: Path, base: dict[str, str] | None = None) -> dict[str, str]:
    home = Layout(tmp_path).home(job.attempt)
    ports = Ports(20_001, 20_002 if job.serve else None)
    secrets = {"TOKEN": "geheim"}
    return environment(job, rank, home, tmp_path / "checkpoint", ports, secrets, base or {"PATH": "/bin"})


def test_a_rank_knows_its_place(tmp_path: Path) -> None:
    told = variables(JOB, 2, tmp_path)
    expected = {
        "STARGATE_ATTEMPT": "w.0.3",
        "STARGATE_WORKLOAD": "w",
        "STARGATE_PROVIDER": "azure",
        "STARGATE_RANK": "2",
        "STARGATE_WORLD_SIZE": "3",
        "STARGATE_NODE": "9",
        "STARGATE_MASTER_ADDR": HOST,
        "STARGATE_MASTER_PORT": "20001",
        "STARGATE_NODE_ADDRS": ",".join([HOST] * 3),
        "STARGATE_CHIPS_PER_NODE": "8",
        "STARGATE_CHECKPOINT_DIR": str(tmp_path / "checkpoint"),
        "STARGATE_EPOCH": "3",
        "STARGATE_RUN_DIR": str(tmp_path / "attempts" / "w.0.3"),
        "STARGATE_PROGRESS_FILE": str(tmp_path / "attempts" / "w.0.3" / "progress"),
    }
    assert {name: told[name] for name in expected} == expected


def test_skypilot_users_find_their_names(tmp_path: Path) -> None:
    told = variables(JOB, 1, tmp_path)
    assert told["SKYPILOT_NODE_RANK"] == "1"
    assert told["SKYPILOT_NUM_NODES"] == "3"
    assert told["SKYPILOT_NODE_IPS"].splitlines() == [HOST] * 3
    assert told["SKYPILOT_NUM_GPUS_PER_NODE"] == "8"
    later = msgspec.structs.replace(JOB, attempt="w.0.4", epoch=4)
    assert told["SKYPILOT_TASK_ID"] == variables(later, 1, tmp_path)["SKYPILOT_TASK_ID"]
    assert "SKYPILOT_SERVE_REPLICA_ID" not in told


def test_a_service_has_its_port_and_number(tmp_path: Path) -> None:
    told = variables(msgspec.structs.replace(JOB, serve=True, slot=2), 0, tmp_path)
    assert told["STARGATE_SERVICE_PORT"] == told["PORT"] == "20002"
    assert told["SKYPILOT_SERVE_REPLICA_ID"] == "3"


def test_the_workload_adds_but_does_not_override(tmp_path: Path) -> None:
    told = variables(JOB, 0, tmp_path)
    assert (told["GREETING"], told["TOKEN"]) == ("hello", "geheim")
    assert told["STARGATE_RANK"] == "0"


def test_what_the_operator_has_in_the_environment_stays_there(tmp_path: Path) -> None:
    base = {"PATH": "/bin", "HOME": "/here", "LC_TIME": "C", "CLOUD_SECRET_KEY": "x", "STARGATE_API_KEY": "y"}
    told = variables(JOB, 0, tmp_path, base)
    assert (told["HOME"], told["LC_TIME"]) == ("/here", "C")
    assert not {"CLOUD_SECRET_KEY", "STARGATE_API_KEY"} & set(told)


def test_python_is_the_one_that_runs_stargate(tmp_path: Path) -> None:
    told = variables(JOB, 0, tmp_path)
    assert told["PATH"].split(":") == [str(Path(sys.executable).parent), "/bin"]


def test_a_port_is_free_stable_and_nobody_elses() -> None:
    first = choose_port("a.0.1", "master", ())
    assert first == choose_port("a.0.1", "master", ())
    assert choose_port("a.0.1", "master", {first}) != first
    with socket.create_server((HOST, first)):
        assert choose_port("a.0.1", "master", ()) != first
