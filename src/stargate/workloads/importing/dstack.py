"""dstack tasks and services to workloads. Field meanings: dstack's reference of `.dstack.yml`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from stargate.base.document import Document, typed
from stargate.base.time import Duration
from stargate.workloads import quantity
from stargate.workloads.importing.imported import Imported, KnownChip, as_name, choose
from stargate.workloads.importing.ranges import GpuRequest, count_range, gpu_request, memory_range
from stargate.workloads.importing.shim import dstack_preamble
from stargate.workloads.load import sound
from stargate.workloads.reading import Reading, scalar_text
from stargate.workloads.workload import (
    ALTERNATIVES_LIMIT,
    NODES_LIMIT,
    Probe,
    Resources,
    Secret,
    Service,
    Workload,
)

NOT_IMPORTED = {
    "dev-environment": "a place to work in by hand is not a workload",
    "fleet": "a fleet is capacity: declare a pool",
    "gateway": "a gateway is part of the server",
    "volume": "a volume is storage: mount it with `file_mounts`",
}
_UNDERSTOOD = frozenset({
    "type", "name", "nodes", "commands", "env", "image", "resources", "priority", "max_price",
    "max_duration", "spot_policy", "retry", "backends", "regions", "ports", "port", "model", "replicas",
    "scaling", "probes", "files", "working_dir", "tags",
})  # fmt: skip


RESTARTS = 3
"""How often an error is retried where dstack retries errors."""


class ResourcesSpec(msgspec.Struct, frozen=True):
    """`resources:` of a dstack file; other keys are ignored by type and noted."""

    gpu: Any = None
    cpu: Any = None
    memory: Any = None
    disk: Any = None


class Configuration(msgspec.Struct, frozen=True):
    """What is read of a dstack task or service. Unknown keys are noted, for the format moves on."""

    type: Literal["task", "service"]
    name: str | None = None
    nodes: Any = None
    commands: list[str] | None = None
    env: dict[str, Any] | list[str] | None = None
    image: str | None = None
    resources: ResourcesSpec | None = None
    priority: Any = None
    max_price: Any = None
    max_duration: Any = None
    spot_policy: str | None = None
    retry: Any = None
    backends: list[str] | None = None
    regions: list[str] | None = None
    ports: list[Any] | None = None
    port: Any = None
    model: Any = None
    replicas: Any = None
    scaling: dict[str, Any] | None = None
    probes: list[dict[str, Any]] | None = None
    files: list[Any] | None = None
    working_dir: str | None = None
    tags: dict[str, Any] | None = None


class _Import:
    """One configuration on its way to a workload."""

    def __init__(self, document: Document, name: str, chips: Sequence[KnownChip]) -> None:
        self.reading = Reading(document)
        self.document = document
        self.chips = chips
        self.written = typed(document, Configuration)
        self.name = as_name(self.written.name or name) or self.written.type
        self.notes: list[str] = []
        self.envs: dict[str, str] = {}
        self.secrets: dict[str, Secret] = {}

    def read(self, field: str, reader: Callable[[Any], Any], otherwise: Any) -> Any:
        """The field through its reader; `otherwise` where it is absent or at fault."""
        value = getattr(self.written, field)
        return otherwise if value is None else self.reading.attempt(field, reader, value, otherwise)

    def note_the_rest(self) -> None:
        """Name what has no counterpart."""
        for key in self.document.value:
            if key not in _UNDERSTOOD:
                self.notes.append(f"`{key}` of dstack has no counterpart and was left out.")
        resources = self.document.value.get("resources")
        for key in resources if isinstance(resources, dict) else ():
            if key not in ResourcesSpec.__struct_fields__:
                self.notes.append(f"`resources.{key}` of dstack has no counterpart and was left out.")
        if any("${{" in command for command in self.written.commands or ()):
            self.notes.append("`${{ … }}` is filled in by dstack only: write the values out.")

    def environment(self) -> None:
        """Values to `envs`; names without a value, which dstack takes from one's shell, to `secrets`."""
        written = self.written.env
        items: list[tuple[str, Any]] = (
            list(written.items())
            if isinstance(written, dict)
            else [(name, value if equals else None) for name, equals, value in _split(written or [])]
        )
        for name, value in items:
            if value is None or value == "":
                self.secrets[name] = Secret(from_=name)
            else:
                self.envs[name] = self.reading.attempt(f"env.{name}", scalar_text, value, "")
        if self.secrets:
            listed = ", ".join(self.secrets)
            self.notes.append(f"Without a value here, so taken from the secret store: {listed}.")


