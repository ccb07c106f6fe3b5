"""The shipped table against its source, error bars of users, and the names people use."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from stargate.base.document import parse, typed
from stargate.base.errors import InputError, NotFoundError
from stargate.catalog.chip import FIGURES, Chip, ChipNames, builtin_chips, chip_named, simplified

COLUMNS = {
    "bf16_dense_tflops": "bf16_dense_tflops",
    "fp8_dense_tflops": "fp8_dense_tflops",
    "fp4_dense_tflops": "fp4_dense_tflops",
    "int8_dense_tops": "int8_dense_tops",
    "hbm_gb": "memory_gb",
    "hbm_tb_s": "memory_bandwidth_tb_per_s",
    "scaleup_gb_s_per_chip_one_dir": "scaleup_gb_per_s",
    "scaleout_gbps_per_chip": "scaleout_gbit_per_s",
    "tdp_w": "tdp_w",
}
EVIDENCE = {"S": "seen", "M": "memory", "S/M": "mixed"}


def test_every_chip_has_a_source_and_an_evidence_mark() -> None:
    assert len(builtin_chips()) >= 26
    for chip in builtin_chips():
        assert chip.source, chip.id
        assert chip.evidence in {"seen", "memory", "mixed"}, chip.id
        rent = chip.figure("rent_usd_per_chip_hour")
        assert rent is None or (rent.source and rent.evidence != "declared"), chip.id


def test_the_shipped_table_says_what_its_source_says(shared: Path) -> None:
    with (shared / "data" / "perf" / "chips.csv").open() as stream:
        rows = {row["chip"]: row for row in csv.DictReader(stream)}
    shipped = {chip.id: chip for chip in builtin_chips()}
    rows["OpenAI-Titan"] = rows.pop('OpenAI-Broadcom ("Titan")')
    assert shipped.keys() - rows.keys() == {"H100-NVL", "H200-NVL"}
    assert rows.keys() <= shipped.keys()
    for name, row in rows.items():
        chip = shipped[name]
        for column, field in COLUMNS.items():
            figure = chip.figure(field)
            assert (figure and figure.value) == (Decimal(row[column]) if row[column] else None), (name, field)
        rent = chip.figure("rent_usd_per_chip_hour")
        for column, bar in (("usd_h_low", rent and rent.low), ("usd_h_high", rent and rent.high)):
            assert bar == (Decimal(row[column]) if row[column] else None), (name, column)
        assert str(chip.scaleup_domain_chips or "") == row["scaleup_domain"], name
        assert (chip.vendor, chip.launch) == (row["vendor"], row["launch"])
        assert (chip.source, chip.evidence) == (row["spec_source"], EVIDENCE[row["evidence"]])


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("H100-SXM", "H100-SXM"),
        ("H100", "H100-SXM"),
        ("h100", "H100-SXM"),
        ("h100_sxm", "H100-SXM"),
        ("H100-80GB", "H100-SXM"),
        ("A100", "A100-40GB-SXM"),
        ("A100-80GB", "A100-80GB-SXM"),
        ("A100-80GB-SXM", "A100-80GB-SXM"),
        ("H200", "H200-SXM"),
        ("B200", "B200-SXM"),
        ("B300", "B300-SXM"),
        ("GB200", "GB200-NVL72"),
        ("GB300", "GB300-NVL72"),
        ("MI300X", "MI300X"),
        ("TPU-v5p", "TPU-v5p"),
        ("tpu-v5p-128", "TPU-v5p"),
        ("tpu-v5litepod-8", "TPU-v5e"),
        ("tpu-v6e-8", "TPU-v6e"),
        ("Trainium2", "Trainium2"),
        ("Gaudi-3", "Gaudi3"),
    ],
)
def test_short_names(name: str, id: str) -> None:
    assert chip_named(name).id == id


@pytest.mark.parametrize(("name", "near"), [("H10", "H100"), ("GB20", "GB200"), ("TPU-v5", "TPU-v5")])
def test_unknown_names_get_a_near_one(name: str, near: str) -> None:
    with pytest.raises(NotFoundError, match=f"Did you mean '{near}"):
        chip_named(name)
    with pytest.raises(NotFoundError, match="Known:"):
        chip_named("abacus")


def test_every_name_in_the_table_is_unambiguous() -> None:
    names = [(simplified(name), chip.id) for chip in builtin_chips() for name in (chip.id, *chip.aliases)]
    assert len({name for name, _ in names}) == len(set(names))
    for chip in builtin_chips():
        for name in (chip.id, *chip.aliases):
            assert chip_named(name) is chip


def test_an_id_beats_an_alias_and_the_first_listed_beats_later_ones() -> None:
    mine = Chip(id="H100")
    names = ChipNames((mine, *builtin_chips()))
    assert names.named("H100") is mine
    assert names.named("H100-SXM").id == "H100-SXM"
    assert names.find("H100-PCIe") is None


def test_users_write_chips_with_error_bars() -> None:
    text = """
chips:
- id: Titan-1
  bf16_dense_tflops: {value: 2000, low: 1500, high: 2600, source: our estimate, as_of: 2026-11, evidence: derived}
  memory_gb: 288
  tdp_w: {low: 700, high: 1100}
"""
    (chip,) = typed(parse(text)[0], tuple[Chip, ...], "chips")
    figures = {name: chip.figure(name) for name in FIGURES}
    throughput, memory, power = figures["bf16_dense_tflops"], figures["memory_gb"], figures["tdp_w"]
    assert throughput is not None
    bars = (throughput.low, throughput.central, throughput.high)
    assert bars == (Decimal(1500), Decimal(2000), Decimal(2600))
    assert memory is not None
    assert memory.central == 288
    assert power is not None
    assert power.central == 900
    assert figures["fp8_dense_tflops"] is None, "what is not known is absent, not zero"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tdp_w: 0", "tdp_w is not above zero"),
        ("tdp_w: {low: -1, high: 5}", "tdp_w is not above zero"),
        ("tdp_w: {low: 9, high: 5}", "low, value and high are out of order"),
        ("tdp_w: {}", "a figure holds nothing"),
        ("tdp: 5", "unknown field 'tdp'"),
        ("scaleup_domain_chips: 0", "must be at least 1"),
    ],
)
def test_impossible_chips_are_refused(line: str, words: str) -> None:
    (document,) = parse(f"id: X\n{line}\n")
    with pytest.raises(InputError, match=words):
        typed(document, Chip)
