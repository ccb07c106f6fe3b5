"""Measured rows: all are read and predicted, by few constants, as well as the validation page says or better."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stargate.performance.calibration import Batch
from stargate.performance.inference.rows import latency_batch, throughput_batch
from tests.performance.inference.engines import catalogued

CELL_CONSTANTS = 3


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def latencies(shared: Path) -> Batch:
    return latency_batch(rows(shared / "data/perf/latency_given.csv"), catalogued())


@pytest.fixture(scope="module")
def throughputs(shared: Path) -> Batch:
    return throughput_batch(rows(shared / "data/perf/inference_given.csv"), catalogued())


def starts(batch: Batch) -> np.ndarray:
    return np.array([parameter.start for parameter in batch.parameters])


def test_every_latency_is_predicted(latencies: Batch) -> None:
    assert latencies.refused == ()
    assert Counter(each.group for each in latencies.measured) == {"tpot": 3_464, "ttft": 3_464}
    predicted = latencies.predict(starts(latencies))
    assert np.all(np.isfinite(predicted))
    assert np.all(predicted > 0)


def test_every_throughput_is_predicted(throughputs: Batch) -> None:
    assert throughputs.refused == ()
    assert len(throughputs.measured) == 367
    assert {each.group for each in throughputs.measured} == {"throughput_dense", "throughput_moe"}
    predicted = throughputs.predict(starts(throughputs))
    assert np.all(np.isfinite(predicted))
    assert np.all(predicted > 0)


@pytest.mark.parametrize("kind", ["latencies", "throughputs"])
def test_constants_are_few(kind: str, request: pytest.FixtureRequest) -> None:
    batch: Batch = request.getfixturevalue(kind)
    cells = Counter(each.key[1:3] for each in batch.parameters if each.key[0] == "cell")
    assert set(cells.values()) == {CELL_CONSTANTS}
    releases = {each.key[1] for each in batch.parameters if each.key[0] == "release"}
    stated = {row.software for row in batch.measured}
    assert stated - {""} <= releases
    models = {row.family.partition("|")[0].lower() for row in batch.measured}
    named = " ".join(" ".join(each.key) for each in batch.parameters).lower()
    assert not [model for model in models if model in named], "no constant is of one model"


def test_families_are_of_model_chip_and_precision(latencies: Batch) -> None:
    for row in latencies.measured:
        assert row.chip in row.family
        assert row.precision in row.family


def test_a_slower_release_gives_slower_tokens_on_its_own_rows_alone(latencies: Batch) -> None:
    values = starts(latencies)
    names = [parameter.key for parameter in latencies.parameters]
    slower = values.copy()
    slower[names.index(("release", "vllm 0.19.0"))] *= 1.2
    before, after = latencies.predict(values), latencies.predict(slower)
    mine = np.array([row.software == "vllm 0.19.0" for row in latencies.measured])
    tokens = np.array([row.output == "tpot" for row in latencies.measured])
    assert np.all(after[mine & tokens] > before[mine & tokens])
    assert np.array_equal(after[~mine], before[~mine])


def test_an_unknown_model_or_chip_is_refused_with_the_reason() -> None:
    good = {
        "id": "a", "model_path": "meta-llama/Llama-3.1-70B", "system": "h100_sxm", "backend": "vllm",
        "precision": "fp8", "mode": "agg", "isl": "1024", "osl": "1024", "batch_size": "8", "tp_size": "4",
        "silicon_ttft_ms": "100", "silicon_tpot_ms": "12",
    }  # fmt: skip
    batch = latency_batch(
        [good, good | {"id": "b", "model_path": "nobody/made-this"}, good | {"id": "c", "system": "abacus"}],
        catalogued(),
    )
    assert [identity for identity, _ in batch.refused] == ["b", "c"]
    assert "abacus" in batch.refused[1][1]
    assert len(batch.measured) == 2


def test_blank_columns_are_no_reason_to_refuse() -> None:
    bare = {"id": "a", "model_path": "openai/gpt-oss-120b", "system": "b200_sxm", "silicon_tpot_ms": "5"}
    batch = latency_batch([bare], catalogued())
    assert batch.refused == ()
    assert [row.output for row in batch.measured] == ["tpot"]
    assert batch.predict(starts(batch))[0] > 0


def test_the_best_of_the_layouts_left_open_is_meant() -> None:
    open_row = {
        "row_id": "a", "model": "llama2-70b", "chip": "H100-SXM", "n_chips": "8", "precision_w": "FP8",
        "osl": "290", "scenario": "Offline", "engine": "TensorRT-LLM", "engine_version": "TensorRT 10.2",
        "target_metric": "output_tok_s_chip", "target_value": "3000",
    }  # fmt: skip
    stated = [open_row | {"row_id": degree, "tp": degree, "n_chips": degree} for degree in ("2", "4", "8")]
    batch = throughput_batch([open_row, *stated], catalogued())
    best, *others = batch.predict(starts(batch))
    assert best == pytest.approx(max(others), rel=1e-6)


def test_a_bound_on_latency_costs_throughput() -> None:
    offline = {
        "row_id": "a", "model": "llama2-70b", "chip": "H200-SXM", "n_chips": "8", "precision_w": "FP8",
        "osl": "290", "scenario": "Offline", "engine": "TensorRT-LLM", "target_value": "3000",
    }  # fmt: skip
    batch = throughput_batch(
        [offline, offline | {"scenario": "Server"}, offline | {"scenario": "Interactive"}], catalogued()
    )
    free, server, interactive = batch.predict(starts(batch))
    assert free > server > interactive
