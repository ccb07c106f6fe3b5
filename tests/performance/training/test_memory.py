"""Memory of training: against what others published and measured, and what must hold whatever the layout."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.device import Device
from stargate.performance.models.architecture import Architecture, Experts, GroupedQuery, Latent
from stargate.performance.models.shape import shape_of
from stargate.performance.number import ARRAY, SCALAR, stack
from stargate.performance.training.layout import Layout, Recompute, layout
from stargate.performance.training.memory import (
    PARTS,
    RUNTIME_BYTES,
    Memory,
    fits,
    memory,
    needed_bytes,
    stage_memory,
)

PUBLISHED = Path(__file__).with_name("published_memory.csv")
"""Figure 1 and 7 of arXiv 2205.05198 (percent: of what is kept without recomputing), and runs of Megatron-LM's own
tests. A run logs the last chip's memory: what stays after a step, and the peak. `kept_bytes` is their difference.
`state_bytes` is blank where the number of chips is not stated; what is kept does not depend on it."""

GPT = Architecture(
    name="gpt",
    layers=32,
    hidden=4096,
    ffn=16384,
    vocabulary=51200,
    attention=GroupedQuery(heads=32, kv_heads=32, head_dim=128),
    gated=False,
    tied_embeddings=True,
)
LLAMA = Architecture(
    name="llama",
    layers=80,
    hidden=8192,
    ffn=28672,
    vocabulary=128256,
    attention=GroupedQuery(heads=64, kv_heads=8, head_dim=128),
)
DEEPSEEK = Architecture(
    name="deepseek",
    layers=61,
    hidden=7168,
    ffn=18432,
    vocabulary=129280,
    attention=Latent(heads=128, kv_rank=512, rope_dim=64, nope_dim=128, value_dim=128, q_rank=1536),
    experts=Experts(count=256, active=8, ffn=2048, shared=1, dense_layers=3),
    prediction_layers=1,
)
MODELS = (GPT, LLAMA, DEEPSEEK)
SCORES: tuple[tuple[int, Recompute], ...] = ((0, "none"), (0, "attention"), (1, "attention"), (1, "none"))


def device(precision: str = "bf16", memory_bytes: float = 80e9) -> Device:
    return Device(
        chip="any",
        precision=precision,
        peak_flops_per_s=1e15,
        bf16_flops_per_s=1e15,
        memory_bytes=memory_bytes,
        bandwidth_bytes_per_s=3e12,
        domain_chips=8,
        scaleup_bytes_per_s=4e11,
        scaleout_bytes_per_s=5e10,
        power_w=700,
    )


@cache
def published() -> tuple[dict[str, str], ...]:
    with PUBLISHED.open(newline="") as file:
        return tuple(csv.DictReader(file))


def of_kind(kind: str) -> list[dict[str, str]]:
    return [row for row in published() if row["kind"] == kind]


def model_of(row: dict[str, str]) -> Architecture:
    number = {name: int(row[name]) for name in ("layers", "hidden", "ffn", "heads", "kv_heads", "vocabulary")}
    experts = int(row["experts"])
    return Architecture(
        name=row["model"],
        layers=number["layers"],
        hidden=number["hidden"],
        ffn=number["ffn"],
        vocabulary=number["vocabulary"],
        attention=GroupedQuery(
            heads=number["heads"],
            kv_heads=number["kv_heads"],
            head_dim=number["hidden"] // number["heads"],
        ),
        gated=row["gated"] == "1",
        experts=Experts(count=experts, active=int(row["active"]), ffn=number["ffn"]) if experts else None,
        tied_embeddings=row["tables"] == "1",
        learned_positions=int(row["positions"]),
    )


def layout_of(row: dict[str, str]) -> Layout:
    names = ("chips", "tensor", "pipeline", "virtual", "expert", "expert_tensor")
    more = ("micro_batch", "batch", "sequence", "sequence_parallel")
    given: dict[str, Any] = {name: int(row[name]) for name in (*names, *more)}
    # The figures are of kernels that write scores to memory; the runs are of later ones.
    given["stored_scores"] = float(row["kind"] != "measured")
    return layout(recompute=row["recompute"], sharding="zero1", **given)  # type: ignore[arg-type]  # text of a file


def of_row(row: dict[str, str]) -> tuple[Memory, Memory, Memory]:
    return stage_memory(SCALAR, shape_of(model_of(row)), device(), layout_of(row))


def lasting(row: dict[str, str]) -> float:
    """What both figures call parameters and optimizer state: of the layers, without tables."""
    first = of_row(row)[0]
    return float(first.weights_bytes + first.gradients_bytes + first.optimizer_bytes)


def passing(needed: Memory) -> float:
    """All but what stays from step to step; a framework does not count the runtime's own."""
    return float(needed.total_bytes - needed.state_bytes - RUNTIME_BYTES)


