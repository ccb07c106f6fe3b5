"""Errors: blame in the type, place and remedy in the words."""

from __future__ import annotations

import pytest

from stargate.base import errors
from stargate.base.errors import ForbiddenError, InputError, Problem, StargateError


def test_a_problem_names_its_place_and_the_way_out() -> None:
    """File, line, field, what, and what to do."""
    problem = Problem("unknown field `pric`", "did you mean `price`?", "a.yaml", 3, "pools[2].pric")
    assert str(problem) == "a.yaml:3: pools[2].pric: unknown field `pric`. did you mean `price`?"


def test_an_input_error_lists_every_problem() -> None:
    """One error, all faults."""
    error = InputError((Problem("one", "mend it"), Problem("two", "mend that")))
    assert str(error).splitlines() == ["one. mend it", "two. mend that"]


def test_reasons_travel_with_a_refusal() -> None:
    """Clauses are cited."""
    assert ForbiddenError("no", "ask Azure", ("msft/rofr",)).reasons == ("msft/rofr",)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StargateError)],
)
def test_the_tree_at_the_top_of_the_module_names_every_error(kind: type) -> None:
    """A drawing that lies is worse than none."""
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__
