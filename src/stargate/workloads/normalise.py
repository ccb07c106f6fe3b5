"""A workload file, read and typed, to the normalised record: every shorthand resolved, every default set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from stargate.base.document import Document, typed
from stargate.base.faults import did_you_mean
from stargate.workloads import quantity
from stargate.workloads.authored import (
    CARRIED,
    CheckpointEntry,
    DataEntry,
    ServiceEntry,
    Task,
    TopologyEntry,
    WorkdirEntry,
)
from stargate.workloads.environment import environment, secrets
from stargate.workloads.reading import Reading, carried
from stargate.workloads.requirements import Requirements, labels, requirements
from stargate.workloads.serving import service
from stargate.workloads.sound import unsound
from stargate.workloads.stated import stated
from stargate.workloads.workload import (
    NODES_LIMIT,
    RETRIES_LIMIT,
    Checkpoint,
    Data,
    Kind,
    Level,
    Topology,
    Workload,
)

ENGINES = ("kubernetes", "local", "ray", "skypilot", "slurm")
"""Engine kinds that `engine_options` may name."""

_LEVELS: dict[str, Level] = {
    "block": "block",
    "rack": "block",
    "nvlink": "block",
    "pool": "pool",
    "fabric": "pool",
}
_GIB_PER_GB = Decimal(10**9) / 2**30


_WRITTEN = {"training": "tokens", "alternatives": "resources.accelerators", "nodes": "num_nodes"}
"""Parts of the record whose fields people write under another key."""


def normalise(document: Document, name: str, envs: Mapping[str, str], folder: Path | None = None) -> Workload:
    """The record of one workload file. `name` is taken where the file gives none.

    `folder` is where paths inside the file begin; None: it names none that can be read. Raises InputError with
    every problem found.
    """
    reading = Reading(document)
    _private_keys(reading, document.value, "")
    reading.finish()
    task = typed(document, Task)
    values = environment(reading, task.envs, envs)
    work = stated(reading, task, folder)
    sized = work.training is not None or work.traffic is not None
    needs = requirements(reading, task.resources, uncounted=0 if sized else 1)
    kind = _kind(reading, task)
    entry = ServiceEntry() if task.service is None and kind == "serve" else task.service
    serving, replicas = service(reading, entry, needs, values)
    workload = Workload(
        name=task.name or name,
        kind=kind,
        alternatives=needs.alternatives,
        ordered=needs.ordered,
        nodes=_whole(reading, "num_nodes", task.num_nodes, (1, NODES_LIMIT)),
        replicas=replicas,
        team=task.team or "",
        priority=_priority(reading, task, needs),
        model=work.model,
        model_config=work.model_config,
        training=work.training,
        traffic=work.traffic,
        precision=work.precision,
        layout=work.layout,
        product=task.product or "",
        customer=task.customer or "",
        residency=_residency(reading, task.residency),
        deadline=None
        if task.deadline is None
        else reading.attempt("deadline", quantity.instant, task.deadline, None),
        time_limit=None
        if task.time_limit is None
        else reading.attempt("time_limit", quantity.duration, task.time_limit, None),
        max_cost_usd=_max_cost(reading, task),
        topology=_topology(reading, task.topology),
        checkpoint=_checkpoint(reading, task.checkpoint),
        preemptible=task.preemptible is not False,
        max_restarts=_max_restarts(reading, task, needs),
        max_recoveries=_whole(reading, "max_recoveries", task.max_recoveries, (0, RETRIES_LIMIT), 10),
        setup=task.setup or "",
        run=task.run or "",
        workdir=_workdir(reading, task.workdir, values),
        envs=values,
        secrets=secrets(reading, task.secrets),
        file_mounts=_mounts(reading, task.file_mounts, values),
        inputs=_data(reading, "inputs", task.inputs),
        outputs=_data(reading, "outputs", task.outputs),
        service=serving,
        labels=labels(reading, "labels", task.labels),
        engine_options=_engine_options(reading, task, needs, values),
    )
    if not reading.problems:
        for fault in unsound(workload):
            first = re.split(r"[.\[]", fault.path)[0]
            reading.fault(_WRITTEN.get(first, fault.path), fault.message, fault.remedy)
    reading.finish()
    return workload


def _private_keys(reading: Reading, value: Any, path: str) -> None:
    """SkyPilot's own bookkeeping (`_metadata`, `_docker_login_config`) is no part of what is submitted."""
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        at = f"{path}.{key}" if path else key
        if key.startswith("_"):
            reading.fault(
                at, f"`{key}` is internal to SkyPilot", "Remove it; write the public field instead."
            )
        elif key in ("resources", "service"):
            _private_keys(reading, item, at)
            for listed in ("any_of", "ordered"):
                entries = item.get(listed) if isinstance(item, dict) else None
                for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                    _private_keys(reading, entry, f"{at}.{listed}[{index}]")


