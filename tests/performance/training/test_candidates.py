"""Candidates: every one is possible, and no possible one is missing."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.device import Device
from stargate.performance.models.architecture import Architecture, Experts, GroupedQuery
from stargate.performance.models.shape import Shape, shape_of
from stargate.performance.training.candidates import (
    MICRO_BATCHES,
    PARTS,
    Choices,
    candidates,
    one_of,
    those,
)
from stargate.performance.training.layout import problems

DENSE = shape_of(
    Architecture(
        name="dense",
        layers=12,
        hidden=1536,
        ffn=4096,
        vocabulary=32000,
        attention=GroupedQuery(heads=12, kv_heads=4, head_dim=128),
    )
)
ROUTED = shape_of(
    Architecture(
        name="routed",
        layers=8,
        hidden=1024,
        ffn=0,
        vocabulary=32000,
        attention=GroupedQuery(heads=8, kv_heads=8, head_dim=128),
        experts=Experts(count=16, active=2, ffn=2048),
    )
)


def device(vendor: str = "NVIDIA", domain_chips: int = 8) -> Device:
    return Device(
        chip="any",
        precision="bf16",
        vendor=vendor,
        peak_flops_per_s=1e15,
        bf16_flops_per_s=1e15,
        memory_bytes=80e9,
        bandwidth_bytes_per_s=3e12,
        domain_chips=domain_chips,
        scaleup_bytes_per_s=4e11,
        scaleout_bytes_per_s=5e10,
        power_w=700,
    )


@given(
    shape=st.sampled_from([DENSE, ROUTED]),
    chips=st.integers(1, 48),
    batch=st.sampled_from([1, 6, 16, 24, 64]),
    sequence=st.sampled_from([512, 3072, 8192]),
)
def test_every_candidate_is_possible(shape: Shape, chips: int, batch: int, sequence: int) -> None:
    layouts, count = candidates(shape, device(), chips, batch, sequence)
    for index in range(0, count, max(1, count // 40)):
        layout = one_of(layouts, index)
        assert not problems(layout, shape, chips)
        assert layout.tensor <= 8
        assert layout.pipeline == 1 or not layout.shard_parameters
        assert layout.virtual == 1 or layout.micro_batches % layout.pipeline == 0


@given(chips=st.sampled_from([1, 4, 6, 8, 12]), batch=st.sampled_from([4, 12, 24]))
def test_no_possible_layout_is_missing(chips: int, batch: int) -> None:
    """Counted without arrays: degrees that divide, micro-batches that divide, whole rounds when interleaved."""
    sequence = 4096
    ways = 0
    sizes = range(1, chips + 1)
    for tensor, pipeline, context in product((1, 2, 4, 8), sizes, (1, 2, 4)):
        cut = tensor * pipeline * context
        if chips % cut or DENSE.heads % tensor or pipeline > DENSE.layers:
            continue
        data = chips // cut
        for micro, parts in product(MICRO_BATCHES, PARTS):
            if batch % (data * micro) or pipeline * parts > DENSE.layers:
                continue
            rounds = batch // (data * micro) % pipeline == 0 and pipeline > 1
            if parts == 1 or rounds:
                ways += 3 * (2 if pipeline == 1 else 1)
    assert candidates(DENSE, device(), chips, batch, sequence)[1] == ways


def test_choices_bound_the_search() -> None:
    fixed = Choices(tensor=(4,), recompute=("full",), sharding=("zero1",))
    layouts, count = candidates(DENSE, device(), 16, 64, 4096, fixed, {"prediction": 1.0})
    assert count
    assert set(layouts.tensor) == {4.0}
    assert set(layouts.full_recompute) == {1.0}
    assert set(layouts.shard_parameters) == {0.0}
    assert layouts.prediction == 1.0
    assert layouts.sequence_parallel.all()


def test_pods_of_tpus_are_slices() -> None:
    assert candidates(DENSE, device("Google", 16), 64, 64, 4096)[0].slices == 4
    assert candidates(DENSE, device("NVIDIA", 16), 64, 64, 4096)[0].slices == 1


def test_some_of_a_record_of_columns() -> None:
    layouts, count = candidates(ROUTED, device(), 16, 64, 4096)
    wide = those(layouts, layouts.expert == 16)
    assert 0 < len(wide.expert) < count
    assert np.all(wide.expert == 16)
    assert one_of(wide, 0).batch == 64
