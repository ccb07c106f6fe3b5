"""Layouts that rows state, and those that are assumed where they state none."""

from __future__ import annotations

from stargate.performance.training.layout import problems
from stargate.performance.training.memory import fits
from stargate.performance.training.stated import layout_of, recompute_of, sharding_of, software_of
from tests.performance.training.training_desk import H100, LARGE, ROUTED

STATED = {
    "model": "llama3-70b",
    "config_complete": "1",
    "seq_len": "8192",
    "gbs_seqs": "128",
    "mbs": "1",
    "n_chips": "64",
    "tp": "4",
    "pp": "8",
    "vp": "5",
    "dp": "2",
    "sharding": "distributed optimizer (zero1)",
    "recompute": "none",
    "source_date": "2025-05",
    "chip": "H100-SXM",
}


def test_a_stated_layout_is_taken_as_it_stands() -> None:
    found = layout_of(STATED, LARGE, H100)
    assert (found.tensor, found.pipeline, found.virtual, found.data, found.micro_batch) == (4, 8, 5, 2, 1)
    assert (found.shard_optimizer, found.shard_parameters, found.sequence_parallel) == (1, 0, 1)
    assert not problems(found, LARGE, 64)


def test_runs_before_fused_attention_did_not_have_it() -> None:
    late, early = (layout_of(STATED | {"source_date": date}, LARGE, H100) for date in ("2023-01", "2021-04"))
    assert (late.stored_scores, late.sequence_parallel, late.tensor_overlap) == (0, 1, 1)
    assert (early.stored_scores, early.sequence_parallel, early.tensor_overlap) == (1, 0, 0)


def test_a_row_without_degrees_gets_a_layout_that_can_be() -> None:
    row = {key: value for key, value in STATED.items() if key not in {"tp", "pp", "vp", "mbs", "dp"}}
    found = layout_of(row, LARGE, H100)
    assert not problems(found, LARGE, 64)
    assert fits(LARGE, H100, found) is None
    assert found == layout_of(row, LARGE, H100)


def test_a_row_that_leaves_the_micro_batch_open_keeps_the_degrees_it_states() -> None:
    row = {key: value for key, value in STATED.items() if key not in {"mbs", "vp"}} | {"config_complete": "0"}
    found = layout_of(row, LARGE, H100)
    assert (found.tensor, found.pipeline, found.context, found.data) == (4, 8, 1, 2)
    assert found.virtual in {1, 5}
    assert not problems(found, LARGE, 64)


def test_chips_that_nothing_divides_get_a_layout_all_the_same() -> None:
    row = {"model": "llama3-70b", "seq_len": "8192", "chip": "H100-SXM", "n_chips": "63", "gbs_seqs": "1"}
    found = layout_of(row, LARGE, H100)
    assert found.chips == 63
    assert found.micro_batch * found.data <= 1


def test_a_whole_run_without_chips_or_batch_gets_a_layout() -> None:
    found = layout_of({"model": "llama3-70b", "seq_len": "8192", "chip": "H100-SXM"}, LARGE, H100)
    assert found.chips == 1024
    assert found.tokens == 4_194_304


def test_slices_are_read_or_follow_from_the_chips() -> None:
    row = STATED | {"chip": "TPU-v5e", "n_chips": "512", "tp": "1", "pp": "1", "gbs_seqs": "512"}
    assert layout_of(row, LARGE, H100).slices == 64
    assert layout_of(row | {"note": "2 slice(s); DCN data parallel"}, LARGE, H100).slices == 2


def test_extra_prediction_layers_are_trained_unless_the_note_says_otherwise() -> None:
    row = STATED | {"software": "Megatron-Bridge 26.06", "tp": "1", "pp": "2", "ep": "32"}
    assert layout_of(row, ROUTED, H100).prediction == 1
    assert layout_of(row | {"schedule_note": "variant: w/o MTP"}, ROUTED, H100).prediction == 0


def test_words_for_recomputing_and_sharding() -> None:
    assert recompute_of({"recompute": "selective(attn)"}) == "selective"
    assert recompute_of({"recompute": "custom remat + host offload (recipe)"}) == "minimal"
    assert recompute_of({"recompute": "per recipe", "arch": "moe"}) == "selective"
    assert recompute_of({"recompute": "not stated (selective/flash)", "arch": "dense"}) == "none"
    assert sharding_of({"sharding": "fsdp(zero2)"}) == "zero2"
    assert sharding_of({"sharding": "fsdp/tp (MaxText)"}) == "fsdp"
    assert sharding_of({}) == "zero1"


def test_releases() -> None:
    both = {"software": "Megatron-LM / DeepSpeed 2021"}
    assert software_of(both | {"sharding": "zero3"}) == "DeepSpeed 2021"
    assert software_of(both | {"sharding": "none"}) == "Megatron-LM 2021"
    assert software_of({"software": "Meta", "target_metric": "chip_hours"}) == ""