def mean_error(pairs: list[tuple[float, float]]) -> float:
    assert pairs, "nothing to compare"
    return float(np.mean([abs(said / true - 1) for said, true in pairs]))


def test_parameters_and_optimizer_agree_with_figure_1() -> None:
    pairs = [(lasting(row), float(row["state_bytes"])) for row in of_kind("figure_1")]
    assert len(pairs) == 8
    assert mean_error(pairs) < 0.001
    assert max(abs(said / true - 1) for said, true in pairs) < 0.001


def test_activations_agree_with_figure_1() -> None:
    pairs = [
        (float(of_row(row)[0].activations_bytes), float(row["kept_bytes"])) for row in of_kind("figure_1")
    ]
    assert len(pairs) == 8
    assert max(abs(said / true - 1) for said, true in pairs) < 0.002


def test_activations_under_recomputation_agree_with_figure_7() -> None:
    rows = of_kind("figure_7")
    assert len(rows) == 20
    kept = {row["row"]: float(of_row(row)[0].activations_bytes) for row in rows}
    whole = {
        row["model"]: kept[row["row"]]
        for row in rows
        if (row["recompute"], row["sequence_parallel"]) == ("none", "0")
    }
    pairs = [(100 * kept[row["row"]] / whole[row["model"]], float(row["kept_percent"])) for row in rows]
    assert mean_error(pairs) < 0.004
    assert max(abs(said / true - 1) for said, true in pairs) < 0.012


def test_what_stays_agrees_with_measured_runs() -> None:
    rows = [row for row in of_kind("measured") if row["state_bytes"]]
    assert len(rows) == 6
    pairs = [(float(of_row(row)[-1].state_bytes), float(row["state_bytes"])) for row in rows]
    assert mean_error(pairs) < 0.03
    assert max(abs(said / true - 1) for said, true in pairs) < 0.06


def test_what_is_kept_for_a_step_agrees_with_measured_runs() -> None:
    rows = of_kind("measured")
    assert len(rows) == 11
    pairs = [(passing(of_row(row)[-1]), float(row["kept_bytes"])) for row in rows]
    assert mean_error(pairs) < 0.05
    # Mixtral with real routing: the fullest expert sees more tokens than an even share.
    assert max(abs(said / true - 1) for said, true in pairs) < 0.14


def test_a_parameter_takes_18_bytes_and_16_with_gradients_of_16_bits() -> None:
    shape = shape_of(GPT)
    plain = layout(sequence=2048, batch=8, chips=1, sharding="none")
    assert memory(SCALAR, shape, device(), plain).state_bytes == pytest.approx(18 * shape.parameters)
    short = layout(sequence=2048, batch=8, chips=1, sharding="none", gradient_bytes=2)
    assert memory(SCALAR, shape, device(), short).state_bytes == pytest.approx(16 * shape.parameters)


@pytest.mark.parametrize(
    ("sharding", "gigabytes"), [("none", 120), ("zero1", 31.4), ("zero2", 16.6), ("zero3", 1.88)]
)
def test_zero_agrees_with_its_paper(sharding: Any, gigabytes: float) -> None:
    """ZeRO, arXiv 1910.02054, figure 1: 7.5 billion parameters on 64 chips, gradients of 16 bits."""
    shape = shape_of(GPT)
    spread = layout(sequence=2048, batch=64, chips=64, sharding=sharding, gradient_bytes=2)
    kept = memory(SCALAR, shape, device(), spread).state_bytes * 7.5e9 / shape.parameters
    assert kept / 1e9 == pytest.approx(gigabytes, rel=0.01)


