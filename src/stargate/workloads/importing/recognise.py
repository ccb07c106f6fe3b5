"""Which system a file was written for, and its import."""

from __future__ import annotations

from collections.abc import Sequence

from stargate.base import document
from stargate.base.ids import is_name
from stargate.workloads.importing.dstack import import_dstack
from stargate.workloads.importing.imported import Imported, KnownChip, as_name, refuse
from stargate.workloads.importing.sbatch import import_sbatch
from stargate.workloads.load import parse


def import_text(text: str, file: str, chips: Sequence[KnownChip] = ()) -> Imported:
    """Any file we can import, as a workload. Raises InputError with every problem found.

    Shell scripts (`#!` or `#SBATCH` first) are sbatch; YAML with a `type:` is dstack's; other YAML is
    SkyPilot's or ours. `chips` are chosen from where a file asks for a GPU without naming it.
    """
    if len(text) > document.SIZE_LIMIT:
        raise refuse(file, 0, "the file is too large", "Shorten it.")
    stem = file.rpartition("/")[2].partition(".")[0]
    name = stem if is_name(stem) else as_name(stem)
    if text.startswith("#!") or any(line.startswith("#SBATCH") for line in text.splitlines()):
        return import_sbatch(text, file, chips)
    documents = document.parse(text, file)
    first = documents[0].value if documents else None
    if isinstance(first, dict) and "type" in first:
        return import_dstack(documents[0], name, chips)
    return Imported(parse(text, file, name=name), "task")
