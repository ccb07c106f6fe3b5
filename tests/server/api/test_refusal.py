from __future__ import annotations

import logging

import msgspec
import pytest
from litestar.exceptions import MethodNotAllowedException, NotFoundException, ValidationException

from stargate.base import errors
from stargate.base.errors import Problem
from stargate.server.api.refusal import encoded, refusal_of
from stargate.server.errors import UnavailableError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UserError("a", "b"), 400),
        (errors.UnauthorizedError("a", "b"), 401),
        (errors.ForbiddenError("a", "b"), 403),
        (errors.NotFoundError("a", "b"), 404),
        (errors.StateConflictError("a", "b"), 409),
        (errors.LimitError("a", "b"), 429),
        (errors.InternalError("a", "b"), 500),
        (errors.EngineError("a", "b"), 502),
        (UnavailableError("a", "b"), 503),
    ],
)
def test_an_error_of_ours_has_its_status_and_its_name(error: errors.StargateError, status: int) -> None:
    found, refusal = refusal_of(error)
    assert found == status
    assert (refusal.error.type, refusal.error.message, refusal.error.remedy) == (
        type(error).__name__,
        "a",
        "b",
    )


def test_one_problem_is_the_message() -> None:
    status, refusal = refusal_of(errors.InputError((Problem("wrong", "mend it", path="a.b"),)))
    assert status == 422
    assert (refusal.error.message, refusal.error.remedy) == ("wrong", "mend it")
    assert refusal.error.problems[0].path == "a.b"


def test_several_problems_are_counted() -> None:
    _, refusal = refusal_of(errors.InputError((Problem("a", "x"), Problem("b", "y"))))
    assert refusal.error.message == "2 problems in the input"
    assert len(refusal.error.problems) == 2


def test_a_forbidden_thing_cites_its_clauses() -> None:
    _, refusal = refusal_of(errors.ForbiddenError("no", "ask", ("ms-2025/rofr: …",)))
    assert refusal.error.reasons == ("ms-2025/rofr: …",)


def test_what_was_not_raised_on_purpose_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    status, refusal = refusal_of(KeyError("secret"))
    assert status == 500
    assert "secret" not in encoded(refusal).decode()
    assert "secret" in caplog.text


def test_the_frameworks_errors_have_the_same_shape() -> None:
    for error, status in ((NotFoundException(), 404), (MethodNotAllowedException(), 405)):
        found, refusal = refusal_of(error)
        assert found == status
        assert refusal.error.remedy


def test_parameters_are_problems() -> None:
    extra = [{"message": "Expected `int`, got `str`", "key": "limit", "source": "query"}]
    status, refusal = refusal_of(ValidationException(extra=extra))
    assert status == 422
    (problem,) = refusal.error.problems
    assert "limit" in problem.path
    assert "Expected `int`" in problem.message


def test_half_a_surrogate_pair_is_mended() -> None:
    _, refusal = refusal_of(errors.NotFoundError("no \ud800", "look \udfff"))
    assert msgspec.json.decode(encoded(refusal))["error"]["message"] == "no ?"


def test_a_fault_of_ours_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    refusal_of(errors.InternalError("it broke", "report it"))
    assert "it broke" in caplog.text
