"""`stargate chat`: what it asks, how it shows an answer, whose key it uses, and what becomes of what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from stargate.cli import chat
from stargate.cli.conversation import Gateway, Reply
from tests.cli.conftest import Run
from tests.cli.scripted_gateway import ScriptedGateway, said, scripted_gateway, streamed


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as found:
        yield found


@pytest.fixture
def ask(run: Run, gateway: ScriptedGateway) -> Run:
    """`stargate chat tiny` at the gateway, under a key from the environment."""
    return lambda *words, **more: run(
        "chat", "tiny", *words, "--gateway", gateway.url, **{"STARGATE_API_KEY": "sg_live_x", **more}
    )


# --- one answer -----------------------------------------------------------------------------------------------------


def test_it_asks_what_the_options_say_and_shows_the_answer(ask: Run, gateway: ScriptedGateway) -> None:
    gateway.body = said("Hel", "lo", "!")
    ran = ask("Good", "morning", "--system", "Be brief.", "--max-tokens", 7, "--temperature", 0)
    assert (ran.code, ran.out, ran.err) == (0, "Hello!\n", "")
    assert gateway.keys == ["sg_live_x"]
    assert gateway.asked == [
        {
            "model": "tiny",
            "max_tokens": 7,
            "temperature": 0.0,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Good morning"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


def test_what_is_not_said_is_not_sent(ask: Run, gateway: ScriptedGateway) -> None:
    assert ask("hi").code == 0
    assert gateway.asked[0].keys() == {"model", "messages", "stream", "stream_options"}


def test_json_holds_the_answer_its_usage_and_the_id_to_explain(ask: Run, gateway: ScriptedGateway) -> None:
    gateway.body = said("Hello", finish="length", usage={"prompt_tokens": 3, "completion_tokens": 1})
    assert ask("hi", "--json").json == {
        "answer": "Hello",
        "finish_reason": "length",
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
        "request": "req_1",
    }


def test_the_prompt_may_come_from_another_program(ask: Run, gateway: ScriptedGateway) -> None:
    assert ask(stdin="What is\nthis?\n").code == 0
    assert gateway.asked[0]["messages"] == [{"role": "user", "content": "What is\nthis?"}]
    empty = ask(stdin=" \n")
    assert (empty.code, "the prompt is empty" in empty.err) == (2, True)
    long = ask(stdin="x" * (chat.PROMPT_LIMIT_BYTES + 1))
    assert (long.code, "longer than 4 MiB" in long.err) == (2, True)


def test_odd_characters_neither_cut_an_answer_nor_steer_a_terminal(
    ask: Run, gateway: ScriptedGateway
) -> None:
    gateway.body = said("a\u2028b\x85", "c\x1b[31m\td\n")
    assert ask("hi").out == "a\ufffdb\ufffdc\ufffd[31m    d\n"
    assert ask("hi", "--json").json["answer"] == "a\u2028b\x85c\x1b[31m\td\n"


class Pieces:
    """A response that comes in these pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.headers: dict[str, str] = {}
        self.pieces = pieces

    def iter_bytes(self) -> Iterator[bytes]:
        return iter(self.pieces)


def test_an_answer_may_come_in_any_pieces() -> None:
    whole = said("Hello", " there") + b"data: behind the end\n\n"
    for cut in range(1, len(whole)):
        response = cast("httpx.Response", Pieces(whole[:cut], whole[cut:]))
        assert "".join(Reply(response)) == "Hello there"


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 2, "UserError"),
        (401, 2, "UnauthorizedError"),
        (403, 2, "ForbiddenError"),
        (404, 2, "NotFoundError"),
        (429, 2, "LimitError"),
        (502, 1, "ProviderError"),
    ],
)
def test_a_refusal_is_told_in_the_gateways_words(
    ask: Run, gateway: ScriptedGateway, status: int, code: int, kind: str
) -> None:
    gateway.status = status
    gateway.body = json.dumps({"error": {"message": "not today; come tomorrow", "code": "closed"}}).encode()
    ran = ask("hi")
    assert (ran.code, ran.out, ran.err) == (code, "", "stargate: not today; come tomorrow (closed, req_1).\n")
    assert ask("hi", "--json").json["error"]["type"] == kind


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "closed"}', b"\xff"])
def test_a_refusal_that_nobody_can_read(ask: Run, gateway: ScriptedGateway, body: bytes) -> None:
    gateway.status, gateway.body = 503, body
    ran = ask("hi")
    assert ran.code == 1
    assert ran.err in {"stargate: the gateway answers 503 (req_1).\n", "stargate: closed (req_1).\n"}


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (streamed({"error": {"message": "azure left", "code": "upstream_cut"}}), "azure left (upstream_cut, req_1)"),
        (b"", "the answer ended before its end"),
        (b"data: {]\n\n", "not in the words of OpenAI's API"),
        (b'data: {"choices": 5}\n\n', "not in the words of OpenAI's API"),
    ],
)  # fmt: skip
def test_a_broken_answer_is_shown_as_far_as_it_came(
    ask: Run, gateway: ScriptedGateway, end: bytes, says: str
) -> None:
    gateway.body = streamed({"choices": [{"delta": {"content": "Once upon"}}]}) + end
    ran = ask("hi")
    assert (ran.code, ran.out) == (1, "Once upon\n")
    assert says in ran.err


