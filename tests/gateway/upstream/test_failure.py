"""What fails is told by whether the endpoint can have seen the request."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from stargate.gateway.upstream import Answer, CutError, Patience, UnsentError, Upstream
from tests.gateway.provider import Provider, free_port
from tests.gateway.upstream.ask import ask, read, until

pytestmark = pytest.mark.anyio

HASTE = Patience(first_byte_s=0.1, idle_s=0.1, total_s=2)


async def unsent(upstream: Upstream, url: str) -> str:
    with pytest.raises(UnsentError) as failure:
        await upstream.send(url, [], b"{}")
    return failure.value.reason


async def collect(answer: Answer, pieces: list[bytes]) -> None:
    async for piece in answer:
        pieces.append(piece)  # noqa: PERF401  # kept when the next one fails


async def test_nobody_listens(upstream: Upstream) -> None:
    assert await unsent(upstream, f"http://127.0.0.1:{free_port()}/v1/x") == "refused"


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
async def test_nobody_has_that_name(upstream: Upstream, host: str) -> None:
    assert await unsent(upstream, f"http://{host}/v1/x") in {"name", "malformed"}


async def test_no_request_can_be_made_of_it(upstream: Upstream, provider: Provider) -> None:
    with pytest.raises(UnsentError) as failure:
        await upstream.send(f"{provider.url}/x", [("x-a", "b\r\nx-c: d")], b"{}")
    assert failure.value.reason == "malformed"
    assert not provider.requests


async def test_it_speaks_no_tls(upstream: Upstream) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 plain HTTP here\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await unsent(upstream, f"https://127.0.0.1:{port}/v1/x") == "tls"


async def test_it_takes_no_connection_in_time(upstream: Upstream) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        assert await unsent(upstream, f"http://127.0.0.1:{full.getsockname()[1]}/v1/x") == "timeout"
        for one in waiting:
            one.close()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("garbage", "malformed"), ("header-flood", "malformed"), ("reset", "reset"), ("shut", "reset")],
)
async def test_before_an_answer_it_is_cut_and_not_tried_again(
    upstream: Upstream, provider: Provider, fault: str, reason: str
) -> None:
    for _ in range(2):
        with pytest.raises(CutError) as cut:
            await ask(upstream, provider, f"play={fault}")
        assert cut.value.reason == reason
        await read(upstream, provider)  # and so that the next is sent on a connection that was used before
    assert provider.requests is not None
    assert len(provider.requests) == 4


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["cut-fin", "cut-rst", "long-length"])
async def test_an_answer_breaks_off(upstream: Upstream, provider: Provider, fault: str, stream: bool) -> None:
    with pytest.raises(CutError) as cut:
        await read(upstream, provider, f"play={fault}&pace_ms=5", stream=stream)
    assert cut.value.reason == "reset"
    await until(lambda: not provider.connections)


async def test_what_came_before_the_break_is_given(upstream: Upstream, provider: Provider) -> None:
    answer = await ask(upstream, provider, "play=cut-rst&tokens=8&at=5&pace_ms=20", stream=True)
    got: list[bytes] = []
    with pytest.raises(CutError):
        await collect(answer, got)
    assert b"".join(got).count(b'"content":"w') == provider.tally.requests["r"].output_tokens == 5


@pytest.mark.parametrize(
    ("script", "stream"),
    [("stall-first", False), ("stall-body", False), ("stall", False), ("stall-body", True), ("stall", True)],
)
async def test_silence_ends(upstream: Upstream, provider: Provider, script: str, stream: bool) -> None:
    with pytest.raises(CutError) as cut:
        await read(upstream, provider, f"play={script}", stream=stream, patience=HASTE)
    assert cut.value.reason == "silent"
    await until(lambda: provider.tally.requests["r"].aborted)


async def test_slowness_ends(upstream: Upstream, provider: Provider) -> None:
    patience = Patience(first_byte_s=5, idle_s=5, total_s=3)
    with pytest.raises(CutError) as cut:
        await read(upstream, provider, "tokens=10000&pace_ms=10", stream=True, patience=patience)
    assert cut.value.reason == "late"
    await until(lambda: provider.tally.requests["r"].aborted)


async def test_an_endpoint_that_reads_nothing_is_left(upstream: Upstream) -> None:
    closed = asyncio.Event()

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        try:
            while await reader.read(1 << 20):
                pass
        except ConnectionError:
            pass
        closed.set()
        writer.close()

    async with await asyncio.start_server(ignore, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/x"
        with pytest.raises(CutError) as cut:
            await upstream.send(url, [], b"x" * (32 << 20), HASTE)
        assert cut.value.reason == "silent"
        async with asyncio.timeout(10):
            await closed.wait()


async def test_after_all_that_it_still_answers(upstream: Upstream, provider: Provider) -> None:
    for fault in ("garbage", "reset", "cut-fin", "cut-rst", "stall-first"):
        with pytest.raises(CutError):
            await read(upstream, provider, f"play={fault}", patience=HASTE)
    async with provider.refusing():
        with pytest.raises(UnsentError):
            await ask(upstream, provider)
    assert json.loads(await read(upstream, provider))["object"] == "chat.completion"
