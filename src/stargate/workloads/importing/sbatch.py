"""Slurm batch scripts to workloads: the headers become fields, the body becomes `run`.

A batch script runs once and starts its tasks with `srun`; a workload's `run` starts on every node of the
gang. So a script that uses `srun` or Slurm's variables gets a preamble (`shim.py`) that gives them their
meaning on each node. Meanings of the headers: sbatch(1).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from stargate.base.errors import InputError, Problem
from stargate.base.time import DAY, HOUR, MINUTE, SECOND, Duration
from stargate.workloads import quantity
from stargate.workloads.importing.headers import Header, split
from stargate.workloads.importing.imported import Imported, KnownChip, as_name, choose
from stargate.workloads.importing.shim import slurm_preamble
from stargate.workloads.load import sound
from stargate.workloads.workload import CHIPS_PER_NODE_LIMIT, NODES_LIMIT, Resources, Workload

_UNDERSTOOD = frozenset({
    "chdir", "cpus-per-gpu", "cpus-per-task", "export", "gpus", "gpus-per-node", "gpus-per-task",
    "gres", "job-name", "mem", "mem-per-cpu", "mem-per-gpu", "no-requeue", "nodes", "ntasks",
    "ntasks-per-node", "requeue", "time",
})  # fmt: skip
"""Headers that become fields; every other one is carried in `engine_options.slurm`."""

_GPU = re.compile(r"(?:([A-Za-z][A-Za-z0-9_.-]*):)?(\d{1,9})|([A-Za-z][A-Za-z0-9_.-]*)")
_CLOCK = re.compile(r"(?:(\d{1,5})-)?(\d{1,7})(?::(\d{1,7}))?(?::(\d{1,7}))?")


class _Script:
    """The headers of one script, asked one by one; faults are gathered."""

    def __init__(self, headers: Sequence[Header], file: str) -> None:
        self._last = {header.name: header for header in headers}
        self._file = file
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    def text(self, name: str) -> str:
        """The last value given; empty if none."""
        return self._last[name].value if name in self._last else ""

    def given(self, name: str) -> bool:
        """Whether the header stands in the script."""
        return name in self._last

    def read(self, name: str, reader: Callable[[str], Any], otherwise: Any) -> Any:
        """The value read; where there is none, or a bad one, `otherwise`."""
        if name not in self._last:
            return otherwise
        try:
            return reader(self._last[name].value)
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            self.fault(name, message, f"{remedy[:1].upper()}{remedy[1:]}." if remedy else "See sbatch(1).")
            return otherwise

    def fault(self, name: str, message: str, remedy: str) -> None:
        """Note what is wrong with a header."""
        line = self._last[name].line if name in self._last else 0
        self.problems.append(Problem(f"--{name}: {message}", remedy, self._file, line))

    def rest(self) -> dict[str, Any]:
        """Headers that nothing here understands, verbatim."""
        return {
            header.name: header.value or True
            for header in self._last.values()
            if header.name not in _UNDERSTOOD
        }


def import_sbatch(text: str, file: str, chips: Sequence[KnownChip] = ()) -> Imported:
    """A batch script as a workload. Raises InputError."""
    headers, body = split(text, file)
    script = _Script(headers, file)
    nodes = script.read("nodes", _nodes, None)
    per_node = script.read("ntasks-per-node", _count, None)
    tasks = script.read("ntasks", _count, None)
    if nodes is None:
        nodes = math.ceil(tasks / per_node) if tasks and per_node else 1
    if per_node is None:
        per_node = math.ceil(tasks / nodes) if tasks else 1
    names, count = _accelerators(script, nodes, per_node, chips)
    cpus = per_node * script.read("cpus-per-task", _count, 1)
    if script.given("cpus-per-gpu"):
        cpus = max(count, 1) * script.read("cpus-per-gpu", _count, 1)
    shared = Resources(
        chips_per_node=count,
        cpus=Decimal(cpus) if cpus > 1 else None,
        memory_gib=_memory(script, cpus, count),
    )
    carried = script.rest()
    if "array" in carried:
        script.notes.append("`--array` has no counterpart: submit once for each index, with --env.")
    if re.search(r"\bsrun\b[^\n]*\s(-w|--nodelist)\b", body):
        script.notes.append(
            "`srun -w` runs on every node here: take addresses from SKYPILOT_NODE_IPS, the first being rank 0."
        )
    if "dependency" in carried:
        script.notes.append("`--dependency` has no counterpart: submit when the other job is done.")
    workload = Workload(
        name=as_name(script.text("job-name")) or "job",
        team=script.text("account"),
        nodes=min(nodes, NODES_LIMIT),
        alternatives=tuple(_with_chip(shared, name) for name in names) or (_with_chip(shared, None),),
        time_limit=script.read("time", _time, None),
        max_recoveries=0 if script.given("no-requeue") else 10,
        workdir=script.text("chdir"),
        envs=_exported(script),
        run=slurm_preamble(body, per_node) + body + "\n" if body else "",
        engine_options={"slurm": carried} if carried else {},
    )
    if script.problems:
        raise InputError(tuple(script.problems))
    return Imported(sound(workload), "sbatch", tuple(script.notes))


def _with_chip(shared: Resources, name: str | None) -> Resources:
    return msgspec.structs.replace(shared, chip=name, chips_per_node=shared.chips_per_node if name else 0)


def _accelerators(
    script: _Script, nodes: int, per_node: int, chips: Sequence[KnownChip]
) -> tuple[tuple[str, ...], int]:
    """The accelerators that will do, and how many a node has."""
    name, count, source = "", 0, "gres"
    for header, share in (
        ("gres", Fraction(1)),
        ("gpus-per-node", Fraction(1)),
        ("gpus-per-task", Fraction(per_node)),
        ("gpus", Fraction(1, nodes)),
    ):
        found = script.read(header, _gres if header == "gres" else _gpus, None)
        if found is not None:
            name, count, source = found[0] or name, math.ceil(found[1] * share), header
    if not count:
        return (), 0
    if count > CHIPS_PER_NODE_LIMIT:
        script.fault(
            source, f"{count} accelerators per node are too many", f"Ask for {CHIPS_PER_NODE_LIMIT} at most."
        )
        return (), 0
    if name:
        return (name.upper(),), count
    known = choose(chips)
    if not known:
        script.fault(source, "this names no kind of accelerator", "Write `#SBATCH --gres=gpu:h100:8`.")
    script.notes.append(
        "The script names no kind of accelerator, so any NVIDIA one will do: narrow `resources`."
    )
    return known, count


def _memory(script: _Script, cpus: int, count: int) -> Decimal | None:
    """GiB a node; Slurm counts in MiB unless a unit is given, and 0 means all there is."""
    for header, times in (("mem", 1), ("mem-per-cpu", cpus), ("mem-per-gpu", count)):
        found: Decimal | None = script.read(header, _gib, None)
        if found:
            return quantity.tidy(round(found * times, 6))
    return None


def _exported(script: _Script) -> dict[str, str]:
    """Assignments of `--export`; names without a value come from the submitter's shell and are noted."""
    found: dict[str, str] = {}
    for item in script.text("export").split(","):
        name, equals, value = item.partition("=")
        if equals:
            found[name.strip()] = value
        elif item.strip() not in ("", "ALL", "NONE", "NIL"):
            script.notes.append(
                f"`--export={item.strip()}` takes a value from your shell: submit with --env."
            )
    return found


