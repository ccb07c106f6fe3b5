"""How results look."""

from __future__ import annotations

import pytest

from stargate.base.time import Instant
from stargate.cli import output


def test_columns_are_aligned() -> None:
    assert output.table(("A", "NAME"), [(1, "x"), (100, None), (True, "two\nlines")]) == (
        "A    NAME\n1    x\n100  -\nyes  two lines"
    )


def test_what_others_wrote_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert output.table(("A",), [("\x1b[2Jx",)]) == "A\n\ufffd[2Jx"
    output.say(["a\x07b", "é\nü"])
    assert capsys.readouterr().out == "a\ufffdb\né\nü\n"


@pytest.mark.parametrize(
    ("ago", "expected"), [("10s", "10s"), ("119s", "119s"), ("3m", "3m"), ("5h", "5h"), ("72h", "3d")]
)
def test_ages(ago: str, expected: str) -> None:
    from stargate.base.time import Duration

    then = Instant.parse("2027-01-01")
    assert output.age(then.iso(), then.plus(Duration.parse(ago))) == expected


def test_moments_are_cut_to_the_second() -> None:
    assert output.moment("2027-01-01T10:20:30.123456Z") == "2027-01-01T10:20:30Z"
    assert output.moment("2027-01-01T10:20:30Z") == "2027-01-01T10:20:30Z"
    assert output.moment(None) == ""


def test_money_and_counts() -> None:
    assert output.dollars(2_490_000) == "$2.49"
    assert output.dollars(None) == ""
    assert output.count(1, "pool") == "1 pool"
    assert output.count(1200, "party", "parties") == "1,200 parties"
