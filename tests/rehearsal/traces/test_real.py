"""Real files, where they are: how many rows each gives, and figures that others counted."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest

from stargate.rehearsal.traces import Job, open_trace, read_nodes

SWF_ROWS = {
    "philly/philly_pool_d2c.swf.gz": 3_794,
    "philly/philly_pool_w1.swf.gz": 12_751,
    "philly/philly_pool_oct.swf.gz": 47_192,
    "pwa-kth-sp2/kth_2wc.swf.gz": 1_171,
    "pwa-kth-sp2/kth_sp2_first180d.swf.gz": 14_669,
}
EXPECTED = {
    "d2c": "philly/philly_pool_d2c.swf.gz",
    "w1": "philly/philly_pool_w1.swf.gz",
    "kth_2wc": "pwa-kth-sp2/kth_2wc.swf.gz",
}
GAVEL_JOBS = {"0e4a51": 984, "103959": 861, "2869ce": 354, "7f04ca": 789, "e13805": 504, "ed69ec": 951}
"""Jobs that Gavel's own simulator can run; of 103959 and 2869ce it was run and said the same."""


def trace(shared: Path, name: str) -> Path:
    path = shared / "data" / "traces" / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return path


@pytest.mark.parametrize(("name", "rows"), sorted(SWF_ROWS.items()))
def test_swf(shared: Path, name: str, rows: int) -> None:
    opened = open_trace(trace(shared, name))
    assert sum(1 for _ in opened.jobs()) == rows
    assert opened.skipped.rows == 0


@pytest.mark.parametrize("pool", sorted(EXPECTED))
def test_swf_gives_the_jobs_of_the_reference(shared: Path, pool: str) -> None:
    reference = shared / "data" / "reference" / "expected" / f"out_{pool}_fifo.csv.gz"
    if not reference.exists():
        pytest.skip("the reference is not here")
    with gzip.open(reference, "rt") as file:
        wanted = {
            row["job_id"]: (int(row["submit"]), int(row["end"]) - int(row["start"]), int(row["procs"]))
            for row in csv.DictReader(file)
        }
    jobs = open_trace(trace(shared, EXPECTED[pool])).jobs()
    assert {job.id: (job.submit_seconds, job.run_seconds, job.chips) for job in jobs} == wanted


def test_philly(shared: Path) -> None:
    opened = open_trace(trace(shared, "philly/philly_jobs_2017-09_2017-10.csv.gz"))
    jobs = list(opened.jobs())
    assert opened.skipped.rows == 0
    assert len(jobs) == 52_849
    assert Counter(job.chips for job in jobs).most_common(1) == [(1, 50_188)]
    assert len({job.team for job in jobs}) > 5


def test_openb(shared: Path) -> None:
    opened = open_trace(trace(shared, "alibaba-gpu-2023/openb_pod_list_default.csv.gz"), chipless=True)
    jobs = list(opened.jobs())
    assert len(jobs) + opened.skipped.rows == 8_152
    assert {skip.reason: skip.count for skip in opened.skipped.reasons()} == {"the start is missing": 897}
    nodes = list(read_nodes(trace(shared, "alibaba-gpu-2023/openb_node_list_all_node.csv.gz")))
    assert (len(nodes), sum(node.chips for node in nodes)) == (1_523, 6_212)


@pytest.mark.parametrize(("cluster", "jobs"), sorted(GAVEL_JOBS.items()))
def test_gavel(shared: Path, cluster: str, jobs: int) -> None:
    opened = open_trace(trace(shared, f"gavel-msr/seed0_{cluster}.trace.gz"))
    assert opened.format == "gavel"
    assert sum(1 for _ in opened.jobs()) == jobs


def test_azure(shared: Path) -> None:
    opened = open_trace(trace(shared, "azure-llm-2023/AzureLLMInferenceTrace_code.csv.gz"))
    requests = list(opened.requests())
    assert (len(requests), opened.skipped.rows) == (8_819, 0)
    assert round(sum(one.input_tokens for one in requests) / len(requests)) == 2_048
    assert round(sum(one.output_tokens for one in requests) / len(requests)) == 28
    assert 3_000 < requests[-1].at_seconds < 3_600, "an hour"


def test_mooncake(shared: Path) -> None:
    opened = open_trace(trace(shared, "mooncake/conversation_trace.jsonl.gz"))
    requests = list(opened.requests())
    assert (len(requests), opened.skipped.rows) == (12_031, 0)
    assert all(len(one.prefix_blocks) == -(-one.input_tokens // 512) for one in requests), (
        "512 tokens a block"
    )


@pytest.mark.slow
def test_servegen(shared: Path) -> None:
    """A share of 1 in 20,000 of 1.42 thousand million requests; more than half come without lengths."""
    opened = open_trace(trace(shared, "servegen/m-small.tar.gz"), share=0.00005, seed=1)
    requests = list(opened.requests())
    assert len(requests) + opened.skipped.rows == pytest.approx(1_420_558_786 * 0.00005, rel=0.01)
    assert {one.model for one in requests} == {"m-small"}
    assert requests[-1].at_seconds < 14 * 86400
    assert all(one.input_tokens > 0 for one in requests)


def test_what_is_no_trace_is_refused(shared: Path) -> None:
    from stargate.base.errors import InputError

    for name in (
        "acme/cluster_summary.csv",
        "helios-earth-vc/vc3sl_10min.csv.gz",
        "acme/gpu_power_kalos.csv.gz",
    ):
        with pytest.raises(InputError, match="no trace of a known format"):
            open_trace(trace(shared, name))


def test_a_real_log_comes_back_from_swf(shared: Path, tmp_path: Path) -> None:
    from stargate.rehearsal.traces import to_swf

    jobs = list(open_trace(trace(shared, "pwa-kth-sp2/kth_2wc.swf.gz")).jobs())
    path = tmp_path / "again.swf"
    with path.open("w") as file:
        to_swf(jobs, file)
    assert list(open_trace(path).jobs()) == jobs
    assert isinstance(jobs[0], Job)
