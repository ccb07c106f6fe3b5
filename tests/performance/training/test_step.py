"""The time of a step: how it must move, what it is made of, and that both spaces agree."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.performance.models.shape import Shape
from stargate.performance.number import ARRAY, SCALAR, stack
from stargate.performance.training.constants import Constants
from stargate.performance.training.layout import Layout
from stargate.performance.training.step import ORDER, Step, step
from tests.performance.training.training_desk import (
    CUT,
    H100,
    H100_FP8,
    LARGE,
    ROUTED,
    SHARDED,
    SPREAD,
    changed,
)

CONSTANTS = Constants()
WORK = [(LARGE, CUT), (ROUTED, SPREAD), (LARGE, SHARDED)]


def timed(shape: Shape, layout: Layout, constants: Constants = CONSTANTS) -> Step:
    return step(SCALAR, shape, H100, layout, constants)


@pytest.mark.parametrize(("shape", "layout"), WORK)
def test_terms_add_up_and_none_is_negative(shape: Shape, layout: Layout) -> None:
    for release in (0.6, 1.0, 1.7):
        found = timed(shape, layout, msgspec.structs.replace(CONSTANTS, release=release))
        parts = [getattr(found, name) for name in ORDER]
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(found.seconds, rel=1e-9)


@pytest.mark.parametrize(("shape", "layout"), WORK)
def test_a_step_is_a_time_that_people_measure(shape: Shape, layout: Layout) -> None:
    found = timed(shape, layout)
    assert found.tokens_per_second_per_chip * found.seconds * layout.chips == pytest.approx(layout.tokens)
    used = 6.0 * shape.active_parameters * found.tokens_per_second_per_chip / H100.peak_flops_per_s
    assert 0.1 < used < 0.8


def test_columns_and_single_values_agree() -> None:
    layouts = [CUT, SHARDED, changed(CUT, context=2.0, data=2.0), changed(CUT, full_recompute=1.0)]
    column = step(ARRAY, LARGE, H100, stack(layouts), CONSTANTS)
    for index, one in enumerate(layouts):
        single = timed(LARGE, one)
        for name in (*ORDER, "seconds"):
            value = np.broadcast_to(getattr(column, name), len(layouts))[index]
            assert value == pytest.approx(getattr(single, name), rel=1e-12, abs=1e-15)


def bubble_share(layout: Layout) -> float:
    """Idle time over busy time of the pipeline."""
    found = timed(LARGE, layout)
    busy = found.seconds - found.bubble - found.data_parallel - found.optimizer - found.overhead - found.head
    return float(found.bubble / busy)


def test_idle_time_is_that_of_the_schedule() -> None:
    """(p - 1) / (v m) of the busy time; the head, which the last stage has alone, changes it by a few percent."""
    for pipeline, virtual, batch in ((4, 1, 64), (4, 5, 64), (8, 1, 128), (8, 2, 512)):
        one = changed(CUT, pipeline=pipeline, virtual=virtual, data=16 / pipeline, batch=batch)
        assert bubble_share(one) == pytest.approx((pipeline - 1) / (virtual * one.micro_batches), rel=0.08)


def test_a_zero_bubble_schedule_keeps_a_third() -> None:
    third = timed(LARGE, changed(CUT, bubble_share=1 / 3)).bubble
    assert third == pytest.approx(timed(LARGE, CUT).bubble / 3)


def test_recomputing_costs_a_third_of_the_products() -> None:
    """Four passes instead of three (Narayanan et al., SC21, section 5.4.2), and not more than that of all."""
    once, again = timed(LARGE, CUT), timed(LARGE, changed(CUT, full_recompute=1.0))
    assert again.matmul / once.matmul == pytest.approx(4 / 3, rel=0.05)
    assert 1.15 < again.seconds / once.seconds < 4 / 3 + 0.05


def test_sharding_parameters_communicates_more_than_sharding_the_optimizer() -> None:
    """Once per micro-batch instead of once per step (Rajbhandari et al., 2019, section 7.2)."""
    once = changed(SHARDED, shard_parameters=0.0, shard_gradients=0.0)
    shown = msgspec.structs.replace(CONSTANTS, exposed=1.0)
    assert timed(LARGE, SHARDED, shown).data_parallel > 1.2 * timed(LARGE, once, shown).data_parallel


def test_communication_hides_only_as_long_as_computing_lasts() -> None:
    """FSDP of 1.3 TB of parameters over a thousand chips with one sequence each waits for the network."""
    small = changed(SHARDED, data=1024.0, batch=1024.0, micro_batch=1.0, sequence=128.0)
    found = timed(LARGE, small)
    assert found.binding() == "data_parallel"
    large = changed(small, sequence=8192.0)
    assert timed(LARGE, large).binding() == "matmul"


def test_experts_across_nodes_wait_for_the_network() -> None:
    within = timed(ROUTED, changed(SPREAD, expert=8.0)).expert_parallel
    across = timed(ROUTED, changed(SPREAD, expert=32.0)).expert_parallel
    assert across > 2 * within


def test_eight_bits_are_faster_but_not_twice() -> None:
    wide, narrow = timed(LARGE, CUT), step(SCALAR, LARGE, H100_FP8, CUT, CONSTANTS)
    assert 1.1 < wide.seconds / narrow.seconds < 2.0


BETTER = ["matmul", "attention", "memory", "link"]
WORSE = [
    "operands",
    "exposed",
    "cast",
    "expert",
    "routing",
    "softmax",
    "straggler",
    "step_seconds",
    "release",
]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(WORK), st.sampled_from(BETTER + WORSE), st.floats(1.01, 1.5))
def test_each_constant_works_the_way_its_name_says(
    work: tuple[Shape, Layout], name: str, factor: float
) -> None:
    shape, layout = work
    changed_to = msgspec.structs.replace(CONSTANTS, **{name: getattr(CONSTANTS, name) * factor})
    before, after = timed(shape, layout).seconds, timed(shape, layout, changed_to).seconds
    if name in BETTER:
        assert after < before
    else:
        assert after >= before


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(WORK),
    st.sampled_from(["bandwidth_bytes_per_s", "scaleup_bytes_per_s", "scaleout_bytes_per_s"]),
    st.floats(1.01, 4.0),
)
def test_a_faster_chip_is_never_slower(work: tuple[Shape, Layout], field: str, factor: float) -> None:
    shape, layout = work
    faster = msgspec.structs.replace(H100, **{field: getattr(H100, field) * factor})
    assert step(SCALAR, shape, faster, layout, CONSTANTS).seconds <= timed(shape, layout).seconds


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(WORK), st.integers(2, 8))
def test_more_sequences_take_longer_and_no_longer_than_their_share(
    work: tuple[Shape, Layout], times: int
) -> None:
    shape, layout = work
    once, more = timed(shape, layout), timed(shape, changed(layout, batch=layout.batch * times))
    assert once.seconds < more.seconds <= times * once.seconds


def test_slices_cost_what_the_network_between_them_carries() -> None:
    """A 16-billion model loses a tenth from 1 to 32 slices of TPU v5e; here: something, and less than that a slice."""
    one = changed(SHARDED, data=256.0, batch=1536.0, micro_batch=6.0)
    many = changed(one, data=8192.0, batch=49152.0, slices=32.0)
    tpu = msgspec.structs.replace(
        H100,
        peak_flops_per_s=197e12,
        bf16_flops_per_s=197e12,
        bandwidth_bytes_per_s=0.819e12,
        domain_chips=256,
        scaleup_bytes_per_s=2e11,
        scaleout_bytes_per_s=3.125e9,
    )
    rates = [step(SCALAR, LARGE, tpu, each, CONSTANTS).tokens_per_second_per_chip for each in (one, many)]
    assert 0.75 < rates[1] / rates[0] < 0.99
