"""Rows of measurements: which model, precision and kind of work they mean."""

from __future__ import annotations

import pytest

from stargate.base.errors import InputError
from stargate.performance.models.architecture import Latent
from stargate.performance.models.shape import shape_of
from stargate.performance.training.described import architecture_of, group_of, number, precision_of

OWN = {
    "row_id": "1",
    "model": "my-own",
    "layers": "24",
    "hidden": "2048",
    "heads": "16",
    "kv_heads": "4",
    "head_dim": "128?",
    "ffn": "8192",
    "vocab": "32000",
}


@pytest.mark.parametrize(
    ("said", "chip", "meant"),
    [
        ("bf16/fp16", "A100-80GB-SXM", "bf16"),
        ("amp_bf16", "H100-SXM", "bf16"),
        ("FP8-CS (FP8-MX)", "B200-SXM", "fp8"),
        ("FP8-MX", "GB200-NVL72", "mxfp8"),
        ("MXFP8", "GB300-NVL72", "mxfp8"),
        ("fp8_full", "TPU-v7", "fp8"),
        ("int8/bf16 mixed (AQT)", "TPU-v5p", "int8"),
        ("NVFP4 (Blackwell) / fp8", "GB200-NVL72", "nvfp4"),
        ("NVFP4 (Blackwell) / fp8", "H100-SXM", "fp8"),
        ("", "H100-SXM", "bf16"),
    ],
)
def test_spellings_of_precisions(said: str, chip: str, meant: str) -> None:
    assert precision_of({"precision": said, "chip": chip}) == meant


@pytest.mark.parametrize(
    ("row", "group"),
    [
        ({"arch": "dense", "sharding": "none"}, "dense_3d"),
        ({"arch": "dense", "sharding": "fsdp64"}, "fsdp"),
        ({"arch": "dense", "sharding": "zero3"}, "fsdp"),
        ({"arch": "moe", "sharding": "fsdp"}, "moe"),
        ({"arch": "moe", "sharding": "fsdp", "chip": "TPU-v7"}, "tpu"),
        ({"arch": "dense", "target_metric": "chip_hours", "chip": "TPU-v4"}, "whole_runs"),
    ],
)
def test_kinds_of_work(row: dict[str, str], group: str) -> None:
    assert group_of(row) == group


def test_numbers_may_carry_marks() -> None:
    assert number({"head_dim": "256?"}, "head_dim") == 256
    assert number({"n": "1.5e3"}, "n") == 1500
    assert number({}, "n", 7) == 7


def test_a_known_name_brings_what_columns_cannot_say() -> None:
    row = OWN | {"model": "gpt-oss-120b", "layers": "36", "hidden": "2880"}
    assert architecture_of(row).window == 128


def test_a_known_name_with_other_dimensions_is_another_model() -> None:
    found = architecture_of(OWN | {"model": "llama3-8b"})
    assert (found.layers, found.hidden) == (24, 2048)


def test_what_is_not_stated_follows_from_the_parameters() -> None:
    for gated, tied in ((True, False), (False, True)):
        per_layer = 2048 * 2048 * 2 + 2048 * 1024 + (3 if gated else 2) * 2048 * 8192
        stated = 24 * per_layer + (1 if tied else 2) * 32000 * 2048
        found = architecture_of(OWN | {"params_b": str(stated / 1e9), "gated_mlp": "see script"})
        assert (found.gated, found.tied_embeddings) == (gated, tied)
        assert shape_of(found).parameters == pytest.approx(stated, rel=0.01)


def test_latent_attention_and_experts_are_read() -> None:
    row = OWN | {
        "kv_heads": "MLA(q1536,kv512,rope64)",
        "experts": "64",
        "topk": "6",
        "moe_ffn": "1408",
        "shared_experts": "2",
        "dense_layers": "1",
    }
    found = architecture_of(row)
    assert isinstance(found.attention, Latent)
    assert (found.attention.q_rank, found.attention.kv_rank, found.attention.rope_dim) == (1536, 512, 64)
    assert found.experts is not None
    assert (found.experts.count, found.experts.active, found.experts.shared) == (64, 6, 2)


def test_a_row_without_a_model_says_what_it_lacks() -> None:
    with pytest.raises(InputError, match="vocab"):
        architecture_of({"row_id": "9", "model": "unheard-of", "layers": "2", "hidden": "64", "heads": "2"})
