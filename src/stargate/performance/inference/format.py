"""In how many bytes the parts of a served model are kept, and what they are multiplied in."""

from __future__ import annotations

from typing import Literal

import msgspec

from stargate.performance.models.architecture import Architecture
from stargate.performance.number import Number

Served = Literal["bf16", "fp8", "mxfp8", "nvfp4", "int8", "int4"]
"""Precisions of a served model. `int4` stands for four-bit weights that are multiplied in 16 bits."""

BYTES: dict[str, float] = {
    "bf16": 2.0,
    "fp8": 1.0,
    "mxfp8": 1.03125,
    "nvfp4": 0.5625,
    "int8": 1.0,
    "int4": 0.53125,
}
"""Per weight with its scales: nvfp4 has one byte for 16 weights (NVIDIA), mxfp8 and mxfp4 one for 32 (OCP MX)."""


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes per element by part; each may be a column."""

    attention_bytes: Number
    """Per weight of attention projections."""
    ffn_bytes: Number
    """Per weight of dense feed-forward parts and shared experts."""
    expert_bytes: Number
    table_bytes: Number = 2.0
    """Per weight of the input and output tables."""
    cache_bytes: Number = 1.0
    """Per element of keys and values kept."""
    wide_attention: Number = 0.0
    """1: attention projections are multiplied in 16 bits."""
    wide_experts: Number = 0.0
    """1: experts are multiplied in 16 bits (four-bit weights on chips that multiply none)."""


def format_of(model: Architecture, precision: str, cache_bytes: float | None = None) -> Format:
    """The usual format of a model published in a precision.

    Four-bit versions of mixtures of experts keep attention in 16 bits and quantise feed-forward parts alone
    (`nvidia/DeepSeek-R1-FP4`, `openai/gpt-oss-120b`: their quantisation configs exclude attention); four-bit
    dense models quantise every large matrix (`nvidia/Llama-3.3-70B-Instruct-FP4`). Keys and values are kept
    in 8 bits unless the model is in 16. Raises KeyError for an unknown precision.
    """
    width = BYTES[precision]
    narrow = precision in {"nvfp4", "int4"}
    wide = narrow and model.experts is not None
    kept = cache_bytes if cache_bytes is not None else (2.0 if precision == "bf16" else 1.0)
    return Format(
        attention_bytes=2.0 if wide else width,
        ffn_bytes=width,
        expert_bytes=width,
        cache_bytes=kept,
        wide_attention=1.0 if wide else 0.0,
        wide_experts=1.0 if precision == "int4" else 0.0,
    )
