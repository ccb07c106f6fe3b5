"""Checkpoints are whole, and only the newest attempt writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stargate.demo.train.adam import State
from stargate.demo.train.checkpoint import KEPT, ForeignError, Store, SupersededError


def state(step: int) -> State:
    values = np.arange(5, dtype=np.float32)
    return State(step, values + step, values * 2, values * 3)


def test_what_was_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    store = Store(tmp_path / "new", "run")
    assert store.load() is None
    store.save(state(7))
    loaded = store.load()
    assert loaded is not None
    assert loaded.step == 7
    assert loaded.parameters.tobytes() == state(7).parameters.tobytes()
    assert loaded.mean.dtype == loaded.square.dtype == np.float32


def test_the_newest_is_loaded_and_old_ones_are_removed(tmp_path: Path) -> None:
    store = Store(tmp_path, "run")
    for step in (25, 50, 75, 100):
        store.save(state(step))
    loaded = store.load()
    assert loaded is not None
    assert loaded.step == 100
    assert len(list(tmp_path.glob("step-*"))) == KEPT


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 torn", b"x" * 1000])
def test_a_damaged_one_is_passed_over(tmp_path: Path, damage: bytes) -> None:
    store = Store(tmp_path, "run")
    store.save(state(25))
    (tmp_path / "step-00000050.npz").write_bytes(damage)
    loaded = store.load()
    assert loaded is not None
    assert loaded.step == 25


def test_a_torn_half_is_passed_over(tmp_path: Path) -> None:
    store = Store(tmp_path, "run")
    store.save(state(25))
    whole = (tmp_path / "step-00000025.npz").read_bytes()
    for cut in range(0, len(whole), 97):
        (tmp_path / "step-00000050.npz").write_bytes(whole[:cut])
        loaded = store.load()
        assert loaded is not None
        assert loaded.step == 25


def test_checkpoints_of_another_run_are_refused(tmp_path: Path) -> None:
    Store(tmp_path, "seed 1").save(state(25))
    with pytest.raises(ForeignError, match="seed 2"):
        Store(tmp_path, "seed 2").load()


def test_an_overtaken_attempt_cannot_write(tmp_path: Path) -> None:
    first, second = Store(tmp_path, "run", epoch=1), Store(tmp_path, "run", epoch=2)
    first.save(state(25))
    (tmp_path / "EPOCH").write_text("2\n")
    with pytest.raises(SupersededError, match="number 2"):
        first.save(state(50))
    assert [path.name for path in tmp_path.glob("*step*")] == ["step-00000025.npz"]
    second.save(state(50))
    assert second.load() is not None
