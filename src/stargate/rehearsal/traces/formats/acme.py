"""Shanghai AI Lab's Acme trace (Hu et al., NSDI'24): `trace_seren.csv` and `trace_kalos.csv`.

Known from the README of InternLM/AcmeTrace, whose sample rows the tests use; the files themselves were not seen.
Kalos also has memory per pod. The `type` of work becomes the kind: evaluation ends and can wait (`batch`),
supervised fine-tuning is `finetune`, all else trains. The type itself stays in `label`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from stargate.rehearsal.traces.cell import optional, word
from stargate.rehearsal.traces.format import Format, Options, has_columns
from stargate.rehearsal.traces.formats.helios import slurm_job
from stargate.rehearsal.traces.job import MOST_CHIPS, Job
from stargate.rehearsal.traces.row import Row, fitting, rows
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source

KINDS = {"evaluation": "batch", "eval": "batch", "sft": "finetune", "rlhf": "finetune"}
GB_TO_GIB = 1000**3 / 1024**3


def read(source: Source, skipped: Skipped, options: Options) -> Iterator[Job]:
    """The jobs in the file's order."""
    return fitting(rows(source, skipped), lambda _, row: _job(row, options), skipped)


def _job(row: Row, options: Options) -> Job:
    label = word(row["type"])
    job = slurm_job(row, options, kind=KINDS.get(label.lower(), "train"))
    memory = optional(row.get("mem_per_pod_GB", ""), MOST_CHIPS) or 0.0
    return msgspec.structs.replace(job, label=label, memory_gib=memory * max(job.nodes, 1) * GB_TO_GIB)


FORMAT = Format(
    name="acme",
    about="Acme (InternLM/AcmeTrace: trace_seren.csv, trace_kalos.csv)",
    expects="the columns job_id, user, node_num, gpu_num, cpu_num, type, state, submit_time, duration and queue",
    files=r"trace_(seren|kalos)\.csv",
    fits=has_columns(
        "job_id",
        "user",
        "node_num",
        "gpu_num",
        "cpu_num",
        "type",
        "state",
        "submit_time",
        "duration",
        "queue",
    ),
    read=read,
    gives="jobs",
    ordered=False,
    relative=False,
)
