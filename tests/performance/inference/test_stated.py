"""The ways in which sources write a layout."""

from __future__ import annotations

import pytest

from stargate.performance.inference.layout import Layout
from stargate.performance.inference.setting import Setting, engine_of, setting_of, software_of
from stargate.performance.inference.stated import aggregated, pools_of, unlike
from stargate.performance.models.library import model_named
from tests.performance.inference.engines import catalogued


def setting(model: str = "deepseek-v3", engine: str = "sglang", precision: str = "fp8") -> Setting:
    return setting_of(model_named(model), "B200-SXM", precision, engine, "", catalogued())


def row(**columns: object) -> dict[str, str]:
    names = {"dp": "attention_dp_size", "tp": "tp_size", "mt": "moe_tp_size", "me": "moe_ep_size"}
    return {names.get(name, name): str(value) for name, value in columns.items()}


@pytest.mark.parametrize(
    ("tp", "dp", "mt", "me", "meant"),
    [
        (8, 1, 8, 1, Layout(tensor=8, expert_tensor=8)),
        (8, 1, 1, 8, Layout(tensor=8, expert=8)),
        (64, 1, 8, 8, Layout(tensor=8, expert=8)),
        (16, 1, 4, 4, Layout(tensor=4, expert=4)),
        (1, 64, 8, 8, Layout(attention_data=8, expert=8)),
        (1, 8, 1, 8, Layout(attention_data=8, expert=8)),
        (4, 4, 1, 16, Layout(attention_data=4, expert=4)),
        (2, "", 4, 1, Layout(tensor=2, attention_data=2, expert_tensor=4)),
        (2, 0, 0, 0, Layout(tensor=2, expert_tensor=2)),
    ],
)
def test_products_are_told_from_degrees(tp: int, dp: object, mt: int, me: int, meant: Layout) -> None:
    found = aggregated(row(tp=tp, dp=dp, mt=mt, me=me, batch_size=4), setting())
    assert found.decode == meant
    assert found.decode.stage_chips == max(meant.expert * meant.expert_tensor, 1)


def test_a_batch_is_of_each_copy_of_attention() -> None:
    found = aggregated(row(tp=1, dp=8, mt=1, me=8, batch_size=16), setting())
    assert found.concurrency == 128


def test_stated_pools_are_taken_as_they_are() -> None:
    stated = row(
        decode_tp_size=1, decode_attention_dp_size=32, decode_moe_tp_size=1, decode_moe_ep_size=32,
        prefill_tp_size=1, prefill_attention_dp_size=4, prefill_moe_tp_size=1, prefill_moe_ep_size=4,
        decode_num_workers=1, prefill_num_workers=6, decode_batch_size=16,
    )  # fmt: skip
    found = pools_of(stated, setting())
    assert found.complete
    assert found.decode == Layout(attention_data=32, expert=32)
    assert found.prefill == Layout(attention_data=4, expert=4)
    assert (found.pools.prefill_engines, found.pools.decode_engines, found.pools.sized) == (6, 1, 0)
    assert found.concurrency == 512


def test_pools_without_numbers_are_sized_and_hold_the_weights() -> None:
    blank = row(decode_tp_size=1, prefill_tp_size=1, silicon_data_source="x; silicon_concurrency=64")
    found = pools_of(blank, setting())
    assert not found.complete
    assert found.pools.sized == 1
    assert found.concurrency == 64
    assert found.decode.chips >= 4, "671 GB do not lie on one chip"


def test_a_degree_that_no_engine_has_is_of_two_pools() -> None:
    assert unlike(row(mode="agg", tp=72, me=1))
    assert unlike(row(mode="agg", tp=28, me=1))
    assert not unlike(row(mode="agg", tp=64, me=8))
    assert not unlike(row(mode="agg", tp=8, me=1))
    found = pools_of(row(mode="agg", tp=36, me=1, silicon_data_source="silicon_concurrency=128"), setting())
    chips = (
        found.decode.chips * found.pools.decode_engines + found.prefill.chips * found.pools.prefill_engines
    )
    assert chips == 36


@pytest.mark.parametrize(
    ("engine", "version", "name"),
    [
        ("trtllm", "1.2.0rc6.post3", "TensorRT-LLM 1.2.0rc6.post3"),
        ("trtllm", "0.8.1.post2", "Dynamo TensorRT-LLM 0.8.1.post2"),
        ("vllm", "", "vllm"),
        ("vLLM", "vLLM 0.6.5.dev964+mlperf50, PyTorch 2.7.0", "vllm 0.6.5"),
        ("TensorRT-LLM", "TensorRT 10.2.0, CUDA 12.4", "TensorRT 10.2"),
        ("TensorRT-LLM", "1.0", "TensorRT-LLM 1.0"),
        ("sglang", "nightly-dev", "sglang nightly-dev"),
    ],
)
def test_releases_have_one_name(engine: str, version: str, name: str) -> None:
    assert software_of(engine_of(engine), version) == name


def test_four_bits_are_multiplied_in_sixteen_where_a_chip_has_none() -> None:
    old = setting_of(model_named("gpt-oss-120b"), "H100-SXM", "fp4", "vllm", "", catalogued())
    new = setting_of(model_named("gpt-oss-120b"), "B200-SXM", "fp4", "vllm", "", catalogued())
    assert (old.precision, old.device.precision) == ("int4", "bf16")
    assert (new.precision, new.device.precision) == ("nvfp4", "nvfp4")
