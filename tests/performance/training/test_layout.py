"""Layouts: names people use, what cannot be, and how many chips."""

from __future__ import annotations

import pytest

from stargate.performance.training.layout import layout, problems
from tests.performance.training.training_desk import CUT, LARGE, ROUTED, changed


def test_copies_are_what_the_chips_leave_over() -> None:
    one = layout(sequence=8192, batch=1536, chips=1024, tensor=8, pipeline=8, context=2)
    assert (one.data, one.chips, one.micro_batches) == (8, 1024, 192)
    assert one.tokens == 1536 * 8192


@pytest.mark.parametrize(
    ("sharding", "flags"),
    [
        ("none", (0, 0, 0)),
        ("zero1", (1, 0, 0)),
        ("zero2", (1, 1, 0)),
        ("zero3", (1, 1, 1)),
        ("fsdp", (1, 1, 1)),
    ],
)
def test_sharding_by_name(sharding: str, flags: tuple[int, int, int]) -> None:
    one = layout(sequence=1, batch=8, chips=8, sharding=sharding)  # type: ignore[arg-type]
    assert (one.shard_optimizer, one.shard_gradients, one.shard_parameters) == flags


def test_what_can_be_has_no_problems() -> None:
    assert not problems(CUT, LARGE, 64)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"tensor": 3}, "tensor"),
        ({"data": 3}, "data"),
        ({"batch": 255}, "batch"),
        ({"micro_batch": 3}, "batch"),
        ({"virtual": 40}, "virtual"),
        ({"context": 3}, "context"),
        ({"data": 0.5}, "data"),
    ],
)
def test_what_cannot_be_is_named(fields: dict[str, float], path: str) -> None:
    found = problems(changed(CUT, **fields), LARGE, 64)
    assert path in {problem.path for problem in found}
    assert all(problem.remedy for problem in found)


def test_experts_divide() -> None:
    one = layout(sequence=4096, batch=4096, chips=256, pipeline=8, expert=24)
    assert {problem.path for problem in problems(one, ROUTED)} == {"expert"}
