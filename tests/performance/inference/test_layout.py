"""Layouts of engines: what chips leave over, and what cannot be."""

from __future__ import annotations

import pytest

from stargate.performance.inference.layout import Layout, layout, problems
from stargate.performance.models.library import model_named
from stargate.performance.models.shape import shape_of

LLAMA, DEEPSEEK = shape_of(model_named("llama3.1-70b")), shape_of(model_named("deepseek-v3"))


def test_tensor_is_what_the_others_leave_over() -> None:
    made = layout(16, expert=8, attention_data=4, pipeline=2, experts=True)
    assert made == Layout(tensor=2, attention_data=4, pipeline=2, expert=8, expert_tensor=1)
    assert made.chips == 16
    assert made.stage_chips == 8


def test_a_dense_model_has_no_experts_to_spread() -> None:
    made = layout(8, expert=8)
    assert (made.expert, made.expert_tensor) == (1, 1)
    assert problems(made, LLAMA) == ()


def test_good_layouts_have_no_problems() -> None:
    assert problems(layout(8, expert=8, attention_data=8, experts=True), DEEPSEEK) == ()
    assert problems(layout(8, expert=2, experts=True), DEEPSEEK) == ()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (Layout(tensor=0), "tensor"),
        (Layout(tensor=2.5), "tensor"),
        (Layout(tensor=3), "tensor"),
        (Layout(pipeline=81), "pipeline"),
    ],
)
def test_what_cannot_be_is_said_by_field(wrong: Layout, field: str) -> None:
    assert [problem.path for problem in problems(wrong, LLAMA)] == [field]


def test_experts_lie_on_the_chips_there_are() -> None:
    (problem,) = problems(Layout(tensor=8, expert=4, expert_tensor=1), DEEPSEEK)
    assert problem.path == "expert"
    assert "4 chips of 8" in problem.message
