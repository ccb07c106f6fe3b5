"""`resources:` of a workload file to the flat list of alternatives that the broker reads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from stargate.workloads import quantity
from stargate.workloads.authored import CARRIED_RESOURCES, ResourcesEntry
from stargate.workloads.reading import Reading, carried, scalar_text
from stargate.workloads.workload import ALTERNATIVES_LIMIT, Resources

_FIELDS = tuple(name for name in ResourcesEntry.__struct_fields__ if name not in ("any_of", "ordered"))

_GROUPS = (frozenset({"infra", "cloud", "region", "zone"}), frozenset({"accelerators", "gpus"}))
"""Fields that say one thing together: an alternative that has any of them inherits none."""


class Requirements(msgspec.Struct, frozen=True):
    """What `resources:` says, flattened."""

    alternatives: tuple[Resources, ...]
    ordered: bool
    priority: int | None
    recovery: str | dict[str, Any] | None
    recovery_path: str


def requirements(reading: Reading, entry: ResourcesEntry | None, uncounted: int = 1) -> Requirements:
    """Every alternative: each entry of `any_of` or `ordered`, times each accelerator it names.

    `uncounted` is what a chip without a count means: one, or 0 for as many as stated work needs.
    """
    base = entry if entry is not None else ResourcesEntry()
    written, ordered = _entries(reading, base)
    found: list[Resources] = []
    for path, each in written:
        made, preferred = _expand(reading, path, each, uncounted)
        ordered = ordered or (preferred and len(written) == 1)
        found += made
    if len(found) > ALTERNATIVES_LIMIT:
        reading.fault(
            "resources", f"these are {len(found)} alternatives", f"Name {ALTERNATIVES_LIMIT} at most."
        )
    priority = _one(reading, "priority", written)
    recovery = _one(reading, "job_recovery", written)
    at = "resources.job_recovery" if base.job_recovery is not None else f"{written[0][0]}.job_recovery"
    unique = tuple(found[:ALTERNATIVES_LIMIT]) or (Resources(),)
    return Requirements(unique, ordered and len(unique) > 1, priority, recovery, at)


def _entries(reading: Reading, base: ResourcesEntry) -> tuple[list[tuple[str, ResourcesEntry]], bool]:
    if base.any_of is not None and base.ordered is not None:
        reading.fault("resources.ordered", "`any_of` and `ordered` exclude each other", "Keep one of them.")
    key, listed = ("ordered", base.ordered) if base.ordered is not None else ("any_of", base.any_of)
    if not listed:
        if listed is not None:
            reading.fault(f"resources.{key}", "the list is empty", "Name an alternative, or leave it out.")
        return [("resources", base)], False
    merged = []
    for index, entry in enumerate(listed):
        path = f"resources.{key}[{index}]"
        if entry.any_of is not None or entry.ordered is not None:
            reading.fault(path, "alternatives stand inside alternatives", "Write them as one flat list.")
        merged.append((path, _over(base, entry)))
    return merged, key == "ordered"


def _over(base: ResourcesEntry, entry: ResourcesEntry) -> ResourcesEntry:
    """The entry, with what it leaves out taken from `resources:` itself."""
    chosen = {name: getattr(entry, name) for name in _FIELDS if getattr(entry, name) is not None}
    settled = {name for group in _GROUPS if not group.isdisjoint(chosen) for name in group}
    inherited = {name: getattr(base, name) for name in _FIELDS if name not in settled}
    return ResourcesEntry(**{**inherited, **chosen})


def _one(reading: Reading, field: str, written: list[tuple[str, ResourcesEntry]]) -> Any:
    """A field that belongs to the workload, though it may be written in each alternative."""
    values = [(path, getattr(entry, field)) for path, entry in written]
    for path, value in values[1:]:
        if value != values[0][1]:
            reading.fault(
                f"{path}.{field}",
                f"`{field}` differs between alternatives",
                f"Write it once, as `resources.{field}`.",
            )
            break
    return values[0][1]


def _expand(
    reading: Reading, path: str, entry: ResourcesEntry, uncounted: int
) -> tuple[list[Resources], bool]:
    """One Resources for each accelerator that the entry names, and whether their order is a preference."""
    word, wanted = (
        ("gpus", entry.gpus) if entry.accelerators is None else ("accelerators", entry.accelerators)
    )
    if entry.gpus is not None and word == "accelerators":
        reading.fault(f"{path}.gpus", "`gpus` and `accelerators` are the same field", "Keep one of them.")
    chips, preferred = _accelerators(reading, f"{path}.{word}", wanted, uncounted)
    cpus, exact_cpus = _amount(reading, f"{path}.cpus", entry.cpus)
    memory, exact_memory = _memory(reading, path, entry, cpus)
    provider, site, pool = _place(reading, path, entry)
    cost = None
    if entry.max_hourly_cost is not None:
        at = f"{path}.max_hourly_cost"
        cost = reading.attempt(at, quantity.number, entry.max_hourly_cost, Decimal(1))
        if not cost:
            reading.fault(at, "a price cap of 0 leaves nothing to choose from", "Raise it, or leave it out.")
    disk = None
    if entry.disk_size is not None:
        size, _ = reading.attempt(
            f"{path}.disk_size", quantity.gibibytes, entry.disk_size, (Decimal(1), True)
        )
        disk = max(1, int(size))
    options = {name: getattr(entry, name) for name in CARRIED_RESOURCES if getattr(entry, name) is not None}
    if isinstance(entry.image_id, dict):
        options["image_id"] = entry.image_id
    shared = Resources(
        cpus=cpus,
        exact_cpus=exact_cpus,
        memory_gib=memory,
        exact_memory=exact_memory,
        provider=provider,
        site=site,
        pool=pool,
        use_spot=bool(entry.use_spot),
        instance_type=entry.instance_type or "",
        image=entry.image_id if isinstance(entry.image_id, str) else "",
        disk_size_gib=disk,
        network_tier=entry.network_tier or "",
        ports=()
        if entry.ports is None
        else reading.attempt(f"{path}.ports", quantity.ports, entry.ports, ()),
        labels=labels(reading, f"{path}.labels", entry.labels),
        options=reading.attempt(path, carried, options, {}),
    )
    return [
        msgspec.structs.replace(
            shared,
            chip=chip,
            chips_per_node=count,
            max_usd_per_chip_hour=None if cost is None else quantity.per_chip(cost, count),
        )
        for chip, count in chips
    ], preferred


def _accelerators(
    reading: Reading, path: str, value: Any, uncounted: int
) -> tuple[list[tuple[str | None, int]], bool]:
    none: list[tuple[str | None, int]] = [(None, 0)]

    def accelerator(text: object) -> tuple[str, int]:
        return quantity.accelerator(text, uncounted)

    if value is None or value == "":
        return none, False
    if isinstance(value, str):
        return [reading.attempt(path, accelerator, value, ("?", 1))], False
    if isinstance(value, list):
        return [
            reading.attempt(f"{path}[{index}]", accelerator, item, ("?", 1))
            for index, item in enumerate(value)
        ] or none, True
    if not isinstance(value, dict):
        reading.fault(path, f"{quantity.shown(value)} names no accelerator", "Write H100:8.")
        return none, False
    found: list[tuple[str | None, int]] = []
    for name, count in value.items():
        at = f"{path}.{name}"
        if count is None:
            found.append(reading.attempt(at, accelerator, name, ("?", 1)))
        else:
            chip = reading.attempt(at, quantity.chip_name, name, "?")
            found.append((chip, reading.attempt(at, quantity.chip_count, count, 1)))
    return found or none, False


def _amount(reading: Reading, path: str, value: Any) -> tuple[Decimal | None, bool]:
    if value is None:
        return None, False
    return reading.attempt(path, quantity.amount, value, (Decimal(1), False))


def _memory(
    reading: Reading, path: str, entry: ResourcesEntry, cpus: Decimal | None
) -> tuple[Decimal | None, bool]:
    """GiB; `4x` is four for each processor."""
    value = entry.memory
    if value is None:
        return None, False
    at = f"{path}.memory"
    if isinstance(value, str) and value.strip().endswith("x"):
        ratio = reading.attempt(at, quantity.number, value.strip()[:-1], Decimal(1))
        if cpus is None:
            reading.fault(
                at, f"{quantity.shown(value)} is a ratio to `cpus`, which is not given", "Add `cpus:`."
            )
            return None, False
        return reading.attempt(at, quantity.number, round(ratio * cpus, 6), Decimal(1)), False
    return reading.attempt(at, quantity.gibibytes, value, (Decimal(1), False))


def _place(reading: Reading, path: str, entry: ResourcesEntry) -> tuple[str | None, str | None, str | None]:
    nowhere: tuple[str | None, str | None, str | None] = (None, None, None)
    older = {name: getattr(entry, name) for name in ("cloud", "region", "zone")}
    if entry.infra is not None:
        if any(value is not None for value in older.values()):
            reading.fault(
                f"{path}.infra", "`infra` and `cloud`, `region` or `zone` say the same", "Keep `infra`."
            )
        return reading.attempt(f"{path}.infra", quantity.place, entry.infra, nowhere)
    parts = [
        None if value is None else reading.attempt(f"{path}.{name}", quantity.place_part, value, None)
        for name, value in older.items()
    ]
    return parts[0], parts[1], parts[2]


def labels(reading: Reading, path: str, value: dict[str, Any] | None) -> dict[str, str]:
    """Label names to text."""
    return {
        name: reading.attempt(f"{path}.{name}", scalar_text, item, "") for name, item in (value or {}).items()
    }
