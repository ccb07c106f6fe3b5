"""What a person, or a script, is told when something did not work."""

from __future__ import annotations

import json

import pytest

from stargate.base.errors import (
    EngineError,
    ForbiddenError,
    InputError,
    NotFoundError,
    Problem,
    StargateError,
)
from stargate.cli.failure import describe, report, sentences


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (
            NotFoundError("no pool 'a'", "see `stargate pools`"),
            2,
            "stargate: no pool 'a'. See `stargate pools`.",
        ),
        (EngineError("it broke.", "Mend it!"), 1, "stargate: it broke. Mend it!"),
        (
            FileNotFoundError(2, "No such file or directory", "x.yaml"),
            2,
            "stargate: x.yaml: no such file or directory.",
        ),
        (StargateError("nothing more to say"), 1, "stargate: nothing more to say."),
    ],
)
def test_one_line_says_what_and_the_way_out(
    error: Exception, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(error, as_json=False) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(says)
    assert said.err.count("\n") == 1


def test_every_problem_of_an_input_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = InputError(
        (Problem("one", "Mend it.", "a.yaml", 3, "x"), Problem("two", "Mend it.", "a.yaml", 4, "y"))
    )
    assert report(error, as_json=False) == 2
    assert capsys.readouterr().err == "a.yaml:3: x: one. Mend it.\na.yaml:4: y: two. Mend it.\n"


def test_clauses_that_forbid_are_listed() -> None:
    error = ForbiddenError("not there", "go elsewhere", ("msft-2025/exclusive",))
    assert sentences(describe(error)) == ["stargate: not there. Go elsewhere.", "  msft-2025/exclusive"]


def test_json_is_one_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    report(InputError((Problem("one", "Mend it.", path="x"),)), as_json=True)
    said = capsys.readouterr()
    assert said.err == ""
    error = json.loads(said.out)["error"]
    assert error["type"] == "InputError"
    assert error["problems"] == [{"message": "one", "remedy": "Mend it.", "path": "x"}]
