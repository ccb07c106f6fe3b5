"""A normalised record back to the YAML that people write: what `stargate import` prints.

`parse(to_yaml(workload))` is the same workload, for every workload that `parse` can give.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import yaml

from stargate.base import wire
from stargate.base.composer import KEY_LIMIT
from stargate.base.document import parse
from stargate.base.errors import InputError
from stargate.workloads.quantity import tidy
from stargate.workloads.workload import COOL_DOWN, Data, Probe, Resources, Service, Workload


class _Dumper(yaml.SafeDumper):
    """Block style, scripts as literal text, no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    if value[:1] in "+-.0123456789" and len(value) <= KEY_LIMIT and not _reads_as_text(value):
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="'")
    literal = "\n" in value and "\t" not in value and all(line == line.rstrip() for line in value.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if literal else None)


def _reads_as_text(value: str) -> bool:
    """Whether our reader takes it for text without quotes; PyYAML, which follows YAML 1.1, differs on numbers."""
    try:
        documents = parse(value)
    except InputError:
        return False
    return len(documents) == 1 and documents[0].value == value


def _decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    text = str(tidy(value))
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Decimal, _decimal)


def to_yaml(workload: Workload, comments: tuple[str, ...] = ()) -> str:
    """The workload as a file; `comments` stand at its top."""
    text: str = yaml.dump(
        plain_form(workload), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    heading = "".join(f"# {' '.join(line.split())}\n" for line in comments)
    return heading + text


def plain_form(workload: Workload) -> dict[str, Any]:
    """The keys of a workload file, in the order in which people read them; what is default is left out."""
    checkpoint, cost = workload.checkpoint, workload.max_cost_usd
    form = {
        "name": workload.name,
        "kind": workload.kind,
        "team": workload.team,
        "model": workload.model
        if not workload.model_config
        else {"name": workload.model, "config": workload.model_config},
        **_stated(workload),
        "product": workload.product,
        "customer": workload.customer,
        "priority": workload.priority or None,
        "num_nodes": workload.nodes if workload.nodes != 1 else None,
        "resources": _resources(workload),
        "residency": list(workload.residency),
        "deadline": None if workload.deadline is None else workload.deadline.iso(),
        "time_limit": None if workload.time_limit is None else workload.time_limit.short(),
        "max_cost_usd": cost,
        "topology": wire.to_plain(workload.topology),
        "checkpoint": None if checkpoint is None else wire.to_plain(checkpoint) or {"path": ""},
        "preemptible": None if workload.preemptible else False,
        "max_restarts": workload.max_restarts or None,
        "max_recoveries": workload.max_recoveries if workload.max_recoveries != 10 else None,
        "workdir": workload.workdir,
        "envs": workload.envs,
        "secrets": wire.to_plain(workload.secrets),
        "file_mounts": workload.file_mounts,
        "labels": workload.labels,
        "inputs": [_data(data) for data in workload.inputs],
        "outputs": [_data(data) for data in workload.outputs],
        "service": {} if workload.service is None else _service(workload.service, workload),
        "setup": workload.setup,
        "run": workload.run,
        "engine_options": workload.engine_options,
    }
    return {key: value for key, value in form.items() if value is not None and value not in ("", [], {})}


def _stated(workload: Workload) -> dict[str, Any]:
    """The keys that state the work."""
    training, traffic = workload.training, workload.traffic
    form: dict[str, Any] = {}
    if training is not None:
        batch: int | str | None = training.batch_sequences
        if training.batch_tokens is not None:
            batch = f"{training.batch_tokens} tokens"
        form = {
            "tokens": training.tokens,
            "sequence_length": training.sequence_length,
            "global_batch_size": batch,
        }
    form |= {
        "precision": workload.precision,
        "layout": {} if workload.layout is None else wire.to_plain(workload.layout),
    }
    if traffic is not None:
        form["traffic"] = {
            "requests_per_s": traffic.requests_per_s,
            "input_tokens": traffic.input_tokens,
            "output_tokens": traffic.output_tokens,
        } | {
            name: {f"p{bound.percentile}": bound.within.short()}
            for name, bound in (("ttft", traffic.ttft), ("tpot", traffic.tpot))
            if bound is not None
        }
    return form


def _data(data: Data) -> dict[str, Any]:
    form: dict[str, Any] = {"uri": data.uri}
    if data.size_gib:
        form["size_gib"] = data.size_gib
    if data.site:
        form["site"] = data.site
    return form


def _resources(workload: Workload) -> dict[str, Any]:
    entries = [_entry(each) for each in workload.alternatives]
    if len(entries) == 1:
        return entries[0]
    return {"ordered" if workload.ordered else "any_of": entries}


def _entry(each: Resources) -> dict[str, Any]:
    form: dict[str, Any] = {}
    if each.chip is not None:
        form["accelerators"] = f"{each.chip}:{each.chips_per_node}" if each.chips_per_node else each.chip
    if each.cpus is not None:
        form["cpus"] = each.cpus if each.exact_cpus else f"{tidy(each.cpus)}+"
    if each.memory_gib is not None:
        form["memory"] = each.memory_gib if each.exact_memory else f"{tidy(each.memory_gib)}+"
    place = [each.provider or "*", each.site or "*", each.pool or "*"]
    if any("/" in part for part in place[:2]):
        form |= {
            key: part for key, part in zip(("cloud", "region", "zone"), place, strict=True) if part != "*"
        }
    elif place != ["*", "*", "*"]:
        form["infra"] = "/".join(place).removesuffix("/*").removesuffix("/*")
    if each.use_spot:
        form["use_spot"] = True
    if each.max_usd_per_chip_hour is not None:
        form["max_hourly_cost"] = each.max_usd_per_chip_hour * max(each.chips_per_node, 1)
    for name, key in (
        ("instance_type", "instance_type"),
        ("image", "image_id"),
        ("network_tier", "network_tier"),
        ("disk_size_gib", "disk_size"),
    ):
        if getattr(each, name):
            form[key] = getattr(each, name)
    if each.ports:
        form["ports"] = [int(port) if port.isdigit() else port for port in each.ports]
    if each.labels:
        form["labels"] = each.labels
    return {**form, **each.options}


def _service(service: Service, workload: Workload) -> dict[str, Any]:
    form = {name: value for name, value in service.options.items() if name != "replica_policy"}
    form.pop("readiness_probe", None)
    policy = dict(service.options.get("replica_policy", {}))
    if service.target_qps_per_replica is not None:
        policy["target_qps_per_replica"] = service.target_qps_per_replica
    if service.cool_down != COOL_DOWN:
        policy["downscale_delay_seconds"] = tidy(Decimal(service.cool_down) / 1_000_000)
    if policy or service.min_replicas != service.max_replicas:
        form["replica_policy"] = {
            "min_replicas": service.min_replicas,
            "max_replicas": service.max_replicas,
            **policy,
        }
    elif service.max_replicas != 1:
        form["replicas"] = service.max_replicas
    opened = [port for each in workload.alternatives for port in each.ports]
    first = int(opened[0].partition("-")[0]) if opened else None
    if service.port is not None and service.port != first:
        form["ports"] = service.port
    if service.tokenize_path:
        form["tokenize_path"] = service.tokenize_path
    if service.probe is not None:
        form["readiness_probe"] = _probe(service.probe, service.options.get("readiness_probe", {}))
    return form


def _probe(probe: Probe, carried: dict[str, Any]) -> dict[str, Any] | str:
    default = Probe()
    form: dict[str, Any] = {"path": probe.path}
    for name in ("initial_delay", "timeout"):
        if getattr(probe, name) != getattr(default, name):
            form[f"{name}_seconds"] = tidy(Decimal(getattr(probe, name)) / 1_000_000)
    for name in ("post_data", "headers"):
        if getattr(probe, name):
            form[name] = getattr(probe, name)
    form |= carried
    return probe.path if len(form) == 1 else form
