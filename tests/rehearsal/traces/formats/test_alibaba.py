"""PAI 2020 and openb 2023."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from stargate.base.errors import InputError
from stargate.rehearsal.traces import Job, open_trace, read_nodes
from tests.rehearsal.traces.samples import OPENB, OPENB_NODES, PAI_JOBS, PAI_TASKS


def packed(path: Path, name: str, text: str) -> None:
    data = text.encode()
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize("named", ["pai_job_table.csv", "pai_task_table.csv", ""])
def test_a_pai_job_is_the_sum_of_its_tasks(tmp_path: Path, named: str) -> None:
    (tmp_path / "pai_job_table.csv").write_text(PAI_JOBS)
    (tmp_path / "pai_task_table.csv").write_text(PAI_TASKS)
    trace = open_trace(tmp_path / named)
    second, first = trace.jobs()
    assert trace.format == "pai"
    assert first == Job(
        "j1", 100, 490, 2, 490, user="u1", status="completed", nodes=3, wait_seconds=10, cpus=14.0,
        memory_gib=first.memory_gib, chip="T4", chip_fraction=0.5,
    )  # fmt: skip
    assert first.memory_gib == pytest.approx(49.296875 * 0.931322574615)
    assert (second.id, second.chips, second.status, second.submit_seconds) == ("j2", 6, "failed", 0)
    assert (second.chips_per_node, second.wait_seconds) == (2, 5)
    assert {skip.reason: skip.count for skip in trace.skipped.reasons()} == {
        "the job has no end, or ends before it starts": 1,
        "the job has no task, or stands twice": 1,
        "the tasks belong to a job that the job table lacks": 1,
    }


def test_pai_archives_are_read_as_published(tmp_path: Path) -> None:
    packed(tmp_path / "pai_job_table.tar.gz", "pai_job_table.csv", PAI_JOBS)
    packed(tmp_path / "pai_task_table.tar.gz", "pai_task_table.csv", PAI_TASKS)
    for name in ("pai_task_table.tar.gz", "pai_job_table.tar.gz", ""):
        assert [job.id for job in open_trace(tmp_path / name).jobs()] == ["j2", "j1"]


def test_pai_without_the_job_table_knows_no_user(tmp_path: Path) -> None:
    (tmp_path / "pai_task_table.csv").write_text(PAI_TASKS)
    jobs = list(open_trace(tmp_path / "pai_task_table.csv").jobs())
    assert [(job.id, job.user, job.wait_seconds) for job in jobs] == [
        ("j2", "", None),
        ("j5", "", None),
        ("j1", "", None),
    ]
    assert jobs[0].status == "failed"


def test_pai_needs_the_task_table(tmp_path: Path) -> None:
    (tmp_path / "pai_job_table.csv").write_text(PAI_JOBS)
    with pytest.raises(InputError, match=r"pai_task_table\.csv is not here"):
        list(open_trace(tmp_path / "pai_job_table.csv").jobs())


def test_openb_pods(tmp_path: Path) -> None:
    path = tmp_path / "openb_pod_list_default.csv"
    path.write_text(OPENB)
    trace = open_trace(path)
    first, second, third = trace.jobs()
    assert (first.status, first.kind, first.run_seconds) == ("unknown", "serve", 12537496)
    assert (second.chips, second.wait_seconds, second.run_seconds, second.status) == (8, 7, 293, "completed")
    assert (third.chip, third.chip_fraction, third.cpus, third.memory_gib) == (
        "V100M16|V100M32",
        0.22,
        16.0,
        32.0,
    )
    assert {skip.reason for skip in trace.skipped.reasons()} == {
        "the job holds no accelerator",
        "the start is missing",
    }


def test_openb_lists_without_times_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "openb_pod_list_multigpu20.csv"
    path.write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\nopenb-pod-0000,12000,16384,1,1000\n")
    with pytest.raises(InputError, match=r"no times.*openb_pod_list_default"):
        list(open_trace(path).jobs())


def test_nodes(tmp_path: Path) -> None:
    path = tmp_path / "openb_node_list_all_node.csv"
    path.write_text(OPENB_NODES)
    none, eight = read_nodes(path)
    assert (none.chips, eight.chips, eight.chip, eight.cpus, eight.memory_gib) == (0, 8, "G3", 128.0, 768.0)
    philly = tmp_path / "cluster_machine_list"
    philly.write_text("machineId,number of GPUs,single GPU mem\nm31,8, 24GB\n")
    assert [(node.id, node.chips, node.chip) for node in read_nodes(philly)] == [("m31", 8, "24GB")]
    pai = tmp_path / "pai_machine_spec.csv"
    pai.write_text("m1,V100,96,512.0,8\nm2,CPU,96,512.0,\n")
    assert [(node.id, node.chips, node.memory_gib) for node in read_nodes(pai)] == [
        ("m1", 8, 512.0),
        ("m2", 0, 512.0),
    ]
    other = tmp_path / "x.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no list of nodes"):
        read_nodes(other)
