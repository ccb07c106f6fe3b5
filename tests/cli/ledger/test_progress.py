"""How far long work is: each thing once on paper, and a line that changes where somebody looks."""

from __future__ import annotations

import sys

import pytest

from stargate.cli.ledger.progress import CLEAR, progress
from stargate.ledger.tell import EVERY, told


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        (False, "usage …\nlines …\n"),
        (
            True,
            "".join(
                f"{CLEAR}{one}"
                for one in ("usage 0% …", "usage 40% …", "usage 80% …", "lines …", "lines 10,000 …", "")
            ),
        ),
    ],
)
def test_what_is_being_done_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, looks: bool, said: str
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: looks)
    many = EVERY * 5 // 2
    with progress(shown=True) as tell:
        assert sum(told(range(many), tell, "usage", many)) == sum(range(many))
        assert list(told([""] * EVERY, tell, "lines")) == [""] * EVERY
    assert capsys.readouterr() == ("", said)


def test_nothing_is_said_beside_json(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(shown=False) as tell:
        tell("usage", 1, 2)
    assert capsys.readouterr() == ("", "")