def _count(text: str) -> int:
    return quantity.whole(text, 1, NODES_LIMIT)


def _nodes(text: str) -> int:
    """`4`, `2-4` (the least), `2-8:2`."""
    return _count(re.split(r"[-:,]", text.strip())[0])


def _gpus(text: str) -> tuple[str, int]:
    """`8`, `h100:8`, `h100`; of several kinds, the first."""
    match = _GPU.fullmatch(text.partition(",")[0].strip())
    if match is None:
        raise ValueError(f"{quantity.shown(text)} names no accelerators; write h100:8")
    return match[1] or match[3] or "", int(match[2] or 1)


def _gres(text: str) -> tuple[str, int] | None:
    """The `gpu` part of `gpu:h100:8,nvme:1`; None if there is none."""
    for part in text.split(","):
        name, colon, rest = part.strip().partition(":")
        if name == "gpu":
            return _gpus(re.sub(r"\(.*\)$", "", rest)) if colon else ("", 1)
    return None


def _gib(text: str) -> Decimal:
    if re.fullmatch(r"\d{1,13}", text.strip()):
        return round(Decimal(text.strip()) / 1024, 6)
    return quantity.gibibytes(text)[0]


def _time(text: str) -> Duration | None:
    """`30`, `30:00`, `1:30:00`, `2-12`, `2-12:30`, `2-12:30:00`; None for no limit."""
    if text.upper() in ("UNLIMITED", "INFINITE", "0"):
        return None
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{quantity.shown(text)} is not a time limit; write 1-12:30:00")
    parts = [int(part) for part in match.groups()[1:] if part is not None]
    units = (HOUR, MINUTE, SECOND) if match[1] or len(parts) == 3 else (MINUTE, SECOND)
    length = int(match[1] or 0) * DAY + sum(n * unit for n, unit in zip(parts, units, strict=False))
    if not 0 < length <= quantity.LONGEST:
        raise ValueError(f"{quantity.shown(text)} is out of range; write less than ten years")
    return Duration(length)