def test_experts_are_shared_out_over_the_chips_that_hold_the_same_ones() -> None:
    shape = shape_of(DEEPSEEK)
    few = layout(sequence=4096, batch=512, chips=64, expert=8, sharding="zero1")
    many = layout(sequence=4096, batch=512, chips=64, expert=64, sharding="zero1")
    one, other = (memory(SCALAR, shape, device(), way) for way in (few, many))
    # Eight times the experts on a chip, each shared out over eight times the chips.
    assert one.optimizer_bytes == pytest.approx(other.optimizer_bytes, rel=1e-9)
    experts = shape.moe_layers * shape.experts * shape.expert_params
    assert one.weights_bytes - other.weights_bytes == pytest.approx(2 * experts * (1 / 8 - 1 / 64))


def test_the_last_stage_holds_logits_and_the_first_one_most_activations() -> None:
    way = layout(sequence=8192, batch=64, chips=32, tensor=8, pipeline=4, recompute="attention")
    first, second, last = stage_memory(SCALAR, shape_of(LLAMA), device(), way)
    assert first.logits_bytes == second.logits_bytes == 0 < last.logits_bytes
    assert first.activations_bytes == pytest.approx(4 * last.activations_bytes)
    assert second.activations_bytes == pytest.approx(3 * last.activations_bytes)
    assert second.tables_bytes == 0 < first.tables_bytes


def test_a_pipeline_fed_from_both_ends_keeps_two_stages_and_one_micro_batch_more() -> None:
    """DeepSeek-V3, arXiv 2412.19437, table 2."""
    ways = {
        schedule: memory(
            SCALAR,
            shape_of(LLAMA),
            device(),
            layout(sequence=8192, batch=64, chips=8, pipeline=8, schedule=schedule),
        )
        for schedule in ("1f1b", "zero_bubble", "dualpipe")
    }
    assert ways["dualpipe"].weights_bytes == 2 * ways["1f1b"].weights_bytes
    assert ways["dualpipe"].activations_bytes == pytest.approx(9 / 8 * ways["1f1b"].activations_bytes)
    assert ways["zero_bubble"] == ways["1f1b"]


def test_layers_that_do_not_divide_leave_the_ends_shorter() -> None:
    """126 layers on 16 stages: 7, fourteen times 8, and 7 (Llama 3, arXiv 2407.21783, section 3.3.2)."""
    model = Architecture(**{name: getattr(LLAMA, name) for name in LLAMA.__struct_fields__} | {"layers": 126})
    way = layout(sequence=8192, batch=64, chips=16, pipeline=16)
    first, second, last = stage_memory(SCALAR, shape_of(model), device(), way)
    assert first.weights_bytes / second.weights_bytes == pytest.approx(7 / 8)
    assert last.weights_bytes / second.weights_bytes == pytest.approx(7 / 8)


def test_eight_bits_keep_less_of_activations_and_four_bits_more_weights() -> None:
    way = layout(sequence=8192, batch=64, chips=8, tensor=8, recompute="attention")
    wide, eight, four = (
        memory(SCALAR, shape_of(LLAMA), device(name), way) for name in ("bf16", "mxfp8", "nvfp4")
    )
    assert four.activations_bytes < eight.activations_bytes < wide.activations_bytes
    assert wide.weights_bytes < eight.weights_bytes < four.weights_bytes


def test_a_refusal_says_by_how_much_and_what_is_largest() -> None:
    way = layout(
        sequence=8192, batch=8, chips=8, tensor=8, sequence_parallel=1, recompute="full", sharding="none"
    )
    needed = memory(SCALAR, shape_of(LLAMA), device(), way)
    refused = fits(shape_of(LLAMA), device(), way)
    assert refused is not None
    assert refused.largest == "optimizer"
    assert refused.missing_bytes == pytest.approx(needed.total_bytes - 80e9)
    assert "mostly optimizer" in str(refused)
    assert fits(shape_of(LLAMA), device(memory_bytes=needed.total_bytes), way) is None


def test_scores_are_kept_only_by_kernels_that_write_them() -> None:
    kept = [
        memory(
            SCALAR,
            shape_of(LLAMA),
            device(),
            layout(sequence=8192, batch=8, chips=8, tensor=8, stored_scores=stored, recompute=recompute),
        ).activations_bytes
        for stored, recompute in SCORES
    ]
    assert kept[0] == kept[1] == pytest.approx(kept[2], rel=0.01)
    assert kept[3] - kept[2] == pytest.approx(80 * 5 * 64 * 8192 * 8192 / 8)


def test_activations_are_named_where_they_are_largest() -> None:
    way = layout(sequence=131072, batch=1, chips=8, tensor=8, recompute="attention", sequence_parallel=1)
    refused = fits(shape_of(LLAMA), device(), way)
    assert refused is not None
    assert refused.largest == "activations"


