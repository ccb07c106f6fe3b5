"""The layout that a row of training measurements states, and what is assumed where it states none."""

from __future__ import annotations

import re

from stargate.performance.device import Device
from stargate.performance.shape import Shape
from stargate.performance.training.described import Row, number
from stargate.performance.training.layout import BUBBLE, RECOMPUTE, SHARDING, Layout

SEQUENCE_PARALLEL_SINCE = "2022-06"
"""Published in arXiv 2205.05198; runs before it cannot have had it."""
STEP_TOKENS = 4_194_304
"""Of a run that states neither chips nor batch: four million tokens a step (Llama 2, arXiv 2307.09288)."""
RUN_CHIPS = 1024
"""Of a run that does not say on how many chips it was."""


def software_of(row: Row) -> str:
    """The release of software that ran the row. A table of two names the one that shards everything."""
    said = row.get("software", "").strip()
    if "/" in said and "deepspeed" in said.lower():
        year = said.rpartition(" ")[2]
        return f"DeepSpeed {year}" if "zero3" in row.get("sharding", "") else f"Megatron-LM {year}"
    return said


def recompute_of(row: Row) -> str:
    """A name of `layout.RECOMPUTE` for what the row says of recomputation.

    Unstated: what recipes of 2023 and later do, nothing for dense models and the light parts of layers with
    experts.
    """
    said = row.get("recompute", "").lower()
    light = "selective" if row.get("arch") == "moe" else "none"
    if said.startswith("full"):
        return "full"
    if said.startswith(("custom", "minimal")) or "offloaded" in said:
        return "minimal"
    if said.startswith("selective"):
        return "selective"
    return light


def sharding_of(row: Row) -> str:
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
    """The layout of a row; what it leaves open as its notes, its time and the usual way suggest."""
    sequence = number(row, "seq_len", 2048.0)
    chips = number(row, "n_chips") or RUN_CHIPS
    sharding = sharding_of(row)
    ways = {name: number(row, column) for name, column in _WAYS.items()}
    batch = number(row, "gbs_seqs") or max(STEP_TOKENS / sequence, chips)
    if not ways["tensor"]:
        ways |= _usual(row, shape, device, chips, batch, sharding)
    tensor, pipeline, context = ways["tensor"], ways["pipeline"] or 1.0, ways["context"] or 1.0
    data = chips / (tensor * pipeline * context)
    micro = number(row, "mbs") or (batch / data if sharding in {"fsdp", "zero3"} else 1.0)
    micro = min(micro, batch / data)
    early = row.get("source_date", "9999") < SEQUENCE_PARALLEL_SINCE
    said = row.get("seq_parallel", "")
    sequence_parallel = number(row, "seq_parallel") if said else float(not early)
    named = RECOMPUTE[recompute_of(row)] | SHARDING[sharding]
    pure = "mp_mode=PURE" in row.get("note", "")
    return Layout(
        sequence=sequence,
        batch=batch,
        micro_batch=micro,
        tensor=tensor,
        pipeline=pipeline,
        virtual=ways["virtual"] or _parts(row, shape, pipeline),
        context=context,
        data=data,
        expert=ways["expert"] or 1.0,
        slices=slices_of(row, device, chips),
        sequence_parallel=sequence_parallel if tensor > 1 else 0.0,
        bubble_share=BUBBLE[schedule_of(row)],
        gradient_bytes=2.0 if pure else 4.0,
        prediction=float(
            "Bridge" in row.get("software", "") and "w/o MTP" not in row.get("schedule_note", "")
        ),
        **named,
    )


_WAYS = {"tensor": "tp", "pipeline": "pp", "virtual": "vp", "context": "cp", "expert": "ep"}


def _parts(row: Row, shape: Shape, pipeline: float) -> float:
    """Parts per stage: one where the row states its configuration; else interleaved by two layers if it can be."""
    if row.get("config_complete") == "1" or pipeline == 1:
        return 1.0
    each = shape.layers / pipeline
    return max(1.0, float(each // 2))


def _usual(
    row: Row, shape: Shape, device: Device, chips: float, batch: float, sharding: str
) -> dict[str, float]:
    """Degrees for a row that states none: the least cutting that fits in memory, with a sequence for each copy."""
    shared = sharding in {"fsdp", "zero3"}
    best = {"tensor": 1.0, "pipeline": number(row, "pp") or 1.0, "context": 1.0}
    expert = min(shape.experts, chips) if shape.experts else 1.0
    for cut in range(14):
        model = 2.0**cut
        if model > chips:
            break
        tensor = min(model, 8.0, device.domain_chips)
        pipeline = 1.0 if shared else model / tensor
        if shared:
            tensor = model
        copies = chips / (tensor * pipeline)
        best = {"tensor": tensor, "pipeline": pipeline, "context": 1.0, "expert": min(expert, copies)}
        state = shape.parameters * (16.0 / chips if shared else (6.0 + 12.0 / copies) / model)
        if state < 0.6 * device.memory_bytes and copies <= batch:
            break
    return best
