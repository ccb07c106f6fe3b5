"""`stargate demo`: which story is told, and what comes after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stargate.cli import demo
from stargate.demo import play
from tests.cli.conftest import Run
from tests.cli.scripted_gateway import scripted_gateway


def test_each_story_is_told_and_a_broken_promise_is_exit_code_1(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[Any] = []

    def train(data: Path | None, file: Path | None, *, leave: bool) -> bool:
        told.append(("train", data, file, leave))
        return True

    def serve(data: Path | None, file: Path | None, afterwards: object) -> bool:
        told.append(("serve", data, file, afterwards))
        return False

    monkeypatch.setattr(play, "play", train)
    monkeypatch.setattr(play, "play_serving", serve)
    assert run("demo", "--exit").code == 0
    assert (
        run("demo", "serve", "--json", tmp_path / "f", "--data", tmp_path).code == 1
    )  # nobody sits there to chat
    assert told == [("train", None, None, True), ("serve", tmp_path, tmp_path / "f", None)]
    assert run("demo", "sing").code == 2


def test_after_the_story_one_can_chat(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = iter(["hi", "/exit"])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    with scripted_gateway() as gateway:
        demo._chat(gateway.url, "sg_live_x", "tiny")
    (asked,) = gateway.asked
    assert (asked["model"], asked["max_tokens"], gateway.keys) == ("tiny", demo.ANSWER_TOKENS, ["sg_live_x"])
    assert capsys.readouterr().out == "Hello\n"