def import_dstack(document: Document, name: str = "", chips: Sequence[KnownChip] = ()) -> Imported:
    """A dstack configuration as a workload. Raises InputError."""
    reading = Reading(document)
    kind = document.value.get("type") if isinstance(document.value, dict) else None
    if isinstance(kind, str) and kind in NOT_IMPORTED:
        reading.fault(
            "type", f"`{kind}` cannot be imported: {NOT_IMPORTED[kind]}", "Import tasks and services."
        )
    if isinstance(document.value, dict) and document.value.get("groups") is not None:
        reading.fault(
            "groups", "groups of unlike nodes cannot be imported", "Write a workload for each group."
        )
    reading.finish()
    each = _Import(document, name, chips)
    each.note_the_rest()
    each.environment()
    written, serves = each.written, each.written.type == "service"
    body = "\n".join(command.rstrip("\n") for command in written.commands or ())
    service, replicas = _service(each) if serves else (None, 1)
    workload = Workload(
        name=each.name,
        kind="serve" if serves else "batch",
        alternatives=_alternatives(each),
        nodes=each.read("nodes", lambda value: quantity.whole(value, 1, NODES_LIMIT), 1),
        replicas=replicas,
        priority=each.read("priority", lambda value: quantity.whole(value, 0, 100), 0),
        model=_model(each),
        time_limit=each.read("max_duration", _limit, None),
        max_restarts=_restarts(each),
        workdir=written.working_dir or "",
        envs=each.envs,
        secrets=each.secrets,
        file_mounts=_files(each),
        service=service,
        labels={key: str(value) for key, value in (written.tags or {}).items()},
        run=f"set -e\n{dstack_preamble(body)}{body}\n" if body else "",
    )
    each.reading.finish()
    return Imported(sound(workload), "dstack", tuple(each.notes))


def _split(items: list[str]) -> list[tuple[str, str, str]]:
    return [item.partition("=") for item in items]


def _alternatives(each: _Import) -> tuple[Resources, ...]:
    """Every accelerator that will do, at every place that is named."""
    written = each.written
    spec = written.resources or ResourcesSpec()
    path = "resources"
    reading = each.reading
    none = GpuRequest((), 0)
    wanted = none if spec.gpu is None else reading.attempt(f"{path}.gpu", gpu_request, spec.gpu, none)
    names = wanted.names
    if wanted.count and not names:
        names = choose(each.chips, wanted.vendor, wanted.least_gib)
        each.notes.append("The file names no accelerator, so any that fits will do: narrow `resources`.")
        if not names:
            reading.fault(f"{path}.gpu", "no known accelerator fits", "Name one, as `gpu: H100:8`.")
    price = each.read("max_price", quantity.number, None)
    shared = Resources(
        chips_per_node=wanted.count,
        cpus=None if spec.cpu is None else reading.attempt(f"{path}.cpu", count_range, spec.cpu, None),
        memory_gib=_amount(each, "memory"),
        use_spot=written.spot_policy in ("spot", "auto"),
        max_usd_per_chip_hour=None if not price else quantity.per_chip(price, wanted.count),
        image="" if written.image is None else f"docker:{written.image}",
        disk_size_gib=max(1, int(_amount(each, "disk") or 1)) if spec.disk is not None else None,
        ports=_ports(each),
    )
    places = [(provider, site) for provider in _named(written.backends) for site in _named(written.regions)]
    found = [
        msgspec.structs.replace(
            shared,
            chip=name,
            chips_per_node=shared.chips_per_node if name else 0,
            provider=provider,
            site=site,
        )
        for name in names or (None,)
        for provider, site in places
    ]
    if len(found) > ALTERNATIVES_LIMIT:
        reading.fault(path, f"these are {len(found)} alternatives", "Name fewer backends, regions or GPUs.")
    return tuple(found[:ALTERNATIVES_LIMIT])


