"""The story of a served model, end to end: real server, gateway, agents and model, a real SIGKILL."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from rich.console import Console

from stargate.base.errors import InternalError, NotFoundError
from stargate.demo import llama, play
from stargate.demo.meter import Row, by_provider
from stargate.demo.play import play_serving
from stargate.demo.serving import Asked, Served
from stargate.demo.shell import Shell
from stargate.demo.view import counts, served_verdict

CUT = Asked("req_2", "app", ("oci",), "cut", 17, 7, 11, 6.0)
SERVED = Served(
    api=Asked("req_1", "api", ("azure",), "done", 9, 0, 24, 5.0),
    cut=CUT,
    unharmed=1,
    next=Asked("req_3", "app", ("oci", "azure"), "done", 5, 0, 6, 7.0),
    ledger=[
        Row("api", "azure", 1, 9, 0, 24),
        Row("app", "azure", 2, 5, 0, 6),
        Row("app", "oci", 2, 30, 7, 31),
    ],
    meters={
        "azure": {"input_tokens": 14, "cached_tokens": 0, "output_tokens": 30},
        "oci": {"input_tokens": 20, "cached_tokens": 0, "output_tokens": 20},
    },
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The story, told once; and that nothing of it is left."""
    folder = tmp_path_factory.mktemp("serving")
    file = folder / "demo.json"
    chatted: list[tuple[str, str, str]] = []
    assert play_serving(folder / "data", file, lambda *words: chatted.append(words))
    ((url, key, model),) = chatted
    assert (url[:17], key[:8], model) == ("http://127.0.0.1:", "sg_live_", "smollm2")
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(folder) in str(each.info["cmdline"])]
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.slow
def test_a_lost_provider_is_noticed_by_none_but_those_it_answered(told: dict[str, Any]) -> None:
    assert (told["cut"]["providers"], told["cut"]["outcome"]) == (["oci"], "cut")
    assert told["cut"]["output_tokens"] > 1
    assert told["unharmed"] == 1
    assert (told["next"]["providers"][-1], told["next"]["outcome"]) == ("azure", "done")


@pytest.mark.slow
def test_the_api_stays_where_it_must(told: dict[str, Any]) -> None:
    assert told["api"]["providers"] == ["azure"]
    assert {row["provider"] for row in told["ledger"] if row["key"] == "api-app"} == {"azure"}


@pytest.mark.slow
def test_both_sides_count_the_same(told: dict[str, Any]) -> None:
    ledger = by_provider(msgspec.convert(told["ledger"], list[Row]))
    assert ledger["azure"] == told["meters"]["azure"]
    assert (
        ledger["oci"]["output_tokens"] - told["cut"]["output_tokens"]
        == told["meters"]["oci"]["output_tokens"]
        > 0
    )


def test_what_it_takes_to_keep_the_promise() -> None:
    assert SERVED.kept_its_promise
    broken: dict[str, Any]
    for broken in (
        {"api": msgspec.structs.replace(CUT, providers=("oci",))},
        {"api": None},
        {"cut": None},
        {"cut": msgspec.structs.replace(CUT, outcome="done")},
        {"cut": msgspec.structs.replace(CUT, output_tokens=12)},
        {"unharmed": 0},
        {"next": None},
        {"next": msgspec.structs.replace(CUT, outcome="done")},
        {"ledger": SERVED.ledger[1:]},
        {"meters": {}},
    ):
        assert not msgspec.structs.replace(SERVED, **broken).kept_its_promise, broken


def test_both_sides_of_the_count_are_shown() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80)
    console.print(counts(SERVED))
    lines = [" ".join(line.replace("│", " ").split()) for line in out.getvalue().splitlines()]
    assert "azure the ledger, api 1 9 0 24" in lines
    assert "azure its own meter 14 0 30" in lines
    assert "oci its meter, until the kill 20 0 20" in lines
    assert "oci the cut answer, estimated 10 7 11" in lines
    assert served_verdict(SERVED).plain.startswith("oci was lost while it answered")
    assert served_verdict(Served()).plain.startswith("Something is wrong")


def test_without_the_model_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "PACKAGED", "a_package_that_nobody_has")
    with pytest.raises(NotFoundError, match="pip install"):
        play_serving(tmp_path / "data", None, None)
    monkeypatch.setattr(play, "find_spec", lambda name: None)  # noqa: ARG005 - a fake
    with pytest.raises(NotFoundError, match="make demo-serve"):
        play_serving(tmp_path / "data", None, None)
    assert not (tmp_path / "data").exists()


def test_commands_are_shown_with_what_they_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARGATE_URL", "http://127.0.0.1:1")  # of the one who plays, and not meant
    out = io.StringIO()
    shell = Shell(Console(file=out, width=60), tmp_path, {"STARGATE_DATA": str(tmp_path)})
    shell.run("--version")
    first, second = out.getvalue().splitlines()
    assert first == "$ stargate --version"
    assert second.startswith("stargate ")
    with pytest.raises(InternalError, match="there is no key"):
        shell.run("ps")
    running = shell.start("--help")
    running.await_output(10**9)
    ended = running.end()
    assert (ended.code, "Usage: stargate" in ended.said, ended.error) == (0, True, "")
    assert not running.running
