"""Communication at full bandwidth: volumes of rings, and what leaves the scale-up domain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.number import SCALAR
from stargate.performance.training.collective import (
    context_parallel,
    data_parallel,
    expert_parallel,
    pipeline_parallel,
    ring,
    tensor_parallel,
)
from stargate.performance.training.memory_traffic import held
from tests.performance.training.training_desk import CUT, H100, LARGE, ROUTED, SHARDED, SPREAD, changed


def test_a_group_within_the_domain_uses_its_links_alone() -> None:
    assert ring(SCALAR, H100, 8e9, 8, 8) == pytest.approx(8e9 * 7 / 8 / 4.5e11)


def test_a_group_of_one_chip_per_node_uses_the_network_alone() -> None:
    assert ring(SCALAR, H100, 8e9, 4, 1) == pytest.approx(8e9 * 3 / 4 / 5e10)


@given(st.integers(1, 4096))
def test_nobody_sends_for_free_or_more_than_all(chips: int) -> None:
    seconds = ring(SCALAR, H100, 1e9, chips, 8)
    assert seconds >= 0
    assert (seconds == 0) == (chips == 1)
    assert seconds < 1e9 / 4.5e11 + 1e9 / 8 / 5e10 + 1e9 / 5e10


def test_groups_of_one_do_not_communicate() -> None:
    alone = changed(CUT, tensor=1.0, pipeline=1.0, data=1.0, batch=8.0)
    own = held(SCALAR, LARGE, alone)
    assert tensor_parallel(SCALAR, LARGE, H100, alone) == 0
    assert context_parallel(SCALAR, LARGE, H100, alone) == 0
    assert expert_parallel(SCALAR, ROUTED, H100, alone) == 0
    assert pipeline_parallel(SCALAR, LARGE, H100, alone) == 0
    shared = data_parallel(SCALAR, H100, alone, own)
    assert (shared.per_micro_batch, shared.per_step, shared.between_slices) == (0, 0, 0)


def test_a_tensor_group_moves_what_was_published() -> None:
    """Four collectives of b s h elements a layer forward, four backward (Korthikanti et al., section 4.2.2)."""
    plain = changed(CUT, sequence_parallel=0.0, pipeline=1.0)
    moved = 8 * 80 * 8192 * 8192 * 2 * 3 / 4
    assert tensor_parallel(SCALAR, LARGE, H100, plain) == pytest.approx(moved / 4.5e11)


def test_full_sharding_gathers_twice_and_scatters_once_per_micro_batch() -> None:
    own = held(SCALAR, LARGE, SHARDED)
    parameters = own.common + own.tables
    assert parameters == pytest.approx(LARGE.parameters, rel=0.001)
    moved = parameters * (2 + 2 + 2)
    expected = moved * 7 / 8 / 4.5e11 + moved / 8 * 7 / 8 / 5e10
    assert data_parallel(SCALAR, H100, SHARDED, own).per_micro_batch == pytest.approx(expected)


def test_tokens_go_to_each_node_once() -> None:
    """With 8 experts a token and 4 nodes it visits fewer than 4 nodes on average, and never one twice."""
    near, far = changed(SPREAD, expert=8.0), SPREAD
    out = expert_parallel(SCALAR, ROUTED, H100, far) - expert_parallel(SCALAR, ROUTED, H100, near)
    once = 4096 * 7168 * 2 * 4 * 58 / 8 / 5e10
    assert 0.5 * 3 * once < out < 4 * once
