"""A provider is lost under many streams: see `tests.gateway.lost`, which does this for as many seeds as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.lost import STREAMS, run

SEEDS = range(4)


@pytest.mark.slow
def test_who_is_cut_hears_so_and_all_is_counted(tmp_path: Path) -> None:
    result = run(tmp_path, SEEDS)
    assert not result.faults
    assert len(SEEDS) <= result.cut < STREAMS * result.losses