# --- what holds for all layouts ------------------------------------------------------------------

WAYS = st.fixed_dictionaries(
    {
        "tensor": st.sampled_from([1, 2, 4, 8]),
        "pipeline": st.sampled_from([1, 2, 4, 8, 16]),
        "context": st.sampled_from([1, 2, 4]),
        "data": st.sampled_from([1, 2, 8, 32]),
        "micro_batch": st.sampled_from([1, 2, 4]),
        "sequence_parallel": st.sampled_from([0, 1]),
        "virtual": st.sampled_from([1, 2, 4]),
        "expert": st.sampled_from([1, 4, 8]),
        "recompute": st.sampled_from(["none", "attention", "selective", "minimal", "full"]),
        "sharding": st.sampled_from(["none", "zero1", "zero2", "fsdp"]),
        "schedule": st.sampled_from(["1f1b", "zero_bubble", "dualpipe"]),
        "prediction": st.sampled_from([0, 1]),
        "stored_scores": st.sampled_from([0, 1]),
    }
)


def built(way: dict[str, Any]) -> Layout:
    chips = way["tensor"] * way["pipeline"] * way["context"] * way["data"]
    return layout(sequence=4096, batch=way["data"] * way["micro_batch"] * 32, chips=chips, **way)


@given(
    model=st.sampled_from(MODELS),
    precision=st.sampled_from(["bf16", "fp8", "nvfp4"]),
    ways=st.lists(WAYS, min_size=1, max_size=8),
)
def test_a_column_says_what_each_configuration_says(
    model: Architecture, precision: str, ways: list[dict[str, Any]]
) -> None:
    shape = shape_of(model)
    layouts = [built(way) for way in ways]
    column = memory(ARRAY, shape, device(precision), stack(layouts))
    for index, one in enumerate(layouts):
        alone = memory(SCALAR, shape, device(precision), one)
        for part in PARTS:
            values = np.broadcast_to(getattr(column, f"{part}_bytes"), len(layouts))
            assert values[index] == pytest.approx(getattr(alone, f"{part}_bytes"), rel=1e-12), part


@given(model=st.sampled_from(MODELS), way=WAYS)
def test_the_chip_that_needs_most_needs_as_much_as_any_stage(
    model: Architecture, way: dict[str, Any]
) -> None:
    shape, one = shape_of(model), built(way)
    most = memory(SCALAR, shape, device(), one)
    of_stages = [each.total_bytes for each in stage_memory(SCALAR, shape, device(), one)]
    assert most.total_bytes == pytest.approx(max(of_stages))
    assert needed_bytes(SCALAR, shape, device(), one) == pytest.approx(most.total_bytes)
    assert all(getattr(most, f"{part}_bytes") >= 0 for part in PARTS)


@given(model=st.sampled_from(MODELS), way=WAYS)
def test_sharding_more_never_needs_more_state(model: Architecture, way: dict[str, Any]) -> None:
    kept = [
        memory(SCALAR, shape_of(model), device(), built(way | {"sharding": sharding})).state_bytes
        for sharding in ("none", "zero1", "zero2", "fsdp")
    ]
    assert kept == sorted(kept, reverse=True)


@given(model=st.sampled_from(MODELS), way=WAYS, kind=st.sampled_from(["tensor", "pipeline"]))
def test_cutting_a_model_finer_never_needs_more_state(
    model: Architecture, way: dict[str, Any], kind: str
) -> None:
    # Tables go with the ends of a pipeline, and the first stage counts them once: layers alone are compared.
    coarse, fine = (
        max(
            each.state_bytes - each.tables_bytes
            for each in stage_memory(
                SCALAR, shape_of(model), device(), built(way | {kind: degree, "prediction": 0})
            )
        )
        for degree in (2, 4)
    )
    assert fine <= coarse * (1 + 1e-12)


@given(model=st.sampled_from(MODELS), way=WAYS)
def test_keeping_less_never_needs_more(model: Architecture, way: dict[str, Any]) -> None:
    kept = [
        memory(
            SCALAR, shape_of(model), device(), built(way | {"recompute": name, "schedule": "1f1b"})
        ).activations_bytes
        for name in ("attention", "selective", "minimal")
    ]
    assert kept == sorted(kept, reverse=True)
