"""What a sweep goes through."""

from __future__ import annotations

import pytest

from stargate.base.errors import InputError, LimitError
from stargate.rehearsal.sweep.grid import RUNS_LIMIT, grid, read_parameter


def test_every_combination_with_every_seed_in_order() -> None:
    found = grid([1, 2, 1], {"a": [1, 2], "b": ["x", "y"]})
    assert [point.overrides for point in found.points] == [
        {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"},
    ]  # fmt: skip
    assert found.seeds == (1, 2)
    assert [(point.number, seed) for point, seed in found.runs][:3] == [(0, 1), (0, 2), (1, 1)]


def test_without_parameters_there_is_one_point() -> None:
    assert [point.overrides for point in grid([7], {}).points] == [{}]


def test_too_little_and_too_much_are_refused() -> None:
    with pytest.raises(InputError, match="parameter b has no values"):
        grid([1], {"a": [1], "b": []})
    with pytest.raises(InputError, match="no seeds"):
        grid([], {})
    with pytest.raises(LimitError, match="runs"):
        grid(range(1_000), {"a": list(range(RUNS_LIMIT // 1_000 + 1))})


def test_parameters_as_people_write_them() -> None:
    assert read_parameter("faults.storm.lasts=3d, 10d") == ("faults.storm.lasts", ("3d", "10d"))
    assert read_parameter("x=1,0.5,true,-2") == ("x", (1, 0.5, True, -2))
    for wrong in ("x", "=1", "x="):
        with pytest.raises(InputError, match="is no parameter"):
            read_parameter(wrong)
