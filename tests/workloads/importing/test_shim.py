"""The preambles run in a real shell, as they would on each node."""

from __future__ import annotations

import subprocess

import pytest

from stargate.workloads.importing.shim import dstack_preamble, slurm_preamble


def run(script: str, rank: int, nodes: int = 2) -> str:
    """What the script prints on one node."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "SKYPILOT_NODE_RANK": str(rank),
        "SKYPILOT_NUM_NODES": str(nodes),
        "SKYPILOT_NODE_IPS": "\n".join(f"10.0.0.{n}" for n in range(1, nodes + 1)),
        "SKYPILOT_NUM_GPUS_PER_NODE": "4",
        "SKYPILOT_TASK_ID": "lm-1",
    }
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    return f"{done.stdout}{done.stderr}".strip() if done.returncode == 0 else f"exit {done.returncode}"


def slurm(body: str, rank: int = 0, per_node: int = 1) -> str:
    """A batch script with its preamble, on one node of two."""
    return run(slurm_preamble(body, per_node) + body, rank)


def test_scripts_that_ask_nothing_of_slurm_stay_as_they_are() -> None:
    assert slurm_preamble("python train.py", 8) == ""
    assert dstack_preamble("python train.py") == ""


@pytest.mark.parametrize("rank", [0, 1])
def test_srun_starts_its_tasks_on_each_node(rank: int) -> None:
    printed = slurm("srun --label -c 4 bash -c 'echo $SLURM_PROCID/$SLURM_NTASKS $SLURM_LOCALID'", rank, 2)
    first = rank * 2
    assert sorted(printed.splitlines()) == [f"{first}/4 0", f"{first + 1}/4 1"]


def test_srun_with_fewer_tasks_leaves_nodes_idle() -> None:
    body = "srun -N 1 --ntasks=1 bash -c 'echo ran'"
    assert slurm(body, 0, 2) == "ran"
    assert slurm(body, 1, 2) == ""


def test_srun_hands_on_the_failure_of_a_task() -> None:
    assert slurm("srun bash -c 'exit $((SLURM_PROCID == 1 ? 7 : 0))'", 0, 2) == "exit 7"


def test_the_head_node_is_the_first_of_the_gang() -> None:
    body = 'nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST")); echo ${nodes[0]} $SLURM_NNODES $SLURM_NODEID'
    assert slurm(body, 1) == "10.0.0.1 2 1"


def test_dstack_variables() -> None:
    body = "echo $DSTACK_NODES_NUM $DSTACK_NODE_RANK $DSTACK_MASTER_NODE_IP $DSTACK_GPUS_NUM"
    assert run(dstack_preamble(body) + body, 1) == "2 1 10.0.0.1 8"