def _kind(reading: Reading, task: Task) -> Kind:
    if task.service is None:
        return task.kind or (
            "serve" if task.traffic is not None else "train" if task.tokens is not None else "batch"
        )
    if task.kind not in (None, "serve"):
        reading.fault("kind", f"kind is `{task.kind}`, yet there is a `service:`", "Write `kind: serve`.")
    return "serve"


def _whole(
    reading: Reading, path: str, value: Any, bounds: tuple[int, int], otherwise: int | None = None
) -> int:
    default = bounds[0] if otherwise is None else otherwise
    if value is None:
        return default
    return reading.attempt(path, lambda given: quantity.whole(given, *bounds), value, default)


def _priority(reading: Reading, task: Task, needs: Requirements) -> int:
    if task.priority is not None and needs.priority is not None and task.priority != needs.priority:
        reading.fault("priority", "`resources.priority` says something else", "Keep one of them.")
    found = task.priority if task.priority is not None else needs.priority
    if found is not None and not -1_000 <= found <= 1_000:
        reading.fault(
            "priority" if task.priority is not None else "resources.priority",
            f"the priority {found} is out of range",
            "Write a whole number from -1000 to 1000.",
        )
        return 0
    return found or 0


def _residency(reading: Reading, value: str | list[Any] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (reading.attempt("residency", quantity.jurisdiction, value, "US"),)
    return tuple(
        reading.attempt(f"residency[{index}]", quantity.jurisdiction, item, "US")
        for index, item in enumerate(value)
    )


def _max_cost(reading: Reading, task: Task) -> Decimal | None:
    if task.max_cost is not None and task.max_cost_usd is not None:
        reading.fault("max_cost", "`max_cost` and `max_cost_usd` are the same field", "Keep one of them.")
    path, value = (
        ("max_cost_usd", task.max_cost_usd) if task.max_cost_usd is not None else ("max_cost", task.max_cost)
    )
    return None if value is None else reading.attempt(path, quantity.number, value, Decimal(1))


def _topology(reading: Reading, entry: str | TopologyEntry | None) -> Topology:
    if entry is None:
        return Topology()
    if isinstance(entry, str):
        return Topology(required=_level(reading, "topology", entry))
    return Topology(
        required=_level(reading, "topology.required", entry.required),
        preferred=_level(reading, "topology.preferred", entry.preferred),
    )


def _level(reading: Reading, path: str, word: str | None) -> Level | None:
    if word is None:
        return None
    level = _LEVELS.get(word.lower())
    if level is None:
        reading.fault(path, f"{quantity.shown(word)} is no level of topology", did_you_mean(word, _LEVELS))
    return level


def _checkpoint(reading: Reading, entry: str | CheckpointEntry | None) -> Checkpoint | None:
    if entry is None or isinstance(entry, str):
        return None if entry is None else Checkpoint(path=entry)
    made = Checkpoint(path=entry.path)
    if entry.interval is not None:
        interval = reading.attempt("checkpoint.interval", quantity.duration, entry.interval, made.interval)
        made = msgspec.structs.replace(made, interval=interval)
    if entry.size_gib is not None:
        size = reading.attempt("checkpoint.size_gib", quantity.number, entry.size_gib, made.size_gib)
        made = msgspec.structs.replace(made, size_gib=size)
    return made


def _max_restarts(reading: Reading, task: Task, needs: Requirements) -> int:
    own = None
    if task.max_restarts is not None:
        own = _whole(reading, "max_restarts", task.max_restarts, (0, RETRIES_LIMIT))
    theirs = needs.recovery.get("max_restarts_on_errors") if isinstance(needs.recovery, dict) else None
    if theirs is None:
        return own or 0
    path = f"{needs.recovery_path}.max_restarts_on_errors"
    found = _whole(reading, path, theirs, (0, RETRIES_LIMIT))
    if own is not None and own != found:
        reading.fault(
            "max_restarts", "`job_recovery.max_restarts_on_errors` says something else", "Keep one."
        )
    return found


def _workdir(reading: Reading, entry: str | WorkdirEntry | None, envs: Mapping[str, str]) -> str:
    if entry is None:
        return ""
    text = entry if isinstance(entry, str) else f"{entry.url}@{entry.ref}" if entry.ref else entry.url
    filled: str = reading.attempt("workdir", lambda value: reading.fill(value, envs), text, "")
    return filled


def _mounts(reading: Reading, value: dict[str, Any] | None, envs: Mapping[str, str]) -> dict[str, Any]:
    if not value:
        return {}
    for path, source in value.items():
        if not isinstance(source, str | dict):
            reading.fault(
                f"file_mounts.{path}", "a mount needs a source", "Write a path, a bucket's URI or a mapping."
            )
    return reading.attempt("file_mounts", lambda mounts: carried(reading.fill(mounts, envs)), value, {})


def _data(reading: Reading, path: str, value: dict[str, Any] | list[Any] | None) -> tuple[Data, ...]:
    """SkyPilot's `{uri: size in GB}`, or a list of URIs or of `{uri, size_gib, site}`."""
    found: list[Data] = []
    if isinstance(value, dict):
        for uri, size in value.items():
            gigabytes = reading.attempt(f"{path}.{uri}", quantity.number, size, Decimal(0))
            found.append(Data(uri=uri, size_gib=quantity.tidy(round(gigabytes * _GIB_PER_GB, 6))))
        return tuple(found)
    for index, item in enumerate(value or ()):
        at = f"{path}[{index}]"
        if isinstance(item, str):
            found.append(Data(uri=item))
            continue
        entry = typed(reading.document, DataEntry, at)
        size = entry.size_gib
        gib = (
            Decimal(0)
            if size is None
            else reading.attempt(f"{at}.size_gib", quantity.number, size, Decimal(0))
        )
        found.append(Data(uri=entry.uri, size_gib=gib, site=entry.site))
    return tuple(found)


def _engine_options(
    reading: Reading, task: Task, needs: Requirements, envs: Mapping[str, str]
) -> dict[str, Any]:
    """What the file gives for one engine, with SkyPilot's own keys among them."""
    options: dict[str, Any] = {}
    nothing: dict[str, Any] = {}
    for engine, given in (task.engine_options or {}).items():
        path = f"engine_options.{engine}"
        if engine not in ENGINES:
            reading.fault(
                path, f"no engine is called {quantity.shown(engine)}", did_you_mean(engine, ENGINES)
            )
        elif not isinstance(given, dict):
            reading.fault(path, "an engine's options are a mapping", "Write `name: value` below it.")
        else:
            options[engine] = reading.attempt(path, carried, given, nothing)
    theirs = {name: getattr(task, name) for name in CARRIED if getattr(task, name) is not None}
    if needs.recovery is not None:
        theirs["job_recovery"] = needs.recovery
    if theirs:
        filled = reading.attempt("", lambda value: carried(reading.fill(value, envs)), theirs, nothing)
        options["skypilot"] = {**filled, **options.get("skypilot", {})}
    return options
