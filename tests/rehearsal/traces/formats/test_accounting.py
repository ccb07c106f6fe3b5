"""Helios and Acme, whose tables are Slurm's accounting."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.rehearsal.traces import Job, open_trace
from tests.rehearsal.traces.samples import HELIOS, KALOS, SEREN


def test_helios(tmp_path: Path) -> None:
    path = tmp_path / "cluster_log.csv"
    path.write_text(HELIOS)
    trace = open_trace(path)
    first, second, third, fourth = trace.jobs()
    assert trace.format == "helios"
    assert first.id == "1425511", "sorted by submission"
    assert second == Job(
        "1425512", 26, 249, 4, 249, user="uVMrF", team="vchbv", status="failed", nodes=1, chips_per_node=4,
        wait_seconds=0, cpus=16.0,
    )  # fmt: skip
    assert (third.chips, third.nodes, third.chips_per_node, third.wait_seconds) == (16, 2, 8, 30)
    assert (third.status, fourth.status) == ("cancelled", "failed")
    assert [(skip.reason, skip.first_line) for skip in trace.skipped.reasons()] == [
        ("the job holds no accelerator", 5)
    ]


def test_jobs_without_accelerators_come_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "cluster_log.csv"
    path.write_text(HELIOS)
    trace = open_trace(path, chipless=True)
    assert [job.chips for job in trace.jobs()] == [1, 4, 16, 0, 8]
    assert trace.skipped.rows == 0


def test_seren_has_times_with_zones_and_kinds_of_work(tmp_path: Path) -> None:
    path = tmp_path / "trace_seren.csv"
    path.write_text(SEREN)
    trace = open_trace(path)
    first, second = trace.jobs()
    assert trace.format == "acme"
    assert trace.start_seconds == 1677601102, "2023-02-28 16:18:22 UTC"
    assert (first.id, first.kind, first.label, first.team) == ("5778432", "train", "Other", "")
    assert (second.submit_seconds, second.kind, second.label) == (336, "batch", "Evaluation")
    assert (first.wait_seconds, first.memory_gib) == (32, 0.0)


def test_kalos_has_memory(tmp_path: Path) -> None:
    path = tmp_path / "trace_kalos.csv"
    path.write_text(KALOS)
    first, second = open_trace(path).jobs()
    assert first.memory_gib == pytest.approx(8 * 1000 * 0.931322574615)
    assert (first.chips, first.nodes, first.wait_seconds, first.run_seconds) == (64, 8, 10, 18)
    assert (first.label, second.status) == ("Pretrain", "cancelled")
