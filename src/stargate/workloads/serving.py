"""`service:` of a workload file: replicas, the readiness probe, the port."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from stargate.base import wire
from stargate.workloads import quantity
from stargate.workloads.authored import CARRIED_SERVICE, ProbeEntry, ReplicaPolicy, ServiceEntry
from stargate.workloads.reading import Reading, carried, plain, scalar_text
from stargate.workloads.requirements import Requirements
from stargate.workloads.workload import COOL_DOWN, NODES_LIMIT, Probe, Service

_CARRIED_POLICY = tuple(
    name
    for name in ReplicaPolicy.__struct_fields__
    if name not in ("min_replicas", "max_replicas", "target_qps_per_replica", "downscale_delay_seconds")
)
_CARRIED_PROBE = ("endpoint_probe_interval_seconds", "consecutive_failure_threshold_timeout")


def service(
    reading: Reading, entry: ServiceEntry | None, needs: Requirements, envs: Mapping[str, str]
) -> tuple[Service | None, int]:
    """The service and the replicas it starts with; (None, 1) for a run."""
    if entry is None:
        return None, 1
    options = {name: getattr(entry, name) for name in CARRIED_SERVICE if getattr(entry, name) is not None}
    bounds = _bounds(reading, entry, options)
    probe = _probe(reading, entry.readiness_probe, options, envs)
    made = Service(
        **bounds,
        port=_port(reading, entry, needs),
        probe=probe,
        tokenize_path=""
        if entry.tokenize_path is None
        else reading.attempt("service.tokenize_path", _path, entry.tokenize_path, ""),
        options=reading.attempt("service", lambda value: carried(reading.fill(value, envs)), options, {}),
    )
    return made, made.min_replicas


def _bounds(reading: Reading, entry: ServiceEntry, options: dict[str, Any]) -> dict[str, Any]:
    """How many replicas there may be, and what calls for more or fewer."""
    policy = entry.replica_policy
    if policy is None:
        count = 1 if entry.replicas is None else _count(reading, "service.replicas", entry.replicas)
        return {"min_replicas": count, "max_replicas": count}
    at = "service.replica_policy"
    if entry.replicas is not None:
        reading.fault("service.replicas", "`replicas` and `replica_policy` exclude each other", "Keep one.")
    least = _count(reading, f"{at}.min_replicas", policy.min_replicas)
    most = max(1, least)
    if policy.max_replicas is not None:
        most = _count(reading, f"{at}.max_replicas", policy.max_replicas)
        if most < least:
            reading.fault(f"{at}.max_replicas", f"{most} is less than min_replicas, {least}", "Raise it.")
    theirs = {name: getattr(policy, name) for name in _CARRIED_POLICY if getattr(policy, name) is not None}
    found: dict[str, Any] = {"min_replicas": least, "max_replicas": most}
    if isinstance(policy.target_qps_per_replica, dict):
        theirs["target_qps_per_replica"] = policy.target_qps_per_replica
    elif policy.target_qps_per_replica is not None:
        found["target_qps_per_replica"] = reading.attempt(
            f"{at}.target_qps_per_replica", quantity.number, policy.target_qps_per_replica, Decimal(1)
        )
    if policy.downscale_delay_seconds is not None:
        found["cool_down"] = reading.attempt(
            f"{at}.downscale_delay_seconds", quantity.seconds, policy.downscale_delay_seconds, COOL_DOWN
        )
    if theirs:
        options["replica_policy"] = theirs
    return found


def _count(reading: Reading, path: str, value: int) -> int:
    return reading.attempt(path, lambda given: quantity.whole(given, 0, NODES_LIMIT), value, 1)


def _probe(
    reading: Reading,
    entry: str | ProbeEntry | None,
    options: dict[str, Any],
    envs: Mapping[str, str],
) -> Probe | None:
    at = "service.readiness_probe"
    if entry is None:
        return None
    if isinstance(entry, str):
        return Probe(path=reading.attempt(at, lambda text: reading.fill(text, envs), entry, "/"))
    made = Probe(path=reading.attempt(f"{at}.path", lambda text: reading.fill(text, envs), entry.path, "/"))
    changes: dict[str, Any] = {}
    for name, written in (
        ("initial_delay", entry.initial_delay_seconds),
        ("timeout", entry.timeout_seconds),
    ):
        if written is not None:
            changes[name] = reading.attempt(f"{at}.{name}_seconds", quantity.seconds, written, made.timeout)
    if entry.post_data is not None:
        changes["post_data"] = reading.attempt(
            f"{at}.post_data", lambda value: _body(reading.fill(value, envs)), entry.post_data, ""
        )
    if entry.headers:
        changes["headers"] = {
            name: reading.attempt(f"{at}.headers.{name}", scalar_text, value, "")
            for name, value in entry.headers.items()
        }
    theirs = {name: getattr(entry, name) for name in _CARRIED_PROBE if getattr(entry, name) is not None}
    if theirs:
        options["readiness_probe"] = theirs
    return msgspec.structs.replace(made, **changes)


def _body(value: Any) -> str:
    """What a probe posts: text as it is, data as JSON."""
    return value if isinstance(value, str) else wire.to_json(plain(value)).decode()


def _port(reading: Reading, entry: ServiceEntry, needs: Requirements) -> int | None:
    """The port that answers: `service.ports`, else the first of `resources.ports`."""
    if entry.ports is not None:
        return reading.attempt("service.ports", _one_port, entry.ports, None)
    opened = [port for each in needs.alternatives for port in each.ports]
    return int(opened[0].partition("-")[0]) if opened else None


def _path(value: str) -> str:
    if not value.startswith("/") or len(value) > 256 or any(sign in "?#" or sign.isspace() for sign in value):
        raise ValueError("it is the path of an address, as /tokenize; write it so")
    return value


def _one_port(value: Any) -> int | None:
    found = quantity.ports(value)
    if len(found) != 1 or not found[0].isdigit():
        raise ValueError("a service answers on one port; write one number, as 8080")
    return int(found[0])
