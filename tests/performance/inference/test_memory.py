"""Memory of served models: known sizes of caches, weights that fit or not, and what must hold whatever the layout."""

from __future__ import annotations

import msgspec
import pytest

from stargate.performance.inference.format import format_of
from stargate.performance.inference.layout import layout
from stargate.performance.inference.memory import (
    available_bytes,
    cache_bytes_per_token,
    largest_batch,
    refusal,
    sequence_bytes,
    weight_bytes,
)
from stargate.performance.models.library import model_named
from stargate.performance.models.shape import shape_of
from stargate.performance.number import SCALAR
from tests.performance.inference.engines import catalogued, engine, engines

CONTEXT = 4_096.0


def test_llama_70b_keeps_320_kib_a_token_in_16_bits() -> None:
    model = model_named("llama3.1-70b")
    assert cache_bytes_per_token(shape_of(model), format_of(model, "bf16")) == 320 * 1024


def test_deepseek_keeps_a_latent_of_70_kb_a_token_in_16_bits() -> None:
    # 61 layers of 512 + 64 elements (arXiv 2412.19437, section 4.2).
    model = model_named("deepseek-v3")
    assert cache_bytes_per_token(shape_of(model), format_of(model, "bf16")) == pytest.approx(70_272)


def test_a_window_and_a_fixed_state_do_not_grow_with_the_context() -> None:
    oss, linear = (
        engine("gpt-oss-120b", "B200-SXM", "nvfp4", layout(1, experts=True)),
        engine("qwen3.5-397b-a17b", "B200-SXM", "fp8", layout(4, experts=True)),
    )
    for each, growing in ((oss, 18), (linear, 15)):
        grown = sequence_bytes(SCALAR, each.shape, each.form, each.layout, 20_000.0)
        more = sequence_bytes(SCALAR, each.shape, each.form, each.layout, 21_000.0)
        cut = min(each.layout.tensor, each.shape.kv_heads)
        assert more - grown == pytest.approx(growing * 1_000 * each.shape.cache_elements / cut)


def test_more_chips_copy_a_latent_and_cut_heads() -> None:
    latent, heads = model_named("deepseek-v3"), model_named("llama3.1-70b")

    def kept(model: object, chips: int) -> float:
        assert model in {latent, heads}
        known = latent if model is latent else heads
        cut = layout(chips, experts=known.experts is not None)
        return float(sequence_bytes(SCALAR, shape_of(known), format_of(known, "fp8"), cut, CONTEXT))

    assert kept(latent, 8) == kept(latent, 1)
    assert kept(heads, 8) == pytest.approx(kept(heads, 1) / 8)
    assert kept(heads, 16) == kept(heads, 8), "there are eight heads of keys and values"


def test_weights_of_all_chips_are_the_parameters() -> None:
    for name, chips in (("llama3.1-405b", 8), ("mixtral-8x7b", 4)):
        model = model_named(name)
        shape, form = shape_of(model), format_of(model, "bf16")
        cut = layout(chips, expert=chips, experts=model.experts is not None)
        assert chips * weight_bytes(shape, form, cut) == pytest.approx(2.0 * shape.parameters, rel=0.002)


def test_the_largest_batch_fits_and_no_larger_one() -> None:
    for each in engines():
        batch = largest_batch(SCALAR, each.shape, each.form, each.layout, each.device, CONTEXT)
        here = batch / each.layout.attention_data
        weights = weight_bytes(each.shape, each.form, each.layout)
        one = sequence_bytes(SCALAR, each.shape, each.form, each.layout, CONTEXT)
        assert weights + here * one == pytest.approx(available_bytes(each.device))
        assert refusal(SCALAR, each.shape, each.form, each.layout, each.device, CONTEXT) is None


def test_what_does_not_fit_is_refused_by_as_much_as_it_lacks() -> None:
    each = engine("llama3.1-405b", "H100-SXM", "fp8", layout(4))
    refused = refusal(SCALAR, each.shape, each.form, each.layout, each.device, CONTEXT)
    assert refused is not None
    assert refused.largest == "weights"
    assert "too much, mostly weights" in str(refused)
    # With the missing bytes it fits; with a little less it does not.
    share = available_bytes(each.device) - available_bytes(
        msgspec.structs.replace(each.device, memory_bytes=0.0)
    )
    for factor, fits in ((1.0001, True), (0.9999, False)):
        memory = each.device.memory_bytes * (1.0 + factor * refused.missing_bytes / share)
        larger = msgspec.structs.replace(each.device, memory_bytes=memory)
        again = refusal(SCALAR, each.shape, each.form, each.layout, larger, CONTEXT)
        assert (again is None) is fits


def test_a_long_context_is_refused_for_its_cache() -> None:
    each = engine("llama3.1-8b", "H100-SXM", "bf16", layout(1))
    refused = refusal(SCALAR, each.shape, each.form, each.layout, each.device, 2e6)
    assert refused is not None
    assert refused.largest == "cache"


def test_memory_is_what_the_vendor_sells_in_binary() -> None:
    # nvidia-smi shows 81,559 MiB of an H100 and 143,771 MiB of an H200; engines take nine tenths and more.
    for chip, mebibytes in (("H100-SXM", 81_559), ("H200-SXM", 143_771)):
        taken = available_bytes(catalogued()[chip, "fp8"]) / (mebibytes * 2**20)
        assert 0.85 < taken < 0.95
