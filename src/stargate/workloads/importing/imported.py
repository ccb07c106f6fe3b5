"""What an importer gives: the workload, and what a person should know about the way it came."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import msgspec

from stargate.base.errors import InputError, Problem
from stargate.workloads.workload import Workload

Format = Literal["sbatch", "dstack", "task"]


class KnownChip(msgspec.Struct, frozen=True):
    """An accelerator that an importer may choose where a file asks for "a GPU" or "24 GB"."""

    name: str
    vendor: str
    memory_gib: Decimal


class Imported(msgspec.Struct, frozen=True):
    """The result of an import."""

    workload: Workload
    format: Format
    notes: tuple[str, ...] = ()
    """One sentence each: what was assumed, and what has no counterpart."""


def choose(chips: Iterable[KnownChip], vendor: str = "", least_gib: Decimal | None = None) -> tuple[str, ...]:
    """The known chips of a vendor with enough memory, smallest first. NVIDIA where no vendor is named."""
    wanted = (vendor or "nvidia").lower()
    fitting = [
        chip
        for chip in chips
        if chip.vendor.lower() == wanted and (least_gib is None or chip.memory_gib >= least_gib)
    ]
    return tuple(chip.name for chip in sorted(fitting, key=lambda chip: (chip.memory_gib, chip.name)))


def refuse(file: str, line: int, message: str, remedy: str) -> InputError:
    """The error for one line of a file that cannot be imported."""
    return InputError((Problem(message, remedy, file=file, line=line),))


def as_name(text: str) -> str:
    """The nearest usable name; empty if nothing of it is."""
    kept = "".join(character if character.isascii() and character.isalnum() else "-" for character in text)
    parts = [part for part in kept.split("-") if part]
    return "-".join(parts)[:128].rstrip("-")
