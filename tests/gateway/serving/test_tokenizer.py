"""Where an endpoint does not say what was used, its tokenizer says what went in and came out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.gateway.record import Endpoint, Settled
from stargate.gateway.serving.tokenizer import stream_texts, whole_texts
from tests.demo.test_llama import STORY, Served
from tests.gateway.provider import Provider
from tests.gateway.serving.rig import Call, Rig, chat, endpoint, rig

pytestmark = pytest.mark.anyio


def only(made: Rig) -> Settled:
    """The one attempt, settled."""
    ((_, settled),) = made.attempts()
    assert settled is not None
    return settled


def cutting(provider: Provider, path: str = "/tokenize") -> Any:
    """An endpoint that cuts texts, and does not say what was used."""
    return msgspec.structs.replace(endpoint(provider), usage_path="", tokenize_path=path)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("chats", [True, False], ids=["chats", "texts"])
async def test_an_answer_without_usage_is_counted_by_the_tokenizer(
    tmp_path: Path, stream: bool, chats: bool
) -> None:
    """As the endpoint counts itself, where it takes the chat; else what surrounds the messages is left out."""
    async with Provider() as provider, rig(tmp_path) as made:
        provider.cuts_chats = chats
        made.route(cutting(provider))
        assert (await made.ask(stream=stream, mock="play=no-usage&tokens=7")).status == 200
        settled = only(made)
        (used,) = provider.tally.requests.values()
        assert settled.counted == "tokenizer"
        assert settled.tokens.output_tokens == used.tokens().output_tokens == 7
        assert settled.tokens.input_tokens == used.tokens().input_tokens - (0 if chats else 3)


@pytest.mark.parametrize("path", ["chat/completions", "completions", "responses"])
async def test_a_client_that_leaves_a_stream_pays_for_what_it_was_sent(tmp_path: Path, path: str) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(cutting(provider))
        body = json.loads(chat(stream=True, mock="play=no-usage&tokens=50&pace_ms=10"))
        body["prompt"] = body["input"] = "Say something"
        call = Call(json.dumps(body).encode())
        running = asyncio.create_task(made.run(call, f"/v1/{path}"))
        await call.came.wait()
        await asyncio.sleep(0.15)
        call.leave()
        await asyncio.wait_for(running, 5)
        settled = only(made)
        assert (settled.outcome, settled.counted, settled.chargeable) == ("aborted", "tokenizer", True)
        sent = sum(len(text.split()) for text in stream_texts(call.body))
        assert 0 < sent <= settled.tokens.output_tokens <= sent + 1 < 50


async def test_a_stream_that_breaks_off_is_counted(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(cutting(provider))
        call = await made.ask(stream=True, mock="play=cut-fin&tokens=9")
        settled = only(made)
        assert (settled.outcome, settled.counted, settled.chargeable) == ("cut", "tokenizer", False)
        assert settled.tokens.output_tokens == sum(len(text.split()) for text in stream_texts(call.body))


@pytest.mark.parametrize("path", ["/nowhere", "/health", "/v1/chat/completions"])
async def test_a_tokenizer_that_does_not_answer_well_leaves_the_estimate(tmp_path: Path, path: str) -> None:
    """And the answer goes out."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(cutting(provider, path))
        assert (await made.ask(mock="play=no-usage&tokens=7")).status == 200
        assert only(made).counted == "estimate"


async def test_what_an_endpoint_says_itself_is_believed_first(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        provider.requests = []
        made.route(endpoint(provider, tokenize_path="/tokenize"))
        await made.ask()
        await made.ask(mock="play=no-usage")
        assert [settled.counted for _, settled in made.attempts() if settled] == ["upstream", "lookup"]
        assert "/tokenize" not in [path for path, _, _ in provider.requests]


def test_texts_of_every_choice_and_of_tools() -> None:
    calls = [{"id": "c", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}]
    whole = {
        "choices": [
            {"index": 1, "message": {"role": "assistant", "content": "two", "tool_calls": calls}},
            {"index": 0, "text": "one"},
        ]
    }
    assert sorted(whole_texts(json.dumps(whole).encode())) == ["one", 'twofind{"a": 1}']
    said = {
        "output": [
            {"type": "message", "content": [{"type": "output_text", "text": "three", "annotations": []}]}
        ]
    }
    assert whole_texts(json.dumps(said).encode()) == ["three"]
    pieces = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"index": 0, "delta": {"reasoning_content": "thought "}}]},
        {
            "choices": [
                {"index": 0, "delta": {"content": "said"}},
                {"index": 1, "delta": {"content": "other"}},
            ]
        },
        {"choices": [], "usage": None},
        {"type": "response.output_text.delta", "delta": "three"},
    ]
    stream = (
        b"".join(b"data: " + json.dumps(piece).encode() + b"\n\n" for piece in pieces) + b"data: [DONE]\n\n"
    )
    assert stream_texts(stream) == ["thought said", "other", "three"]


NAMES = ["choices", "delta", "message", "content", "output", "type", "index", "text"]
DOCUMENTS = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
)


@given(st.binary(max_size=200) | DOCUMENTS.map(lambda value: json.dumps(value).encode()))
def test_whatever_an_endpoint_writes_is_read(data: bytes) -> None:
    """It may be anything."""
    for texts in (whole_texts(data), stream_texts(b"data: " + data)):
        assert all(isinstance(text, str) for text in texts)
        msgspec.json.encode(texts)


@pytest.mark.slow
async def test_llama_cpp_cuts_what_it_made_as_it_made_it(tmp_path: Path) -> None:
    """What a client was sent that left comes to what the engine's own counter says it has made."""
    served = await asyncio.to_thread(Served)
    try:
        await asyncio.to_thread(served.await_ready)
        async with rig(tmp_path) as made:
            replica = Endpoint("r", "tiny", f"{served.url}/v1", "oci", "oracle", tokenize_path="/tokenize")
            made.route(replica)
            before = served.figure("tokens_predicted_total")
            call = Call(json.dumps({**STORY, "max_tokens": 400, "temperature": 0}).encode())
            running = asyncio.create_task(made.run(call))
            while len("".join(stream_texts(call.body))) < 60:
                await call.came.wait()
                call.came.clear()
            call.leave()
            await asyncio.wait_for(running, 30)
            for _ in range(100):
                if not served.figure("requests_processing"):
                    break
                await asyncio.sleep(0.05)
            settled = only(made)
            assert (settled.outcome, settled.counted) == ("aborted", "tokenizer")
            # It may have made a few more on their way, and text can be cut in more ways than one.
            predicted = served.figure("tokens_predicted_total") - before
            assert 10 < settled.tokens.output_tokens <= predicted + 2
            assert settled.tokens.input_tokens >= 5
    finally:
        served.close()
