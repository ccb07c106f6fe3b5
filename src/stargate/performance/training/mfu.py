"""Model FLOPs and their utilisation under the conventions that publications use. They differ by up to a third.

Compare tokens per second, and convert to a utilisation last.
"""

from __future__ import annotations

from typing import Literal

from stargate.performance.models.shape import Shape
from stargate.performance.number import Number, Space
from stargate.performance.training.flops import forward_flops

Convention = Literal["full", "causal", "hardware"]
"""`full`: three times the forward pass, attention over the whole square of the sequence (PaLM, arXiv
2204.02311, appendix B; Megatron-LM; MaxText until its change 1988). `causal`: attention over what the mask
leaves (Megatron-Bridge, MaxText since). `hardware`: what is computed, recomputed layers included, attention
over the whole square (Narayanan et al., arXiv 2104.04473, equation 3)."""


def flops_per_token(
    x: Space,
    shape: Shape,
    sequence: Number,
    convention: Convention,
    recompute: Number = 0.0,
    prediction: Number = 0.0,
) -> Number:
    """Operations per trained token as the convention counts them.

    `recompute` is 1 where every layer runs forward again, which only `hardware` counts; `prediction` is 1
    where extra prediction layers are trained.
    """
    parts = forward_flops(x, shape, sequence, prediction)
    square = 1.0 if convention == "causal" else 2.0
    body = parts.linear + parts.routed + square * parts.attention
    again = recompute if convention == "hardware" else 0.0
    return (3.0 + again) * body + 3.0 * parts.head


def convention_of(text: str) -> Convention:
    """The convention that a description means; `causal` where it does not say."""
    said = text.lower()
    if said.startswith("hw") or "incl. full recompute" in said:
        return "hardware"
    if "full" in said or said == "model flops":
        return "full"
    return "causal"
