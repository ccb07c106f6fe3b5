"""The model learns what it should: its gradient is the slope of its loss."""

from __future__ import annotations

import numpy as np
import pytest

from stargate.demo.train.adam import State
from stargate.demo.train.draw import positions, uniform
from stargate.demo.train.model import CONTEXT, Model
from stargate.demo.train.text import load_text


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    model = Model(11)
    flat = model.initial(3)
    text = positions(1, 1, 200, 11)
    contexts, targets = model.examples(text, positions(1, 2, 16, 200 - CONTEXT))
    gradient, loss = model.gradient(flat, contexts, targets)
    assert loss == pytest.approx(float(model.loss(flat, contexts, targets).mean()), rel=1e-6)
    direction = uniform(9, model.size)
    reach = 1e-3
    there = float(model.loss(flat + np.float32(reach) * direction, contexts, targets).mean(dtype=np.float64))
    back = float(model.loss(flat - np.float32(reach) * direction, contexts, targets).mean(dtype=np.float64))
    assert (there - back) / (2 * reach) == pytest.approx(float(gradient @ direction), rel=0.02, abs=1e-3)


def test_its_size_is_as_told() -> None:
    assert 40_000 < Model(103).size < 60_000


def test_an_example_is_a_context_and_what_follows() -> None:
    text = np.arange(100)
    contexts, targets = Model(100).examples(text, np.array([0, 50]))
    assert contexts.tolist() == [list(range(8)), list(range(50, 58))]
    assert targets.tolist() == [8, 58]


def test_a_step_of_adam_goes_against_the_gradient() -> None:
    state = State.begin(np.zeros(3, dtype=np.float32))
    state.apply(np.array([1, -2, 0], dtype=np.float32))
    assert state.step == 1
    assert state.parameters == pytest.approx([-3e-3, 3e-3, 0], rel=1e-4)


def test_draws_depend_on_seed_and_step_alone() -> None:
    assert positions(1, 5, 100, 1000).tolist() == positions(1, 5, 100, 1000).tolist()
    assert positions(1, 5, 100, 1000).tolist() != positions(1, 6, 100, 1000).tolist()
    assert positions(1, 5, 100, 1000).tolist() != positions(2, 5, 100, 1000).tolist()
    assert positions(1, 5, 3, 10**6).tolist() == [761_344, 559_809, 379_373], "the stream is fixed for good"
    drawn = uniform(1, 10_000)
    assert -1 <= drawn.min() < -0.99
    assert 0.99 < drawn.max() < 1


def test_the_text_is_what_python_ships() -> None:
    text = load_text()
    assert len(text.train) > 300_000
    assert 9 <= len(text.train) / len(text.held_out) <= 9.1
    assert text.train.max() < text.alphabet
