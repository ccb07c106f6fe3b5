"""The layout that a row of training measurements states, and what is assumed where it states none."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from stargate.base.errors import InputError
from stargate.performance.calibration.reading import Row
from stargate.performance.device import Device
from stargate.performance.models.shape import Shape
from stargate.performance.training.candidates import Choices
from stargate.performance.training.constants import Constants
from stargate.performance.training.described import number
from stargate.performance.training.layout import BUBBLE, RECOMPUTE, SHARDING, Layout, Recompute, Sharding
from stargate.performance.training.search import NoLayout, best_layouts

SEQUENCE_PARALLEL_SINCE = "2022-06"
"""Published in arXiv 2205.05198; runs before it cannot have had it."""
XLA_REPEATS = 0.75
"""The last matrix of a layer, a quarter of it in a Llama, is not needed to go backward, and XLA leaves it out."""
STEP_TOKENS = 4_194_304
"""Of a run that states neither chips nor batch: four million tokens a step (Llama 2, arXiv 2307.09288)."""
CHIP_TOKENS = 1_024
"""Of a larger run, on each chip: sixteen million tokens a step on 16,384 (Llama 3, arXiv 2407.21783, table 4)."""
RUN_CHIPS = 1024
"""Of a run that does not say on how many chips it was."""


def software_of(row: Row) -> str:
    """The release of software that ran the row; empty for whole runs, which pass through many.

    A table of two names the one that shards everything.
    """
    if row.get("target_metric") == "chip_hours":
        return ""
    said = row.get("software", "").strip()
    if "/" in said and "deepspeed" in said.lower():
        year = said.rpartition(" ")[2]
        return f"DeepSpeed {year}" if "zero3" in row.get("sharding", "") else f"Megatron-LM {year}"
    return said


def recompute_of(row: Row) -> Recompute:
    """A name of `layout.RECOMPUTE` for what the row says of recomputation.

    Unstated: what recipes of 2023 and later do, nothing for dense models and the light parts of layers with
    experts.
    """
    said = row.get("recompute", "").lower()
    light: Recompute = "selective" if row.get("arch") == "moe" else "none"
    if said.startswith("full"):
        return "full"
    if said.startswith(("custom", "minimal")) or "offloaded" in said:
        return "minimal"
    if said.startswith("selective"):
        return "selective"
    return light


def sharding_of(row: Row) -> Sharding:
    """A name of `layout.SHARDING` for what the row says of sharding; ZeRO-1 where it says nothing."""
    said = row.get("sharding", "").lower()
    for name in ("zero3", "zero2", "zero1", "fsdp"):
        if name in said:
            return name
    return "none" if said == "none" else "zero1"


def schedule_of(row: Row) -> str:
    """A name of `layout.BUBBLE`."""
    said = f"{row.get('software', '')} {row.get('schedule_note', '')}".lower()
    if "dualpipe" in said:
        return "dualpipe"
    return "zero_bubble" if "zero-bubble" in said or "zero bubble" in said else "interleaved"


def slices_of(row: Row, device: Device, chips: float) -> float:
    """Scale-up domains joined by the data-centre network: as the note says, else as many as the chips fill."""
    said = re.search(r"(\d+) slice", row.get("note", ""))
    if said:
        return float(said.group(1))
    if not row.get("chip", "").upper().startswith("TPU"):
        return 1.0
    return max(1.0, float(-(-chips // device.domain_chips)))


def layout_of(row: Row, shape: Shape, device: Device) -> Layout:
    """The layout of a row; what it leaves open as in the fastest that fits, under the constants of the start."""
    sequence = number(row, "seq_len", 2048.0)
    chips = number(row, "n_chips") or RUN_CHIPS
    batch = number(row, "gbs_seqs") or max(STEP_TOKENS, chips * CHIP_TOKENS) // sequence
    early = _early(row)
    others = {
        "slices": slices_of(row, device, chips),
        "bubble_share": BUBBLE[schedule_of(row)],
        "stored_scores": float(early),
        "tensor_overlap": float(not early),
        "expert_overlap": float(schedule_of(row) == "dualpipe"),
        "reduce_bytes": 4.0 if "mp_mode=DEFAULT" in row.get("note", "") else 2.0,
        "recompute_share": XLA_REPEATS if row.get("chip", "").upper().startswith("TPU") else 1.0,
        "prediction": float(
            "Bridge" in row.get("software", "") and "w/o MTP" not in row.get("schedule_note", "")
        ),
    }
    sharding = sharding_of(row)
    whole = sharding in {"fsdp", "zero3"}
    if not number(row, "tp") or not (number(row, "mbs") or whole):
        return _searched(row, shape, device, (int(chips), int(batch), int(sequence)), others)
    return _as_stated(row, shape, number(row, "tp"), (chips, batch, sequence), others, math.inf)


def _early(row: Row) -> bool:
    return row.get("source_date", "9999") < SEQUENCE_PARALLEL_SINCE


def _sequence_parallel(row: Row, tensor: float) -> float:
    said = row.get("seq_parallel", "")
    return float(tensor > 1) * (number(row, "seq_parallel") if said else float(not _early(row)))


def _parts(row: Row, shape: Shape, pipeline: float) -> float:
    """Parts per stage: one where the row states its configuration; else of two layers or more, as many as divide."""
    if row.get("config_complete") == "1" or pipeline == 1 or schedule_of(row) == "dualpipe":
        return 1.0
    each = int(-(-shape.layers // pipeline))
    return float(max((parts for parts in range(1, each // 2 + 1) if each % parts == 0), default=1))


def _searched(
    row: Row, shape: Shape, device: Device, sizes: tuple[int, int, int], others: dict[str, float]
) -> Layout:
    """The fastest layout with all degrees that the row states, of those that fit, else the smallest one."""
    stated = {name: int(number(row, column)) for name, column in _COLUMNS.items()}
    sharding = sharding_of(row)
    recompute = recompute_of(row)
    if sharding in {"fsdp", "zero3"}:
        stated["pipeline"] = 1
    if stated["tensor"]:
        stated["pipeline"], stated["context"] = stated["pipeline"] or 1, stated["context"] or 1
    fixed: dict[str, Any] = {name: (degree,) for name, degree in stated.items() if degree}
    if stated["tensor"] and not stated["virtual"]:
        fixed["virtual"] = (int(_parts(row, shape, stated["pipeline"])),)
    if stated["tensor"]:
        fixed["recompute"] = ("attention" if recompute == "none" else recompute,)
    chips, batch, sequence = sizes
    choices = Choices(sharding=(sharding,), **fixed)
    try:
        found = best_layouts(
            shape, device, chips, batch, sequence, Constants(), choices=choices, others=others, limit=1
        )
    except InputError:
        return _uneven(row, shape, device, sizes, others)
    if isinstance(found, NoLayout) and stated["tensor"]:
        return _uneven(row, shape, device, sizes, others)
    best = found.layout if isinstance(found, NoLayout) else found[0].layout
    return msgspec.structs.replace(best, sequence_parallel=_sequence_parallel(row, best.tensor))


def _uneven(
    row: Row, shape: Shape, device: Device, sizes: tuple[int, int, int], others: dict[str, float]
) -> Layout:
    """What the row states, though it does not divide evenly or not fit: it ran; tensor groups of a node at most."""
    tensor = number(row, "tp") or float(min(8, device.domain_chips, sizes[0]))
    return _as_stated(row, shape, tensor, sizes, others, 1.0)


def _as_stated(
    row: Row,
    shape: Shape,
    tensor: float,
    sizes: tuple[float, float, float],
    others: dict[str, float],
    most: float,
) -> Layout:
    """The degrees of the row as they are; where it states no micro-batch, all that a chip has, at most `most`."""
    chips, batch, sequence = sizes
    pipeline, context = number(row, "pp", 1.0), number(row, "cp", 1.0)
    data = chips / (tensor * pipeline * context)
    return Layout(
        sequence=sequence,
        batch=batch,
        micro_batch=min(number(row, "mbs") or most, batch / data),
        tensor=tensor,
        pipeline=pipeline,
        virtual=number(row, "vp") or _parts(row, shape, pipeline),
        context=context,
        data=data,
        expert=number(row, "ep", 1.0),
        sequence_parallel=_sequence_parallel(row, tensor),
        **(RECOMPUTE[recompute_of(row)] | SHARDING[sharding_of(row)] | others),
    )


_COLUMNS = {
    "tensor": "tp",
    "pipeline": "pp",
    "virtual": "vp",
    "context": "cp",
    "expert": "ep",
    "micro_batch": "mbs",
}