def _named(listed: list[str] | None) -> list[str | None]:
    return [*listed] if listed else [None]


def _amount(each: _Import, field: str) -> Decimal | None:
    """GiB of `memory`, or of `disk` in either form."""
    value = getattr(each.written.resources, field, None)
    if isinstance(value, dict):
        value = value.get("size")
    if value is None:
        return None
    return each.reading.attempt(f"resources.{field}", memory_range, value, None)


def _ports(each: _Import) -> tuple[str, ...]:
    """Ports inside the container: `8080`, `80:8080`, `*:8080`, or a mapping."""
    found: list[str] = []
    none: tuple[str, ...] = ()
    for index, item in enumerate(each.written.ports or ()):
        inside = item.get("container_port") if isinstance(item, dict) else str(item).rpartition(":")[2]
        found += each.reading.attempt(f"ports[{index}]", quantity.ports, inside, none)
    return tuple(found)


def _service(each: _Import) -> tuple[Service, int]:
    written, reading = each.written, each.reading
    least, most = 1, 1
    if isinstance(written.replicas, list):
        reading.fault("replicas", "groups of replicas cannot be imported", "Write a workload for each group.")
    elif written.replicas is not None:
        least, most = reading.attempt("replicas", _replicas, written.replicas, (1, 1))
    qps = None
    if written.scaling is not None:
        if written.scaling.get("metric") == "rps":
            qps = reading.attempt("scaling.target", quantity.number, written.scaling.get("target"), None)
        else:
            each.notes.append("Only the metric `rps` scales a service here: `scaling` was left out.")
    probe = None
    for entry in (written.probes or ())[:1]:
        probe = Probe(path=reading.attempt("probes[0].url", scalar_text, entry.get("url", "/"), "/"))
    if len(written.probes or ()) > 1:
        each.notes.append("One probe decides whether a replica is ready: the first was taken.")
    port = None
    if written.port is not None:
        inside = (
            written.port.get("container_port")
            if isinstance(written.port, dict)
            else str(written.port).rpartition(":")[2]
        )
        port = reading.attempt("port", lambda value: quantity.whole(value, 1, 65_535), inside, None)
    return Service(least, most, target_qps_per_replica=qps, port=port, probe=probe), least


def _replicas(value: Any) -> tuple[int, int]:
    """`2`, `1..4`."""
    least, dots, most = str(value).partition("..")
    first = quantity.whole(least or "0", 0, NODES_LIMIT)
    return first, quantity.whole(most, max(first, 1), NODES_LIMIT) if dots else first


def _model(each: _Import) -> str:
    model = each.written.model
    if isinstance(model, dict):
        model = model.get("name")
    return "" if model is None else each.reading.attempt("model", scalar_text, model, "")


def _limit(value: Any) -> Duration | None:
    """`off`, a number of seconds, `2h`, `1d`."""
    if value in ("off", False):
        return None
    if isinstance(value, int):
        return quantity.seconds(value)
    return quantity.duration(value)


def _restarts(each: _Import) -> int:
    """Retrying an `error` is a restart here; lost capacity is recovered from in any case."""
    retry = each.written.retry
    events = retry.get("on_events") if isinstance(retry, dict) else None
    if retry is True or (isinstance(events, list) and "error" in events):
        each.notes.append(
            f"Errors are retried {RESTARTS} times (`max_restarts`); dstack bounds them by time."
        )
        return RESTARTS
    return 0


def _files(each: _Import) -> dict[str, Any]:
    """`local`, `local:remote`, `{local_path, path}` to path on the node and source."""
    found: dict[str, Any] = {}
    for index, item in enumerate(each.written.files or ()):
        if isinstance(item, str):
            source, _, path = item.partition(":")
        else:
            source, path = (
                (str(item.get(key, "")) for key in ("local_path", "path"))
                if isinstance(item, dict)
                else ("", "")
            )
        if not source:
            each.reading.fault(f"files[{index}]", "the file has no local path", "Write `local:remote`.")
        found[path or source] = source
    return found
