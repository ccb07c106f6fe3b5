"""What a record must hold beyond the types of its fields, whether it came from YAML or from JSON."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from stargate.base import wire
from stargate.base.faults import Fault, faults
from stargate.base.ids import is_name
from stargate.base.time import FOREVER, Duration
from stargate.workloads import quantity
from stargate.workloads.environment import is_secret, is_variable
from stargate.workloads.misstated import misstated
from stargate.workloads.workload import (
    ENVS_TOTAL_LIMIT,
    OPTIONS_LIMIT,
    SCRIPT_BYTES_LIMIT,
    Resources,
    Workload,
)


def unsound(workload: Workload) -> list[Fault]:
    """Everything wrong with a record; empty if the broker, the journal and the engines can rely on it."""
    found = [*_values(workload, ""), *_times(workload)]
    if found:
        return found
    found = [*_encodable(workload), *_names(workload), *_environment(workload), *_service(workload)]
    found += misstated(workload)
    for index, resources in enumerate(workload.alternatives):
        found += _resources(resources, f"alternatives[{index}]", stated=workload.stated)
    found += [*_scripts(workload), *_carried(workload)]
    return found


def _values(value: Any, path: str) -> Iterator[Fault]:
    """Text that can reach a program, numbers that arithmetic can bear."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            yield Fault(path, "the text holds a character that no program can be given", "Remove it.")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _values(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _values(key, path)
            yield from _values(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _values(item, f"{path}[{index}]")
    else:
        yield from _number(value, path)


def _number(value: Any, path: str) -> Iterator[Fault]:
    if isinstance(value, Duration) and not 0 <= value <= quantity.LONGEST:
        yield Fault(path, "the duration is out of range", "Write less than ten years.")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Fault(path, "the number does not fit into 64 bits", "Write it as text.")
    elif isinstance(value, Decimal):
        try:
            quantity.number(value)
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            yield Fault(path, message, f"{remedy[:1].upper()}{remedy[1:]}.")


def _times(workload: Workload) -> Iterator[Fault]:
    if workload.deadline is not None and not 0 <= workload.deadline < FOREVER:
        yield Fault("deadline", "the deadline lies outside of 1970 to 9999", "Write another time.")
    if workload.time_limit == 0:
        yield Fault("time_limit", "a time limit of 0 leaves no time to run", "Raise it, or leave it out.")


def _encodable(workload: Workload) -> list[Fault]:
    """The bounds that the types of the fields declare; and that the record survives its own JSON."""
    try:
        wire.to_json(workload)
    except (OverflowError, RecursionError, ValueError):
        return [Fault("", "the workload holds a value that JSON cannot carry", "Write it as text.")]
    return faults(wire.to_plain(workload), Workload)


def _names(workload: Workload) -> Iterator[Fault]:
    if not is_name(workload.name):
        yield Fault(
            "name",
            f"{quantity.shown(workload.name)} is no name",
            "Use at most 128 letters, digits, - . and _, with a letter or digit at both ends.",
        )
    for index, code in enumerate(workload.residency):
        try:
            quantity.jurisdiction(code)
        except ValueError as error:
            yield Fault(f"residency[{index}]", str(error).partition("; ")[0], "Write a code such as US-TX.")


def _environment(workload: Workload) -> Iterator[Fault]:
    for path, names in (("envs", workload.envs), ("secrets", workload.secrets)):
        for name in names:
            if not is_variable(name):
                yield Fault(
                    path, f"{quantity.shown(name)} is no name of a variable", "Use letters, digits and _."
                )
    for name, secret in workload.secrets.items():
        if name in workload.envs:
            yield Fault(f"secrets.{name}", "the variable also stands in `envs`", "Keep one of them.")
        if not is_secret(secret.from_):
            yield Fault(
                f"secrets.{name}", "this is no name of a secret", "Use letters, digits, dash, dot and _."
            )
    if sum(len(name) + len(value) for name, value in workload.envs.items()) > ENVS_TOTAL_LIMIT:
        yield Fault(
            "envs", f"more than {ENVS_TOTAL_LIMIT:,} characters in all", "Put large values in a file."
        )


def _service(workload: Workload) -> Iterator[Fault]:
    service = workload.service
    if (service is not None) != (workload.kind == "serve"):
        yield Fault("service", "a service is what kind `serve` is", "Give both, or neither.")
    if service is None:
        if workload.replicas != 1:
            yield Fault("replicas", "only a service has replicas", "Leave it out, or write `kind: serve`.")
    elif not service.min_replicas <= workload.replicas <= service.max_replicas:
        yield Fault(
            "replicas",
            f"{workload.replicas} is outside of {service.min_replicas} to {service.max_replicas}",
            "Change `replicas`, or the bounds in `service`.",
        )


def _resources(resources: Resources, path: str, *, stated: bool) -> Iterator[Fault]:
    named, counted = resources.chip is not None, resources.chips_per_node > 0
    if (counted and not named) or (named and not counted and not stated):
        yield Fault(path, "an accelerator needs its name and its count", "Give both, or neither.")
    if resources.max_usd_per_chip_hour == 0:
        yield Fault(path, "a price cap of 0 leaves nothing to choose from", "Raise it, or leave it out.")
    for name, read, value in (
        ("chip", quantity.chip_name, resources.chip),
        ("ports", lambda listed: quantity.ports(list(listed)), resources.ports),
        ("provider", quantity.place_part, resources.provider),
        ("site", quantity.place_part, resources.site),
        ("pool", quantity.place_part, resources.pool),
    ):
        if value is None:
            continue
        try:
            if read(value) != value:
                yield Fault(f"{path}.{name}", f"{quantity.shown(value)} is not in its plain form", "Trim it.")
        except ValueError as error:
            yield Fault(f"{path}.{name}", str(error).partition("; ")[0], "See the reference.")


def _scripts(workload: Workload) -> Iterator[Fault]:
    for name in ("setup", "run"):
        if len(getattr(workload, name).encode()) > SCRIPT_BYTES_LIMIT:
            yield Fault(name, f"the script is longer than {SCRIPT_BYTES_LIMIT:,} bytes", "Put it in a file.")


def _carried(workload: Workload) -> Iterator[Fault]:
    """What engines get unread is bounded."""
    carried: list[tuple[str, Any]] = [
        ("engine_options", workload.engine_options),
        ("file_mounts", workload.file_mounts),
        ("model_config", workload.model_config),
        *(
            (f"alternatives[{index}].options", each.options)
            for index, each in enumerate(workload.alternatives)
        ),
    ]
    if workload.service is not None:
        carried.append(("service.options", workload.service.options))
    for path, value in carried:
        if value and len(wire.to_json(value)) > OPTIONS_LIMIT:
            yield Fault(path, f"more than {OPTIONS_LIMIT // 1024} KiB are carried here", "Shorten it.")
