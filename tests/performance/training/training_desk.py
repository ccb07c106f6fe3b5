"""Chips and layouts that tests of training steps share."""

from __future__ import annotations

import msgspec

from stargate.performance.device import Device
from stargate.performance.models.library import model_named
from stargate.performance.models.shape import Shape, shape_of
from stargate.performance.training.layout import Layout, layout

H100 = Device(
    chip="H100-SXM",
    precision="bf16",
    vendor="NVIDIA",
    peak_flops_per_s=989e12,
    bf16_flops_per_s=989e12,
    memory_bytes=80e9,
    bandwidth_bytes_per_s=3.35e12,
    domain_chips=8,
    scaleup_bytes_per_s=4.5e11,
    scaleout_bytes_per_s=5e10,
    power_w=700,
)
H100_FP8 = msgspec.structs.replace(H100, precision="fp8", peak_flops_per_s=1979e12)


def shape(name: str) -> Shape:
    return shape_of(model_named(name))


LARGE = shape("Llama-3-70B")
ROUTED = shape("DeepSeek-V3")
CUT = layout(sequence=8192, batch=256, chips=64, tensor=4, pipeline=4, virtual=5, sequence_parallel=1.0)
SPREAD = layout(sequence=4096, batch=4096, chips=256, pipeline=8, virtual=2, expert=32)
SHARDED = layout(sequence=2048, batch=512, chips=64, sharding="fsdp", recompute="full", micro_batch=8)


def changed(one: Layout, **fields: float) -> Layout:
    return msgspec.structs.replace(one, **fields)
