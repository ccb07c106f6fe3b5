"""SenseTime's Helios trace (Hu et al., SC'21): `cluster_log.csv` of one cluster.

Known from the README of S-Lab-System-Group/HeliosData, whose sample rows the tests use; the file itself was not
seen. Times have no zone. About half of the jobs hold no accelerator.
"""

from __future__ import annotations

from collections.abc import Iterator

from stargate.rehearsal.traces.cell import MISSING, chips, moment, optional, status, whole, word
from stargate.rehearsal.traces.format import Format, Options, has_columns
from stargate.rehearsal.traces.job import MOST_CHIPS, Job
from stargate.rehearsal.traces.row import Row, fitting, rows
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source


def read(source: Source, skipped: Skipped, options: Options) -> Iterator[Job]:
    """The jobs in the file's order."""
    return fitting(rows(source, skipped), lambda _, row: slurm_job(row, options), skipped)


def slurm_job(row: Row, options: Options, kind: str = "train") -> Job:
    """A job of a row whose columns are called as Slurm's accounting is called in Helios and Acme."""
    count = chips(row["gpu_num"])
    if count == 0 and not options.chipless:
        raise ValueError("the job holds no accelerator")
    submit = int(moment(row["submit_time"], "the submission"))
    nodes = int(optional(row["node_num"], MOST_CHIPS) or 0)
    run = whole(row["duration"], "the duration")
    wait = optional(row["queue"])
    return Job(
        id=_id(row["job_id"]),
        submit_seconds=submit,
        run_seconds=run,
        chips=count,
        requested_seconds=run,
        user=word(row["user"]),
        team=word(row.get("vc", "")),
        status=status(row["state"]),
        kind=kind,
        nodes=nodes,
        chips_per_node=count // nodes if nodes and count % nodes == 0 else 0,
        wait_seconds=None if wait is None else int(wait),
        cpus=optional(row["cpu_num"], MOST_CHIPS) or 0.0,
    )


def _id(text: str) -> str:
    if text.strip() in MISSING:
        raise ValueError("the job has no id")
    return word(text)


FORMAT = Format(
    name="helios",
    about="Helios (S-Lab-System-Group/HeliosData: cluster_log.csv)",
    expects="the columns job_id, user, vc, gpu_num, cpu_num, node_num, state, submit_time, duration and queue",
    files=r"cluster_log\.csv",
    fits=has_columns(
        "job_id", "user", "vc", "gpu_num", "cpu_num", "node_num", "state", "submit_time", "duration", "queue"
    ),
    read=read,
    gives="jobs",
    ordered=False,
    relative=False,
)
