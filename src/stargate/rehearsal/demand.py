"""What is submitted in a rehearsal: jobs of traces and generators, and workloads from files, as commands in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.base.errors import InputError, Problem
from stargate.base.ids import is_name
from stargate.base.time import MINUTE, SECOND, Duration, Instant
from stargate.broker.command import Submit
from stargate.catalog import Infrastructure
from stargate.catalog.dated import Id
from stargate.rehearsal.clock import Event
from stargate.rehearsal.traces import Job
from stargate.rehearsal.traces.demand import Demand
from stargate.rehearsal.traces.transform import Transformation
from stargate.rehearsal.world.engines import Engines
from stargate.rehearsal.world.task import Ending, Task
from stargate.rehearsal.world.traffic import Traffic
from stargate.workloads import Checkpoint, Resources, Service, Topology, Workload
from stargate.workloads.workload import RETRIES_LIMIT, Level

ENDINGS: dict[str, Ending] = {"failed": "failed", "cancelled": "cancelled"}
KINDS = ("train", "finetune", "batch", "serve")


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a trace does not say of its jobs, and a workload has."""

    chips: Annotated[tuple[str, ...], Meta(max_length=256)] = ()
    """Kinds that will do, for jobs whose own is not known here; none: every kind that some pool holds."""
    priority: Annotated[int, Meta(ge=-1_000, le=1_000)] = 0
    saves: bool = True
    """It saves checkpoints, so it can be stopped and moved."""
    save_every: Duration = Duration(30 * MINUTE)
    save_gib: Decimal = Decimal(0)
    """Of one checkpoint, for what it costs to move."""
    preemptible: bool = True
    required: Level | None = None
    """How close a gang must stand."""
    preferred: Level | None = None
    max_recoveries: Annotated[int, Meta(ge=0, le=RETRIES_LIMIT)] = RETRIES_LIMIT
    product: str = ""
    as_in_trace: bool = True
    """Jobs fail and are cancelled as they were; otherwise all are done when their time has run."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Jobs from one of `trace`, `generate` and `jobs`."""

    name: Id
    """Leads the ids of its jobs, as `philly.17`."""
    trace: str = ""
    """A file or folder, beside the scenario."""
    format: str = ""
    generate: Demand | None = None
    jobs: Annotated[tuple[Job, ...], Meta(max_length=100_000)] = ()
    transform: Annotated[tuple[Transformation, ...], Meta(max_length=100)] = ()
    after: Duration = Duration(0)
    """When second 0 is, from the start of the rehearsal."""
    form: Form = Form()

    def __post_init__(self) -> None:
        if sum(map(bool, (self.trace, self.generate, self.jobs))) != 1:
            raise ValueError(
                "jobs come from a trace, a generator or a list; give one of trace, generate, jobs"
            )


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A workload from a file of its own."""

    workload: str
    """The file, beside the scenario."""
    name: str = ""
    """Its id; not given: the workload's name."""
    after: Duration = Duration(0)
    """From the start of the rehearsal."""
    runs_for: Duration | None = None
    """How long a run really takes; not given: its size, time limit or what policy assumes."""
    cancelled_after: Duration | None = None
    """From its submission."""
    traffic: Traffic | None = None
    """Of a service."""


class Shaper:
    """Turns jobs into workloads for one infrastructure."""

    def __init__(self, infrastructure: Infrastructure, form: Form) -> None:
        """Raises InputError where no pool has chips, or a chip is not known."""
        self._names = infrastructure.chip_names
        self._form = form
        self._per_node: dict[str, int] = {}
        for pool in infrastructure.pools:
            least = min(self._per_node.get(pool.chip, pool.chips_per_node), pool.chips_per_node)
            self._per_node[pool.chip] = least
        held = dict.fromkeys(pool.chip for pool in infrastructure.pools if pool.nodes)
        self._usual = tuple(self._names.named(chip).id for chip in form.chips) or tuple(held)
        if not self._usual:
            problem = Problem("no pool has chips that jobs could run on", "Declare pools with `nodes:`.")
            raise InputError((problem,))
        self._known: dict[tuple[str, str, int], tuple[int, tuple[Resources, ...]]] = {}

    def workload(self, job: Job, name: str, start: Instant) -> Workload:
        """The job as it would have been submitted here."""
        form = self._form
        nodes, alternatives = self._gang(job)
        deadline = job.deadline_seconds
        kind = job.kind if job.kind in KINDS else "batch"
        return Workload(
            name=name,
            kind=kind,  # type: ignore[arg-type]  # one of KINDS
            alternatives=alternatives,
            nodes=nodes,
            team=job.team[:128],
            priority=form.priority,
            product=form.product,
            residency=(job.residency,) if job.residency else (),
            time_limit=None if kind == "serve" else Duration(max(1, job.requested_seconds) * SECOND),
            deadline=None if deadline is None else start.plus((job.submit_seconds + deadline) * SECOND),
            topology=Topology(form.required, form.preferred),
            checkpoint=Checkpoint("checkpoint", form.save_every, form.save_gib) if form.saves else None,
            preemptible=form.preemptible,
            max_recoveries=form.max_recoveries,
            service=Service() if kind == "serve" else None,
        )

    def _gang(self, job: Job) -> tuple[int, tuple[Resources, ...]]:
        """Nodes, and the machines that will do: as many chips of each as the smallest of them has, or fewer."""
        key = (job.chip, job.provider, job.chips)
        found = self._known.get(key)
        if found is None:
            own = self._names.find(job.chip) if job.chip else None
            kinds = self._usual if own is None or own.id not in self._per_node else (own.id,)
            per_node = min(self._per_node.get(kind, 8) for kind in kinds)
            nodes = -(-job.chips // per_node)
            chips = per_node if nodes > 1 else job.chips
            found = nodes, tuple(Resources(kind, chips, provider=job.provider or None) for kind in kinds)
            self._known[key] = found
        return found


def submissions(
    source: Source, jobs: Iterable[Job], shaper: Shaper, engines: Engines, start: Instant
) -> Iterator[Event]:
    """Every job that holds chips, at its moment; the engines are told how it really goes."""
    begin = start.plus(source.after)
    for number, job in enumerate(jobs):
        if not job.chips:
            continue
        name = f"{source.name}.{job.id}"
        if not is_name(name):
            name = f"{source.name}.{number}"
        at = begin.plus(job.submit_seconds * SECOND)
        ending = ENDINGS.get(job.status, "done") if source.form.as_in_trace else "done"
        serves = job.kind == "serve"
        task = Task(
            name, job.run_seconds * SECOND, "cancelled" if serves else ending, serves=serves, submit_us=at
        )
        engines.expect(name, task)
        yield at, Submit(name, shaper.workload(job, name, begin), job.user)
