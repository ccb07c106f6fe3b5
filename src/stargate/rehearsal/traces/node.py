"""Nodes of a cluster, as some publishers list them beside their traces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from stargate.rehearsal.traces.cell import chips, number, optional, word
from stargate.rehearsal.traces.format import has_columns
from stargate.rehearsal.traces.job import Count, Text
from stargate.rehearsal.traces.row import Row, fitting, rows
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source, refused


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One machine. Zero and empty mean that the list does not say."""

    id: Text
    chips: Count
    chip: Text = ""
    cpus: float = 0.0
    memory_gib: float = 0.0


def _openb(line: int, row: Row) -> Node:
    return Node(
        id=word(row["sn"]),
        chips=chips(row["gpu"]),
        chip=word(row["model"]),
        cpus=number(row["cpu_milli"], "the processors") / 1000,
        memory_gib=number(row["memory_mib"], "the memory") / 1024,
    )


def _philly(line: int, row: Row) -> Node:
    return Node(
        id=word(row["machineId"]), chips=chips(row["number of GPUs"]), chip=word(row["single GPU mem"])
    )


def _pai(line: int, row: Row) -> Node:
    return Node(
        id=word(row["machine"]),
        chips=chips(row["cap_gpu"] or "0"),
        chip=word(row["gpu_type"]),
        cpus=optional(row["cap_cpu"]) or 0.0,
        memory_gib=optional(row["cap_mem"]) or 0.0,
    )


PAI_COLUMNS = ("machine", "gpu_type", "cap_cpu", "cap_mem", "cap_gpu")
_TABLES = (
    (has_columns("sn", "cpu_milli", "memory_mib", "gpu", "model"), _openb),
    (has_columns("machineId", "number of GPUs", "single GPU mem"), _philly),
)
_EXPECTED = (
    "openb_node_list_*.csv (openb 2023), cluster_machine_list (Philly) or pai_machine_spec.csv (PAI 2020)"
)


def read_nodes(path: Path | str, skipped: Skipped | None = None) -> Iterator[Node]:
    """The nodes of openb, Philly or PAI, in the list's order; rows that do not fit are counted in `skipped`.

    openb's list was read from the real file, the others are known from their READMEs. PAI's has no header and is
    told by its name. Raises InputError where the file is none of these.
    """
    source = Source(Path(path))
    if source.is_folder:
        raise refused(source.path, "this is a folder", f"Name a list of nodes: {_EXPECTED}.")
    tally = Skipped() if skipped is None else skipped
    if source.name == "pai_machine_spec.csv":
        numbered = (found for found in rows(source, tally, PAI_COLUMNS) if found[1]["machine"] != "machine")
        return fitting(numbered, _pai, tally)
    head = source.head()
    for fits, make in _TABLES:
        if fits(head):
            return fitting(rows(source, tally), make, tally)
    raise refused(source.path, "this is no list of nodes", f"Expected {_EXPECTED}.", line=1)
