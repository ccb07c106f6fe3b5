"""The time of one iteration: what physics bounds it by, and one formula for one configuration and for many."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.inference.iteration import Engine, distinct_experts, iteration
from stargate.performance.inference.layout import layout
from stargate.performance.inference.memory import weight_bytes
from stargate.performance.number import ARRAY, SCALAR
from tests.performance.inference.engines import CASES, columns, engine, engines

sequences = st.floats(1.0, 4_096.0)
contexts = st.floats(1.0, 200_000.0)
prompts = st.floats(0.0, 16_384.0)
cases = st.sampled_from(CASES)


def drawn(known: int, active: int, tokens: int, popularity: np.ndarray, rng: np.random.Generator) -> int:
    """Distinct experts that so many tokens draw, each without putting back."""
    # The k largest of weights' logarithms plus Gumbel noise are a draw without putting back.
    scores = np.log(popularity) + rng.gumbel(size=(tokens, known))
    return len(np.unique(np.argpartition(scores, -active, axis=1)[:, -active:]))


@pytest.mark.parametrize(("known", "active"), [(8, 2), (128, 4), (256, 8)])
@pytest.mark.parametrize("tokens", [1, 4, 32, 200])
def test_distinct_experts_are_those_that_an_even_draw_finds(known: int, active: int, tokens: int) -> None:
    rng = np.random.default_rng(7)
    found = np.mean([drawn(known, active, tokens, np.ones(known), rng) for _ in range(200)])
    said = distinct_experts(SCALAR, known, active, tokens, 1e6)
    assert said == pytest.approx(found, rel=0.02)


@pytest.mark.parametrize("tokens", [16, 64, 256])
def test_distinct_experts_are_fewer_where_some_are_popular(tokens: int) -> None:
    rng = np.random.default_rng(7)
    found = np.mean([drawn(128, 4, tokens, rng.gamma(2.0, size=128), rng) for _ in range(200)])
    assert distinct_experts(SCALAR, 128, 4, tokens, 2.0) == pytest.approx(found, rel=0.05)
    assert distinct_experts(SCALAR, 128, 4, tokens, 2.0) < distinct_experts(SCALAR, 128, 4, tokens, 1e6)


@given(case=cases, batch=sequences, context=contexts)
def test_a_token_takes_as_long_as_reading_dense_weights_at_full_bandwidth(
    case: tuple[str, str, str, object], batch: float, context: float
) -> None:
    each = engine(*case)  # type: ignore[arg-type]
    shape = msgspec.structs.replace(each.shape, experts=0, moe_layers=0, embedding_params=0, norm_params=0)
    read = weight_bytes(shape, each.form, each.layout)
    took = iteration(SCALAR, each, batch, context, 0.0, 1.0).seconds
    assert took >= read / each.device.bandwidth_bytes_per_s


@given(case=cases, batch=sequences, context=contexts, tokens=prompts)
def test_a_better_chip_is_never_slower(
    case: tuple[str, str, str, object], batch: float, context: float, tokens: float
) -> None:
    each = engine(*case)  # type: ignore[arg-type]
    took = iteration(SCALAR, each, batch, context, tokens, 1_024.0).seconds
    for field in ("bandwidth_bytes_per_s", "peak_flops_per_s", "bf16_flops_per_s", "scaleup_bytes_per_s"):
        better = msgspec.structs.replace(each.device, **{field: 2.0 * getattr(each.device, field)})
        faster = Engine(each.shape, each.form, each.layout, better, each.constants)
        assert iteration(SCALAR, faster, batch, context, tokens, 1_024.0).seconds <= took * (1 + 1e-12)


@given(case=cases, batch=sequences, context=contexts, tokens=prompts)
def test_more_work_never_takes_less(
    case: tuple[str, str, str, object], batch: float, context: float, tokens: float
) -> None:
    each = engine(*case)  # type: ignore[arg-type]
    took = iteration(SCALAR, each, batch, context, tokens, 1_024.0).seconds
    assert iteration(SCALAR, each, 1.5 * batch, context, tokens, 1_024.0).seconds >= took
    assert iteration(SCALAR, each, batch, 1.5 * context, tokens, 1_024.0).seconds >= took
    assert iteration(SCALAR, each, batch, context, tokens + 512.0, 1_024.0).seconds >= took


@given(batch=sequences, context=contexts, tokens=prompts)
def test_one_configuration_is_computed_as_many_are(batch: float, context: float, tokens: float) -> None:
    many = iteration(ARRAY, columns(), batch, context, tokens, 2_048.0)
    for index, each in enumerate(engines()):
        one = iteration(SCALAR, each, batch, context, tokens, 2_048.0)
        assert one.seconds == pytest.approx(
            float(np.broadcast_to(many.seconds, len(CASES))[index]), rel=1e-12
        )


def test_a_chip_alone_has_nobody_to_talk_to() -> None:
    alone = engine("llama3.1-8b", "H100-SXM", "fp8", layout(1))
    assert iteration(SCALAR, alone, 64.0, 1_024.0, 512.0, 512.0).communication == 0.0


def test_the_parts_are_the_whole() -> None:
    for each in engines():
        found = iteration(SCALAR, each, 64.0, 1_024.0, 512.0, 512.0)
        parts = (found.weights, found.experts, found.cache, found.communication, found.overhead)
        assert sum(parts) == pytest.approx(found.seconds)
        assert all(part >= 0 for part in parts)


def test_sparse_attention_reads_no_more_of_a_longer_context() -> None:
    sparse = engine("glm-5", "B200-SXM", "fp8", layout(8, expert=8, experts=True))
    full = Engine(
        msgspec.structs.replace(sparse.shape, sparse_topk=0),
        sparse.form, sparse.layout, sparse.device, sparse.constants,
    )  # fmt: skip

    def growth(each: Engine) -> float:
        long, short = (iteration(SCALAR, each, 256.0, context, 0.0, 1.0).cache for context in (120e3, 60e3))
        return float(long / short)

    assert growth(full) == pytest.approx(2.0, rel=0.05)
    assert growth(sparse) < growth(full)
