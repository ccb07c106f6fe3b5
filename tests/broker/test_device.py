"""Chips of the catalog reach the formulas in base units."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.base.errors import NotFoundError
from stargate.broker.device import device_of, devices
from stargate.catalog.chip import Chip, builtin_chips, chip_named


def test_units_become_base_units() -> None:
    found = device_of(chip_named("H100"), "fp8")
    assert found.peak_flops_per_s == 1979e12
    assert found.bf16_flops_per_s == 989e12
    assert found.memory_bytes == 80 * 2**30
    assert found.bandwidth_bytes_per_s == 3.35e12
    assert found.scaleup_bytes_per_s == 450e9
    assert found.scaleout_bytes_per_s == 50e9
    assert found.native


def test_a_chip_without_units_for_a_precision_computes_in_the_next_wider() -> None:
    found = device_of(chip_named("H100"), "nvfp4")
    assert found.peak_flops_per_s == 1979e12
    assert not found.native
    assert device_of(chip_named("A100-80GB"), "fp8").peak_flops_per_s == 312e12


def test_a_figure_that_is_missing_is_named() -> None:
    chip = Chip(id="New", bf16_dense_tflops=Decimal(500), memory_gb=Decimal(64))
    with pytest.raises(NotFoundError, match="memory_bandwidth_tb_per_s"):
        device_of(chip, "bf16")


def test_every_chip_whose_figures_are_known_is_there() -> None:
    known = devices(builtin_chips())
    assert {chip for chip, _ in known} >= {"A100-80GB-SXM", "H100-SXM", "GB300-NVL72", "MI355X", "TPU-v7"}
    assert all(device.peak_flops_per_s > 0 and device.domain_chips >= 1 for device in known.values())
