"""Alibaba's openb trace of 2023 (Weng et al., ATC'23): `openb_pod_list_*.csv`. Read from real files.

Pods that run to the end of the trace are `unknown`, pods that never started are left out. A share of one
accelerator (`gpu_milli` below 1000) holds a whole one here; the share stays in `chip_fraction`. The default list
has times; lists without them, as `multigpu20`, are refused. Nodes: `read_nodes`.
"""

from __future__ import annotations

from collections.abc import Iterator

from stargate.rehearsal.traces.cell import chips, fraction, number, optional, status, whole, word
from stargate.rehearsal.traces.format import Format, Options, has_columns
from stargate.rehearsal.traces.job import MOST_CHIPS, Job
from stargate.rehearsal.traces.row import Row, fitting, rows
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source, refused

KINDS = {"LS": "serve"}
"""Latency-sensitive pods serve; all others are taken to train."""


def read(source: Source, skipped: Skipped, options: Options) -> Iterator[Job]:
    """The pods in the file's order."""
    if not has_columns("creation_time", "deletion_time", "scheduled_time", "pod_phase", "qos")(source.head()):
        raise refused(
            source.path,
            "this list of pods has no times",
            "Use openb_pod_list_default.csv, or another list with creation_time.",
            line=1,
        )
    return fitting(rows(source, skipped), lambda _, row: _job(row, options), skipped)


def _job(row: Row, options: Options) -> Job:
    count = chips(row["num_gpu"])
    if count == 0 and not options.chipless:
        raise ValueError("the job holds no accelerator")
    submit = whole(row["creation_time"], "the creation")
    start = whole(row["scheduled_time"], "the start")
    end = whole(row["deletion_time"], "the deletion")
    if start < submit or end < start:
        raise ValueError("the pod starts before it was created, or ends before it starts")
    share = optional(row["gpu_milli"], MOST_CHIPS) or 1000.0
    return Job(
        id=word(row["name"]),
        submit_seconds=submit,
        run_seconds=end - start,
        chips=count,
        requested_seconds=end - start,
        status=status(row["pod_phase"]),
        kind=KINDS.get(row["qos"].strip(), "train"),
        label=word(row["qos"]),
        nodes=1,
        chips_per_node=count,
        wait_seconds=start - submit,
        cpus=number(row["cpu_milli"], "the processors") / 1000,
        memory_gib=number(row["memory_mib"], "the memory") / 1024,
        chip=word(row["gpu_spec"]),
        chip_fraction=fraction(share / 1000) if count else 1.0,
    )


FORMAT = Format(
    name="openb",
    about="openb 2023 (alibaba/clusterdata: openb_pod_list_*.csv)",
    expects="the columns name, cpu_milli, memory_mib, num_gpu, gpu_milli, creation_time and deletion_time",
    files=r"openb_pod_list_.*\.csv",
    fits=has_columns("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"),
    read=read,
    gives="jobs",
)
