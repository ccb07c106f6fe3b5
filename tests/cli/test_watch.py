"""Watching a workload: what is printed where no one looks, and patience with a server that restarts."""

from __future__ import annotations

from typing import Any, cast

import pytest

from stargate.cli import watch
from stargate.cli.client import Client, ServerUnreachableError
from tests.cli.test_work import SHOWN


class Scripted:
    """A client that gives one answer after another; the last one for ever."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.answers = list(answers)

    def get(self, path: str) -> dict[str, Any]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_S", 0.0)


def test_each_change_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = {**SHOWN, "status": "waiting", "provider": "", "attempts": [], "attempts_total": 0}
    ended = {**SHOWN, "status": "succeeded", "ended_at": "2027-01-02T00:00:00Z"}
    client = cast("Client", Scripted(waiting, waiting, SHOWN, ServerUnreachableError("away"), SHOWN, ended))
    assert watch.follow(client, "lm-1", poll_s=0.0) == ended
    assert capsys.readouterr().out == (
        "lm-1: waiting\nlm-1: running on beta (pool beta-1), attempt 2\nlm-1: succeeded, attempt 2\n"
    )


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    ended = {**SHOWN, "ended_at": "2027-01-02T00:00:00Z"}
    watch.follow(cast("Client", Scripted(ended)), "lm-1", quiet=True)
    assert capsys.readouterr().out == ""


def test_patience_ends() -> None:
    with pytest.raises(ServerUnreachableError):
        watch.patiently(cast("Client", Scripted(ServerUnreachableError("away"))), "status", patience_s=0.0)
