"""What a row of training measurements says of the model, the precision and the kind of work it is."""

from __future__ import annotations

import re

from stargate.base.errors import InputError, NotFoundError, Problem
from stargate.performance.calibration.reading import Row
from stargate.performance.models.architecture import Architecture, Experts, GroupedQuery, Latent
from stargate.performance.models.library import model_named
from stargate.performance.models.shape import shape_of

_EIGHT_BITS_SCALED_BY_BLOCK = ("fp8-mx", "mxfp8")


def number(row: Row, field: str, otherwise: float = 0.0) -> float:
    """A number of the row, without marks like `?`; `otherwise` where the field is blank or no number."""
    found = re.match(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", row.get(field, "").strip())
    return float(found.group()) if found else otherwise


def precision_of(row: Row) -> str:
    """The spelling of formulas for what the row calls its precision.

    A mix that names four bits is that on chips that compute in them, eight bits elsewhere.
    """
    said = row.get("precision", "").lower()
    four_bits = re.search(r"^(?:b[23]00|gb[23]00|vr200)", row.get("chip", "").lower())
    if "fp4" in said and (four_bits or "fp8" not in said):
        return "nvfp4"
    if "int8" in said:
        return "int8"
    if any(said.startswith(name) for name in _EIGHT_BITS_SCALED_BY_BLOCK):
        return "mxfp8"
    return "fp8" if "fp8" in said else "bf16"


def group_of(row: Row) -> str:
    """The kind of work that accuracies are asked for."""
    sharding = row.get("sharding", "").lower()
    if row.get("target_metric") == "chip_hours" or row.get("group") == "runs":
        return "whole_runs"
    if row.get("chip", "").upper().startswith("TPU"):
        return "tpu"
    if row.get("arch") == "moe":
        return "moe"
    return "fsdp" if "fsdp" in sharding or "zero3" in sharding else "dense_3d"


def architecture_of(row: Row) -> Architecture:
    """The shipped model of that name where its layers and width agree, else what the columns say.

    Raises InputError that names the fields a model cannot be made without.
    """
    layers, hidden = int(number(row, "layers")), int(number(row, "hidden"))
    try:
        known = model_named(row.get("model", ""))
    except NotFoundError:
        known = None
    if known is not None and (not layers or (known.layers, known.hidden) == (layers, hidden)):
        return known
    missing = [name for name in ("layers", "hidden", "heads", "vocab") if not number(row, name)]
    if missing:
        message = f"row {row.get('row_id', '?')} of an unknown model {row.get('model', '')!r} lacks {missing}"
        raise InputError((Problem(message, "State them, or name a model that ships.", path=missing[0]),))
    return _written(row, layers, hidden)


def _written(row: Row, layers: int, hidden: int) -> Architecture:
    heads = int(number(row, "heads"))
    head_dim = int(number(row, "head_dim")) or hidden // heads
    latent = re.search(r"MLA\(q(\d+),\s*kv(\d+),\s*rope(\d+)\)", row.get("kv_heads", ""))
    attention: GroupedQuery | Latent = GroupedQuery(
        heads=heads, kv_heads=int(number(row, "kv_heads")) or heads, head_dim=head_dim
    )
    if latent:
        q_rank, kv_rank, rope = (int(part) for part in latent.groups())
        attention = Latent(
            heads=heads, kv_rank=kv_rank, rope_dim=rope, nope_dim=head_dim, value_dim=head_dim, q_rank=q_rank
        )
    experts = None
    if number(row, "experts"):
        experts = Experts(
            count=int(number(row, "experts")),
            active=int(number(row, "topk", 1.0)),
            ffn=int(number(row, "moe_ffn")) or int(number(row, "ffn")),
            shared=int(number(row, "shared_experts")),
            dense_layers=int(number(row, "dense_layers")),
        )
    choices = [
        Architecture(
            name=row.get("model", ""),
            layers=layers,
            hidden=hidden,
            ffn=int(number(row, "ffn")) or (0 if experts else 4 * hidden),
            vocabulary=int(number(row, "vocab")),
            attention=attention,
            gated=gated,
            experts=experts,
            tied_embeddings=tied,
        )
        for gated in ((row["gated_mlp"] == "1",) if row.get("gated_mlp") in {"0", "1"} else (True, False))
        for tied in (False, True)
    ]
    stated = number(row, "params_b") * 1e9
    return min(choices, key=lambda model: abs(shape_of(model).parameters - stated)) if stated else choices[0]
