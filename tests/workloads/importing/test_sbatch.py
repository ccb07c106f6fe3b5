"""Batch scripts of Slurm to workloads."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings

from stargate.base.errors import InputError
from stargate.base.time import DAY, HOUR, MINUTE, SECOND
from stargate.workloads import parse
from stargate.workloads.importing import KnownChip, import_text
from stargate.workloads.importing.headers import split
from stargate.workloads.importing.sbatch import import_sbatch
from stargate.workloads.render import to_yaml
from tests.workloads.strategies import SBATCH, all_explained

CHIPS = (
    KnownChip("H100-SXM", "NVIDIA", Decimal(80)),
    KnownChip("A100-40GB-SXM", "NVIDIA", Decimal(40)),
    KnownChip("MI300X", "AMD", Decimal(192)),
)

SCRIPT = """#!/bin/bash -l
#SBATCH --job-name=llama_7b
#SBATCH -N 2 --ntasks-per-node=8
#SBATCH --cpus-per-task 6
#SBATCH --gres=gpu:h100:8,nvme:1
#SBATCH --time=1-12:30:00   # a day and a half
#SBATCH -A research -p gpu
#SBATCH --mem=64G
#SBATCH --export=ALL,LR=3e-4
#SBATCH --exclusive
#SBATCH --output="logs/%j out.txt"
#SBATCH --signal=B:USR1@120

module load cuda
#SBATCH --nodes=9
srun python train.py
"""


def test_headers_become_fields_and_the_rest_is_carried() -> None:
    imported = import_text(SCRIPT, "train.sbatch")
    workload = imported.workload
    (resources,) = workload.alternatives
    assert imported.format == "sbatch"
    assert (workload.name, workload.team, workload.nodes) == ("llama-7b", "research", 2)
    assert (resources.chip, resources.chips_per_node) == ("H100", 8)
    assert (resources.cpus, resources.memory_gib) == (Decimal(48), Decimal(64))
    assert workload.time_limit == DAY + 12 * HOUR + 30 * MINUTE
    assert workload.envs == {"LR": "3e-4"}
    assert workload.engine_options == {
        "slurm": {
            "account": "research",
            "partition": "gpu",
            "exclusive": True,
            "output": "logs/%j out.txt",
            "signal": "B:USR1@120",
        }
    }
    assert workload.run.endswith("module load cuda\n#SBATCH --nodes=9\nsrun python train.py\n")
    assert parse(to_yaml(workload)) == workload


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", 30 * MINUTE),
        ("30:15", 30 * MINUTE + 15 * SECOND),
        ("1:30:00", 90 * MINUTE),
        ("2-12", 60 * HOUR),
        ("2-12:30", 60 * HOUR + 30 * MINUTE),
        ("UNLIMITED", None),
    ],
)
def test_time_limits(text: str, expected: int | None) -> None:
    assert import_sbatch(f"#SBATCH -t {text}\nhostname", "x").workload.time_limit == expected


@pytest.mark.parametrize(
    ("headers", "count"),
    [
        ("--gpus-per-node=a100:4 --nodes=2", 4),
        ("-G a100:16 -N2", 8),
        ("--gpus=a100:3 --nodes=2", 2),
        ("--gpus-per-task=a100:1 --ntasks-per-node=8", 8),
        ("--gres=gpu:a100", 1),
    ],
)
def test_accelerators_are_counted_for_each_node(headers: str, count: int) -> None:
    (resources,) = import_sbatch(f"#SBATCH {headers}\nhostname", "x").workload.alternatives
    assert (resources.chip, resources.chips_per_node) == ("A100", count)


@pytest.mark.parametrize(
    ("headers", "gib"),
    [("--mem=65536", 64), ("--mem=512M", Decimal("0.5")), ("--mem-per-cpu=2G -c 16", 32), ("--mem=0", None)],
)
def test_memory(headers: str, gib: Decimal | None) -> None:
    assert import_sbatch(f"#SBATCH {headers}\nhostname", "x").workload.alternatives[0].memory_gib == gib


def test_tasks_without_nodes_give_the_nodes() -> None:
    assert import_sbatch("#SBATCH -n 32 --ntasks-per-node=8\nhostname", "x").workload.nodes == 4
    assert import_sbatch("#SBATCH -N 2-4\nhostname", "x").workload.nodes == 2


def test_an_unnamed_accelerator_is_any_of_nvidia() -> None:
    imported = import_sbatch("#SBATCH --gres=gpu:8\nhostname", "x", CHIPS)
    assert [each.chip for each in imported.workload.alternatives] == ["A100-40GB-SXM", "H100-SXM"]
    assert "any NVIDIA one" in imported.notes[0]
    with pytest.raises(InputError, match="no kind of accelerator"):
        import_sbatch("#SBATCH --gres=gpu:8\nhostname", "x")


def test_what_has_no_counterpart_is_noted() -> None:
    notes = import_sbatch("#SBATCH --array=1-8\n#SBATCH --export=HOME\nsrun -w $head hostname", "x").notes
    assert len(notes) == 3


def test_every_bad_header_is_reported_with_its_line() -> None:
    with pytest.raises(InputError) as caught:
        import_sbatch("#SBATCH --nodes=0\n#SBATCH --time=soon\n#SBATCH --mem=lots\nhostname", "job.sh")
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [
        ("job.sh", 1),
        ("job.sh", 3),
        ("job.sh", 2),
    ]
    with pytest.raises(InputError, match="is no option of sbatch"):
        split("#SBATCH nodes=2\n#SBATCH --name='", "job.sh")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(SBATCH)
def test_any_script_is_a_workload_or_named_problems(text: str) -> None:
    try:
        workload = import_text(text, "job.sh", CHIPS).workload
    except InputError as error:
        all_explained(error)
    else:
        assert parse(to_yaml(workload)) == workload
