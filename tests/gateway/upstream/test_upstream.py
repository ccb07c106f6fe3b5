"""What every upstream does: whole answers, streams, connections that are kept, and endings."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest

from stargate.gateway.upstream import PATIENT, CutError, Patience, Upstream
from stargate.gateway.upstream.by_pyreqwest import PyreqwestUpstream
from tests.gateway.provider import Provider, Used
from tests.gateway.upstream.ask import LIMIT_BYTES, ask, read, until

pytestmark = pytest.mark.anyio


async def test_an_answer_comes_whole_with_the_headers_that_matter(
    upstream: Upstream, provider: Provider
) -> None:
    answer = await ask(upstream, provider, "tokens=3")
    assert answer.status == 200
    assert answer.headers == (("content-type", "application/json"), ("openai-processing-ms", "1"))
    assert json.loads(await answer.whole(LIMIT_BYTES))["usage"]["completion_tokens"] == 3
    await answer.close()
    assert provider.tally.requests["r"].finished == 1


async def test_a_refusal_is_an_answer(upstream: Upstream, provider: Provider) -> None:
    answer = await ask(upstream, provider, "play=429")
    assert answer.status == 429
    assert dict(answer.headers)["retry-after"] == "1"
    assert b"the mock says 429" in await answer.whole(LIMIT_BYTES)


async def test_what_is_sent_is_what_was_given_and_little_more(upstream: Upstream, provider: Provider) -> None:
    await read(upstream, provider)
    await (await upstream.send(f"{provider.url}/models", [("authorization", "Bearer x")], None)).whole(
        LIMIT_BYTES
    )
    assert provider.requests is not None
    (path, headers, body), (listed, asked, nothing) = provider.requests
    assert path == "/v1/chat/completions"
    assert {name: headers[name] for name in ("accept-encoding", "user-agent", "content-length")} == {
        "accept-encoding": "identity",
        "user-agent": "stargate",
        "content-length": str(len(body)),
    }
    assert headers.keys() <= {
        "accept", "accept-encoding", "content-length", "content-type", "host", "user-agent", "x-request-id",
    }  # fmt: skip
    assert (listed, asked["authorization"], nothing) == ("/v1/models", "Bearer x", b"")


async def test_pieces_come_while_the_rest_is_still_to_be_made(upstream: Upstream, provider: Provider) -> None:
    answer = await ask(upstream, provider, "tokens=20&pace_ms=20", stream=True)
    first = await anext(answer)
    assert first.startswith(b"data: ")
    assert provider.tally.requests["r"].output_tokens < 20
    rest = [piece async for piece in answer]
    assert rest[-1].endswith(b"data: [DONE]\n\n")
    assert len(rest) > 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("style", ["cookie", "early-hints", "gzip", "split", "trickle", "until-close"])
async def test_the_way_of_saying_it_changes_nothing(
    upstream: Upstream, provider: Provider, style: str, stream: bool
) -> None:
    plain = await read(upstream, provider, stream=stream)
    assert await read(upstream, provider, f"play={style}", stream=stream) == plain
    assert await read(upstream, provider, stream=stream) == plain


async def test_an_answer_without_a_body_is_at_its_end(upstream: Upstream, provider: Provider) -> None:
    assert await read(upstream, provider, "play=redirect") == b""


async def test_nothing_is_followed_and_no_cookie_is_kept(upstream: Upstream, provider: Provider) -> None:
    assert (await ask(upstream, provider, "play=redirect")).status == 307
    await read(upstream, provider, "play=cookie")
    await read(upstream, provider)
    assert provider.requests is not None
    assert len(provider.requests) == 3
    assert all("cookie" not in headers for _, headers, _ in provider.requests)


async def test_proxies_of_the_environment_are_not_heeded(
    upstream: Upstream, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    careless = type(upstream)()
    assert await read(careless, provider)
    await careless.close()


# --- connections ---------------------------------------------------------------------------------


async def test_a_connection_is_used_again(upstream: Upstream, provider: Provider) -> None:
    for stream in (False, True, False):
        await read(upstream, provider, stream=stream)
        await asyncio.sleep(0.1)
    assert provider.accepted == 1


async def test_as_many_are_asked_at_a_time_as_there_are(upstream: Upstream, provider: Provider) -> None:
    answers = await asyncio.gather(
        *[
            ask(upstream, provider, "tokens=9&at=1&play=stall", stream=True, request=str(n))
            for n in range(150)
        ]
    )
    assert provider.accepted == 150
    assert len(provider.tally.requests) == 150
    for answer in answers:
        await answer.close()
    await until(lambda: not provider.connections)


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_went_stale_is_replaced(
    upstream: Upstream, provider: Provider, reset: bool
) -> None:
    await asyncio.gather(*[read(upstream, provider, "first_ms=20") for _ in range(5)])
    await provider.refuse(reset=reset)
    await provider.listen()
    provider.tally.requests.clear()
    assert await read(upstream, provider)
    assert provider.tally.requests["r"].calls == 1


async def test_a_connection_that_is_closed_after_a_stream_unannounced_cuts_nothing(
    upstream: Upstream, provider: Provider
) -> None:
    if isinstance(upstream, PyreqwestUpstream):
        pytest.skip("pyreqwest uses a connection again at once: see its module")
    for _ in range(20):
        await read(upstream, provider, "play=hang-up", stream=True)
        assert await read(upstream, provider)


async def test_what_was_said_beyond_the_announced_length_spoils_no_other_answer(
    upstream: Upstream, provider: Provider
) -> None:
    plain = await read(upstream, provider)
    for _ in range(3):
        with suppress(CutError):
            assert await read(upstream, provider, "play=short-length") == plain[:-16]
        assert await read(upstream, provider) == plain


# --- leaving -------------------------------------------------------------------------------------


async def test_an_endpoint_notices_at_once_that_an_answer_is_closed(
    upstream: Upstream, provider: Provider
) -> None:
    answer = await ask(upstream, provider, "tokens=10000&pace_ms=5", stream=True)
    await anext(answer)
    await answer.close()
    await until(lambda: provider.tally.requests["r"].aborted)
    used = provider.tally.requests["r"]
    assert used.input_tokens > 0
    assert used.output_tokens < 10_000
    await answer.close()


async def test_an_endpoint_notices_that_nobody_waits_for_its_first_byte(
    upstream: Upstream, provider: Provider
) -> None:
    lives_on = isinstance(upstream, PyreqwestUpstream)
    patience = Patience(total_s=1) if lives_on else PATIENT
    asking = asyncio.create_task(ask(upstream, provider, "play=stall-first", patience=patience))
    await until(lambda: provider.tally.requests.get("r", Used()).stalled)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: provider.tally.requests["r"].aborted)


async def test_an_endpoint_is_not_read_faster_than_its_answer_is_taken(
    upstream: Upstream, provider: Provider
) -> None:
    answer = await ask(upstream, provider, "tokens=100000", stream=True)
    await anext(answer)
    await asyncio.sleep(0.3)
    written = provider.tally.requests["r"].output_tokens
    await asyncio.sleep(0.2)
    assert provider.tally.requests["r"].output_tokens == written < 100_000
    await answer.close()


async def test_an_answer_may_be_too_long(upstream: Upstream, provider: Provider) -> None:
    answer = await ask(upstream, provider, "play=long-line")
    with pytest.raises(CutError, match="longer than 1000 bytes") as cut:
        await answer.whole(1_000)
    assert cut.value.reason == "too_large"
    await until(lambda: not provider.connections)


async def test_a_slow_reader_is_not_the_silence_of_the_endpoint(
    upstream: Upstream, provider: Provider
) -> None:
    patience = Patience(first_byte_s=0.15, idle_s=0.15)
    answer = await ask(upstream, provider, "tokens=4&pace_ms=1", stream=True, patience=patience)
    pieces = []
    async for piece in answer:
        pieces.append(piece)
        await asyncio.sleep(0.2)
    assert pieces[-1].endswith(b"[DONE]\n\n")