def test_no_gateway_is_there(run: Run) -> None:
    ran = run("chat", "tiny", "hi", "--gateway", "http://127.0.0.1:1/v1", STARGATE_API_KEY="x")
    assert ran.code == 1
    assert "no gateway answers at http://127.0.0.1:1/v1" in ran.err
    assert "`stargate gateway`" in ran.err


def test_a_key_does_not_travel_in_clear(run: Run) -> None:
    ran = run("chat", "tiny", "hi", "--gateway", "http://example.org/v1", STARGATE_API_KEY="x")
    assert ran.code == 2
    assert "in clear" in ran.err


# --- whose key ------------------------------------------------------------------------------------------------------


def test_a_key_from_a_file(run: Run, gateway: ScriptedGateway, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sg_live_file\n")
    assert (
        run("chat", "tiny", "hi", "--key", file, "--gateway", gateway.url, STARGATE_API_KEY="other").code == 0
    )
    assert gateway.keys == ["sg_live_file"]
    file.write_text("two\nlines")
    assert "holds no key" in run("chat", "tiny", "hi", "--key", file, "--gateway", gateway.url).err


def test_without_any_key_it_says_how_to_get_one(run: Run, gateway: ScriptedGateway, tmp_path: Path) -> None:
    ran = run("chat", "tiny", "hi", "--gateway", gateway.url, STARGATE_DATA=str(tmp_path))
    assert ran.code == 2
    assert "`stargate key make NAME --role application`" in ran.err


def test_beside_an_operators_key_it_makes_its_own_and_keeps_it(
    on_server: Run, server_data: Path, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "KNOWN_S", 0.3)
    assert on_server("chat", "tiny", "hi", "--gateway", gateway.url).code == 0
    assert on_server("chat", "tiny", "hi", "--gateway", gateway.url).code == 0
    path = server_data / "chat.key"
    assert path.stat().st_mode & 0o077 == 0
    assert gateway.keys == [path.read_text().strip()] * 2
    (made,) = [key for key in on_server("key", "list", "--json").json["items"] if key["name"] == "chat"]
    assert made["role"] == "application"
    gateway.known = False
    ran = on_server("chat", "tiny", "hi", "--gateway", gateway.url)
    assert ran.code == 2
    assert f"does not know the key in {path}" in ran.err
    path.unlink()


# --- a conversation -------------------------------------------------------------------------------------------------


class Typed:
    """Somebody at the keyboard."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException]) -> None:
        self.lines = list(lines)
        monkeypatch.setattr("builtins.input", self)

    def __call__(self, prompt: str) -> str:
        line = self.lines.pop(0) if self.lines else EOFError
        if isinstance(line, str):
            return line
        raise line


def contents(asked: dict[str, Any]) -> list[str]:
    return [message["content"] for message in asked["messages"]]


def test_it_remembers_until_it_is_told_to_forget(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Typed(monkeypatch, "one", "", KeyboardInterrupt, " two ", "/new", "three", "/exit", "four")
    with Gateway(gateway.url, "k") as asked:
        chat.converse(asked, {"model": "tiny"}, "Be brief.")
    assert list(map(contents, gateway.asked)) == [
        ["Be brief.", "one"],
        ["Be brief.", "one", "Hello", "two"],
        ["Be brief.", "three"],
    ]
    assert capsys.readouterr().out.split() == ["Hello"] * 3


def test_a_refusal_does_not_end_it(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.status, gateway.body = 429, b'{"error": {"message": "too many", "code": "rate"}}'
    Typed(monkeypatch, "one", "two")
    with Gateway(gateway.url, "k") as asked:
        chat.converse(asked, {"model": "tiny"})
    assert list(map(contents, gateway.asked)) == [["one"], ["two"]]
    assert capsys.readouterr().err.count("stargate: too many (rate, req_1).") == 2


def test_an_answer_that_is_interrupted_is_remembered_as_far_as_it_came(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.body = said("Once", " upon")

    def pressed(reply: Reply) -> None:
        next(iter(reply))
        raise KeyboardInterrupt

    Typed(monkeypatch, "one", "two")
    monkeypatch.setattr(chat, "show", pressed)
    with Gateway(gateway.url, "k") as asked:
        chat.converse(asked, {"model": "tiny"})
    assert list(map(contents, gateway.asked)) == [["one"], ["one", "Once", "two"]]
