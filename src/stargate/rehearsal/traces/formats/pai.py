"""Alibaba PAI's trace of 2020 (Weng et al., NSDI'22): `pai_job_table.csv` and `pai_task_table.csv`.

Known from the README and `.header` files of alibaba/clusterdata; the tables themselves, which have no header line,
were not seen. Name either table or their folder; `.tar.gz` as published will do. A job is the sum of its
tasks: accelerators are instances times whole accelerators of one instance (`plan_gpu` is in percent), the run goes
from the first task's start to the last one's end, the wait from the job's start (its submission) to the first
task's. Without the job table there is neither user nor wait. The other tables are not read.

Tasks of a job are not neighbours, so the sums of all jobs stay in memory: with the jobs some 550 bytes each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from stargate.rehearsal.traces.cell import MISSING, fraction, optional, status, word
from stargate.rehearsal.traces.format import Format, Options, first_rows, mostly
from stargate.rehearsal.traces.job import FARTHEST_SECONDS, MOST_CHIPS, Job
from stargate.rehearsal.traces.row import Row, cells, rows
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source, refused

JOB_COLUMNS = ("job_name", "inst_id", "user", "status", "start_time", "end_time")
TASK_COLUMNS = (
    "job_name", "task_name", "inst_num", "status", "start_time", "end_time",
    "plan_cpu", "plan_mem", "plan_gpu", "gpu_type",
)  # fmt: skip
WORDS = frozenset({"Running", "Terminated", "Failed", "Waiting", "status"})
JOBS, TASKS = "pai_job_table.csv", "pai_task_table.csv"
GB_TO_GIB = 1000**3 / 1024**3


class _Sum:
    """What the tasks of one job ask for together."""

    __slots__ = ("chip", "chips", "cpus", "end", "ended", "instances", "memory", "percent", "start", "status")

    def __init__(self) -> None:
        self.chips = self.instances = 0
        self.percent = self.cpus = self.memory = self.end = 0.0
        self.start = math.inf
        self.ended = True
        self.chip = self.status = ""

    def add(self, row: Row) -> None:
        """Take in one task. Raises ValueError, and changes nothing, where the row does not fit."""
        count = optional(row["inst_num"], MOST_CHIPS)
        if count is None or count < 1:
            raise ValueError("the number of instances is missing or no number")
        percent = optional(row["plan_gpu"], 100 * MOST_CHIPS) or 0.0
        held = int(count) * math.ceil(percent / 100)
        if self.chips + held > MOST_CHIPS:
            raise ValueError("the number of accelerators is larger than anything real")
        self.instances = min(self.instances + int(count), MOST_CHIPS)
        self.chips += held
        self.percent += int(count) * percent
        self.cpus += count * (optional(row["plan_cpu"]) or 0.0) / 100
        self.memory += count * (optional(row["plan_mem"]) or 0.0)
        self.start = min(self.start, optional(row["start_time"]) or math.inf)
        end = optional(row["end_time"])
        self.ended = self.ended and bool(end)
        self.end = max(self.end, end or 0.0)
        if percent and not self.chip:
            self.chip = word(row["gpu_type"])
        self.status = self.status if self.status not in ("", "Terminated") else row["status"].strip()


def read(source: Source, skipped: Skipped, options: Options) -> Iterator[Job]:
    """The jobs, in the order of the job table; without one, of their first tasks."""
    named = source.name.lower()
    is_job = not source.is_folder and (named.startswith("pai_job") or _is_job_table(source))
    tasks = source.beside(TASKS) if source.is_folder or is_job else source
    if tasks is None:
        raise refused(source.path, f"{TASKS} is not here", f"Put it beside {JOBS}: it says what jobs hold.")
    jobs = source if is_job else source.beside(JOBS)
    sums: dict[str, _Sum] = {}
    for line, row in rows(tasks, skipped, TASK_COLUMNS):
        if row["job_name"] in MISSING or row["job_name"] == "job_name":
            continue
        try:
            sums.setdefault(row["job_name"], _Sum()).add(row)
        except ValueError as error:
            skipped.count(str(error), line)
    if jobs is None:
        for name, total in sums.items():
            yield from _counted(name, total, None, skipped, options, 0)
        return
    for line, row in rows(jobs, skipped, JOB_COLUMNS):
        found = sums.pop(row["job_name"], None)
        if found is not None:
            yield from _counted(row["job_name"], found, row, skipped, options, line)
        elif row["job_name"] != "job_name":
            skipped.count("the job has no task, or stands twice", line)
    if sums:
        skipped.count("the tasks belong to a job that the job table lacks", rows=len(sums))


def _counted(
    name: str, total: _Sum, row: Row | None, skipped: Skipped, options: Options, line: int
) -> Iterator[Job]:
    try:
        yield _job(name, total, row, options)
    except ValueError as error:
        skipped.count(str(error), line)


def _job(name: str, total: _Sum, row: Row | None, options: Options) -> Job:
    if total.chips == 0 and not options.chipless:
        raise ValueError("the job holds no accelerator")
    if not math.isfinite(total.start):
        raise ValueError("the job never started")
    if not total.ended or total.end < total.start:
        raise ValueError("the job has no end, or ends before it starts")
    start, run = int(total.start), int(total.end - total.start)
    submit = start if row is None else int(optional(row["start_time"]) or start)
    submit = min(submit, start)  # the tables' clocks differ by seconds
    return Job(
        id=word(name),
        submit_seconds=submit,
        run_seconds=run,
        chips=total.chips,
        requested_seconds=run,
        user="" if row is None else word(row["user"]),
        status=status(total.status if row is None else row["status"]),
        nodes=total.instances,
        chips_per_node=total.chips // total.instances if total.chips % total.instances == 0 else 0,
        wait_seconds=None if row is None else start - submit,
        cpus=min(total.cpus, FARTHEST_SECONDS),
        memory_gib=min(total.memory * GB_TO_GIB, FARTHEST_SECONDS),
        chip=total.chip,
        chip_fraction=fraction(total.percent / (100 * total.chips)) if total.chips else 1.0,
    )


def _is_job_table(source: Source) -> bool:
    widths = [len(cells(line)) for line in first_rows(source.head())]
    return widths.count(len(JOB_COLUMNS)) > widths.count(len(TASK_COLUMNS))


def _fits(head: str) -> bool:
    return mostly(first_rows(head), _is_row)


def _is_row(line: str) -> bool:
    found = cells(line)
    return len(found) in (len(JOB_COLUMNS), len(TASK_COLUMNS)) and found[3].strip() in WORDS


FORMAT = Format(
    name="pai",
    about="PAI 2020 (alibaba/clusterdata: pai_job_table.csv with pai_task_table.csv)",
    expects="10 columns without a header (job_name, task_name, inst_num, status, …) or the 6 of the job table",
    files=r"pai_(job|task)_table\.csv",
    fits=_fits,
    read=read,
    gives="jobs",
    ordered=False,
    relative=False,
    inside=r"(^|/)pai_task_table\.(csv|tar\.gz|csv\.gz)$",
)
