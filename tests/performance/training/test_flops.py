"""Operations per token, against counts that publications state."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.models.library import model_named
from stargate.performance.models.shape import shape_of
from stargate.performance.number import SCALAR
from stargate.performance.training.flops import forward_flops, reach
from stargate.performance.training.mfu import convention_of, flops_per_token


def trained(
    name: str, sequence: int, convention: str, recompute: float = 0.0, prediction: float = 0.0
) -> float:
    shape = shape_of(model_named(name))
    return float(flops_per_token(SCALAR, shape, sequence, convention_of(convention), recompute, prediction))


def test_a_causal_token_sees_half_of_what_is_before_it() -> None:
    assert reach(SCALAR, 4096, 4096) == 2048
    exact = sum(min(position, 128) for position in range(4096)) / 4096
    assert reach(SCALAR, 4096, 128) == pytest.approx(exact, rel=0.01)


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_a_window_never_sees_more(sequence: int, window: int) -> None:
    assert 0 < reach(SCALAR, sequence, window) <= reach(SCALAR, sequence, sequence)


def test_llama_405b_costs_what_megatron_bridge_counts() -> None:
    """2646 TFLOP/s at 1048 tokens/s, release 26.06: 2.52e12 a token."""
    assert trained("Llama-3.1-405B", 8192, "causal-halved") == pytest.approx(2.52e12, rel=0.005)


def test_a_layer_that_predicts_further_is_counted_where_it_is_trained() -> None:
    """DeepSeek-V3: 961 TFLOP/s at 3848 tokens/s without it, 1648 at 6338 with it (Megatron-Bridge)."""
    without = trained("DeepSeek-V3", 4096, "causal")
    assert without == pytest.approx(961e12 / 3848, rel=0.02)
    assert trained("DeepSeek-V3", 4096, "causal", prediction=1.0) == pytest.approx(1648e12 / 6338, rel=0.02)


def test_hardware_operations_are_those_of_the_published_formula() -> None:
    """Narayanan et al., SC21, equation 3, of the 175-billion GPT: 96 B s l h^2 (1 + s/6h + V/16lh)."""
    layers, hidden, sequence, vocabulary = 96, 12288, 2048, 51200
    body = 96 * layers * hidden**2
    expected = body * (1 + sequence / (6 * hidden) + vocabulary / (16 * layers * hidden))
    assert trained("megatron-gpt-174.6B", sequence, "HW incl. full recompute", 1.0) == pytest.approx(
        expected, rel=0.002
    )


def test_conventions_differ_as_far_as_attention_goes() -> None:
    causal = trained("Llama-3-8B", 8192, "causal")
    full = trained("Llama-3-8B", 8192, "full s^2")
    attention = 6 * 32 * 4096 * 8192
    assert full - causal == pytest.approx(attention, rel=1e-9)


def test_descriptions_of_conventions_are_understood() -> None:
    assert convention_of("HW: 96Bslh^2(1+s/6h+V/16lh) incl. full recompute") == "hardware"
    assert convention_of("MODEL: full s^2 attention (differs from Bridge)") == "full"
    assert convention_of("MaxText causal-halved") == "causal"
    assert convention_of("") == "causal"


def test_only_active_experts_cost() -> None:
    shape = shape_of(model_named("Mixtral-8x7B"))
    parts = forward_flops(SCALAR, shape, 4096)
    assert parts.routed == pytest.approx(2 * 32 * 2 * 3 * 4096 * 14336)
    dense = parts.linear + parts.routed + parts.head
    assert math.isclose(dense, 2 * shape.active_parameters, rel_tol=0.001)
