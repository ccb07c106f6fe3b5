"""The official Python client, as it is, at a gateway before a real model and a mocked one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import (
    ChatCompletionChunk,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageParam,
)

from stargate.server.request_log import Filed
from tests.gateway.clients.lab import MOCKED, REAL, Lab

ASKED: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "Say in one sentence what a data centre is."}
]
WEATHER: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"words": {"type": "string"}}},
    },
}
both = pytest.mark.parametrize("model", [REAL, MOCKED])
pytestmark = pytest.mark.slow


class Sent:
    """Counts what a client sends, however often it tries."""

    def __init__(self) -> None:
        self.requests = 0

    def __call__(self, _request: Any) -> None:
        self.requests += 1


@pytest.fixture(scope="module")
def key(served: Lab) -> str:
    return served.application("python")


@pytest.fixture
def client(served: Lab, key: str) -> Iterator[OpenAI]:
    with counting(served, key) as (client, _):
        yield client


@contextmanager
def counting(served: Lab, key: str, **more: Any) -> Iterator[tuple[OpenAI, Sent]]:
    """A client, and what it sends."""
    sent = Sent()
    transport = openai.DefaultHttpxClient(event_hooks={"request": [sent]}, trust_env=False)
    with OpenAI(base_url=served.url, api_key=key, timeout=60, http_client=transport, **more) as client:
        yield client, sent


def upstream_calls(served: Lab) -> int:
    """All that the mocks have been asked, refused ones too."""
    return sum(each.calls + each.refused for requests in served.used().values() for each in requests.values())


def test_models_are_listed_and_retrieved(client: OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {REAL, MOCKED}
    assert client.models.retrieve(REAL).object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-99")


@both
def test_chat(served: Lab, client: OpenAI, model: str) -> None:
    said = client.chat.completions.create(model=model, messages=ASKED, max_tokens=8)
    assert said.choices[0].message.content
    assert said.usage is not None
    assert said.usage.completion_tokens == 8
    assert said._request_id
    filed = served.record(said._request_id)
    assert (filed.settled.outcome, filed.settled.counted) == ("done", "upstream")
    assert filed.settled.tokens.input_tokens == said.usage.prompt_tokens
    assert filed.settled.tokens.output_tokens == 8


@both
@pytest.mark.parametrize("wanted", [True, False])
def test_a_streamed_chat_tells_its_usage_to_those_who_want_it(
    served: Lab, client: OpenAI, model: str, wanted: bool
) -> None:
    more: dict[str, Any] = {"stream_options": {"include_usage": True}} if wanted else {}
    with client.chat.completions.create(
        model=model, messages=ASKED, max_tokens=6, stream=True, **more
    ) as stream:
        chunks = list(stream)
        request = stream.response.headers["x-request-id"]
    assert "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    told = [each.usage for each in chunks if each.usage is not None]
    assert [each.completion_tokens for each in told] == [6] * wanted
    assert any(not each.choices for each in chunks) is wanted
    assert served.record(request).settled.tokens.output_tokens == 6


@both
def test_completions(client: OpenAI, model: str) -> None:
    said = client.completions.create(model=model, prompt="Once upon a", max_tokens=4)
    assert said.choices[0].text
    assert said.usage is not None
    assert said.usage.completion_tokens == 4
    stream = client.completions.create(model=model, prompt="Once upon a", max_tokens=4, stream=True)
    assert "".join(each.choices[0].text for each in stream)


@both
def test_embeddings(client: OpenAI, model: str) -> None:
    said = client.embeddings.create(model=model, input=["a cat", "a dog"])
    first, second = (each.embedding for each in said.data)
    assert first != second
    assert len(first) == len(second) > 0
    assert all(isinstance(number, float) for number in first)
    assert said.usage.prompt_tokens > 0


@both
def test_responses(served: Lab, client: OpenAI, model: str) -> None:
    said = client.responses.create(model=model, input="Say hello", max_output_tokens=5)
    assert said.output_text
    assert said.usage is not None
    assert said.usage.output_tokens == 5
    with client.responses.create(model=model, input="Say hello", max_output_tokens=5, stream=True) as stream:
        events = list(stream)
        request = stream.response.headers["x-request-id"]
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.usage is not None
    assert last.response.usage.output_tokens == served.record(request).settled.tokens.output_tokens == 5


def test_tools_arrive_and_calls_come_back(client: OpenAI) -> None:
    """The mock calls the first tool that it is offered, by its name."""
    said = client.chat.completions.create(model=MOCKED, messages=ASKED, tools=[WEATHER])
    (call,) = said.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments)["words"]
    with client.chat.completions.stream(model=MOCKED, messages=ASKED, tools=[WEATHER]) as stream:
        whole = stream.get_final_completion()
    (call,) = whole.choices[0].message.tool_calls or []
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments)["words"]


def test_refusals_are_the_exceptions_that_clients_know(served: Lab, client: OpenAI) -> None:
    def ask(client: OpenAI, **more: Any) -> None:
        client.chat.completions.create(**{"model": MOCKED, "messages": ASKED, **more})

    def with_scope(name: str, **scope: Any) -> OpenAI:
        return client.with_options(api_key=served.application(name, **scope), max_retries=0)

    with pytest.raises(openai.AuthenticationError) as unknown:
        ask(client.with_options(api_key="sg_live_none"))
    assert unknown.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as absent:
        ask(client, model="gpt-99")
    assert (absent.value.code, absent.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        ask(with_scope("narrow", models=[REAL]))
    with pytest.raises(openai.BadRequestError) as malformed:
        ask(client, n=0)
    assert malformed.value.param == "n"
    with pytest.raises(openai.BadRequestError, match="the mock says 400"):
        ask(client, extra_body={"mock": "play=400"})
    with pytest.raises(openai.PermissionDeniedError, match="must stay in DE") as forbidden:
        ask(with_scope("german", residency=["DE"]))
    assert forbidden.value.code == "forbidden_by_agreement"
    limited = with_scope("slow", requests_per_minute=1)
    ask(limited)
    with pytest.raises(openai.RateLimitError, match="1 requests a minute") as full:
        ask(limited)
    assert full.value.code == "rate_limit_exceeded"
    assert 0 < float(full.value.response.headers["retry-after-ms"]) <= 90_000
    with pytest.raises(openai.InternalServerError) as broke:
        ask(client.with_options(max_retries=0), extra_body={"mock": "play=cut-fin"})
    assert broke.value.status_code == 502


def test_a_client_tries_again_where_that_can_help(served: Lab, key: str) -> None:
    before = upstream_calls(served)
    for mock in served.providers.values():
        mock.play("play=503", times=1)
    with counting(served, key) as (client, sent):
        raw = client.chat.completions.with_raw_response.create(model=MOCKED, messages=ASKED)
    assert raw.parse().choices[0].message.content
    assert raw.retries_taken == 1
    assert sent.requests == 2
    # Both failed for the first request, then one answered the second.
    assert upstream_calls(served) - before == 3


def test_a_client_does_not_try_again_where_it_is_told_not_to(served: Lab) -> None:
    """By itself it would: it is a 429."""
    poor = served.application("poor", budget_micro_usd=1)
    with counting(served, poor) as (client, sent):
        client.chat.completions.create(model=MOCKED, messages=ASKED)
        before = upstream_calls(served)
        with pytest.raises(openai.RateLimitError) as spent:
            client.chat.completions.create(model=MOCKED, messages=ASKED)
    assert spent.value.code == "insufficient_quota"
    assert spent.value.response.headers["x-should-retry"] == "false"
    assert sent.requests == 2
    assert upstream_calls(served) == before


def test_a_client_that_waits_no_longer_is_told_so_and_counted(served: Lab) -> None:
    hurried = served.application("hurried")
    with counting(served, hurried, max_retries=1) as (client, sent), pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.4).chat.completions.create(
            model=MOCKED, messages=ASKED, extra_body={"mock": "first_ms=20000"}
        )
    assert sent.requests == 2

    def told() -> list[Filed]:
        return [each for each in served.filed().values() if each.key_name == "hurried"]

    served.wait(lambda: len(told()) == 2)
    assert {each.settled.outcome for each in told()} == {"aborted"}


def test_an_error_within_a_stream_is_raised(served: Lab, client: OpenAI) -> None:
    with client.chat.completions.create(
        model=MOCKED, messages=ASKED, stream=True, extra_body={"mock": "play=cut-rst&tokens=8&at=5"}
    ) as stream:
        got: list[ChatCompletionChunk] = []
        with pytest.raises(openai.APIError, match="broke off") as cut:
            got.extend(stream)
        request = stream.response.headers["x-request-id"]
    assert isinstance(cut.value.body, dict)
    assert cut.value.body["code"] == "upstream_broke"
    settled = served.record(request).settled
    assert (settled.outcome, settled.tokens.output_tokens, settled.chargeable) == ("cut", 5, False)
    assert sum(bool(each.choices[0].delta.content) for each in got) == 5


def test_the_asynchronous_client(served: Lab, key: str) -> None:
    async def talk() -> tuple[list[int], int]:
        transport = openai.DefaultAsyncHttpxClient(trust_env=False)
        async with AsyncOpenAI(base_url=served.url, api_key=key, timeout=60, http_client=transport) as client:

            async def one(model: str) -> int:
                stream = await client.chat.completions.create(
                    model=model,
                    messages=ASKED,
                    max_tokens=5,
                    stream=True,
                    stream_options={"include_usage": True},
                )
                told = [each.usage async for each in stream if each.usage is not None]
                return told[0].completion_tokens

            counts = await asyncio.gather(*(one(model) for model in [REAL, MOCKED] * 4))
            with pytest.raises(openai.NotFoundError):
                await client.chat.completions.create(model="gpt-99", messages=ASKED)
            whole = await client.responses.create(model=REAL, input="Say hello", max_output_tokens=3)
            assert whole.usage is not None
            return counts, whole.usage.output_tokens

    assert asyncio.run(talk()) == ([5] * 8, 3)
