"""dstack's ranges and GPU requests: `24GB..80GB`, `1..8`, `A100:80GB:4`, `{name, count, memory}`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec

from stargate.workloads import quantity

_MEMORY = re.compile(
    r"[\d.]+\s*[KMGTP]i?B(\.\.([\d.]+\s*[KMGTP]i?B)?)?|\.\.[\d.]+\s*[KMGTP]i?B", re.IGNORECASE
)
_COUNT = re.compile(r"\d{1,6}(\.\.(\d{1,6})?)?|\.\.\d{1,6}")
VENDORS = frozenset({"amd", "google", "intel", "nvidia", "tenstorrent"})


class GpuRequest(msgspec.Struct, frozen=True):
    """Which accelerators will do, and how many a node has at least."""

    names: tuple[str, ...]
    count: int
    least_gib: Decimal | None = None
    vendor: str = ""


def count_range(value: Any) -> Decimal:
    """The least of `8`, `8..16`, `..16`, `x86:8`, `{count: 8}`."""
    if isinstance(value, dict):
        value = value.get("count", value.get("min", 1))
        return (
            count_range(value) if not isinstance(value, dict) else quantity.number(value.get("min", 1), "8")
        )
    text = str(value).rpartition(":")[2].strip() if isinstance(value, str) else value
    if isinstance(text, str):
        text = text.partition("..")[0] or "1"
    return quantity.number(text, "8 or 8..16")


def memory_range(value: Any) -> Decimal:
    """GiB: the least of `24GB`, `24GB..80GB`, `..80GB`, `{min: 24GB}`."""
    if isinstance(value, dict):
        value = value.get("min", "0GB")
    text = value.partition("..")[0].strip() or "0" if isinstance(value, str) else value
    return quantity.gibibytes(text)[0]


def gpu_request(value: Any) -> GpuRequest:
    """The `gpu:` of dstack in each of its forms. Raises ValueError."""
    if isinstance(value, dict):
        return _mapping(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return GpuRequest((), quantity.whole(value, 0, 1_024))
    if not isinstance(value, str):
        raise ValueError(f"{quantity.shown(value)} is no request for accelerators; write H100:8")  # noqa: TRY004
    names: tuple[str, ...] = ()
    count, least, vendor = 1, None, ""
    for part in filter(None, (part.strip() for part in value.split(":"))):
        if _COUNT.fullmatch(part):
            count = int(count_range(part))
        elif _MEMORY.fullmatch(part):
            least = memory_range(part)
        elif part.lower() in VENDORS:
            vendor = part.lower()
        else:
            names = tuple(quantity.chip_name(name) for name in part.split(","))
    return GpuRequest(names, quantity.whole(count, 0, 1_024), least, vendor)


def _mapping(value: dict[str, Any]) -> GpuRequest:
    name = value.get("name")
    names = name if isinstance(name, list) else [] if name is None else str(name).split(",")
    memory = value.get("memory")
    return GpuRequest(
        tuple(quantity.chip_name(each) for each in names),
        int(quantity.whole(count_range(value.get("count", 1)), 0, 1_024)),
        None if memory is None else memory_range(memory),
        str(value.get("vendor") or ""),
    )
