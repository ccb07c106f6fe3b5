"""Endpoints that mean harm: every request ends, in a clear error or a sound answer, settled once; nothing grows."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator

import pytest

from tests.gateway.alone import OPERATOR, TOKEN, Alone, alone, endpoint, routes
from tests.gateway.hostile import wire
from tests.gateway.hostile.villain import Script, Villain, chunked, forever, head, villain, whole

SSE = b"content-type: text/event-stream"
GOOD = b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'  # noqa: E501  # one line, as it is sent
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":%b}\n\n'
LIES = {
    "below-zero": b'{"prompt_tokens":-5,"completion_tokens":-5}',
    "beyond-belief": b'{"prompt_tokens":1' + b"0" * 30 + b',"completion_tokens":1}',
    "more-cached": b'{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}',
    "nan": b'{"prompt_tokens":NaN,"completion_tokens":1}',
    "infinite": b'{"prompt_tokens":1e999,"completion_tokens":1}',
    "texts": b'{"prompt_tokens":"1","completion_tokens":"1"}',
    "list": b"[1,2,3]",
    "deep": b'{"prompt_tokens":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


def _bomb() -> Iterator[bytes]:
    packer = zlib.compressobj(9, wbits=31)
    for _ in range(512):
        yield packer.compress(b" " * (1 << 20))
    yield packer.flush()


def _hints() -> Iterator[bytes]:
    return itertools.repeat(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 100)


BROKEN: dict[str, Script] = {
    "endless-headers": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"x-a: b\r\n")),
    "endless-header": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nx-a: "], itertools.repeat(b"a" * 4_096)),
    "endless-reason": lambda: itertools.chain([b"HTTP/1.1 200 "], itertools.repeat(b"a" * 4_096)),
    "endless-hints": _hints,
    "endless-body": chunked(forever(b" " * 65_536)),
    "endless-chunk-line": lambda: itertools.chain(
        [head("200 OK", b"transfer-encoding: chunked"), b"5;"], itertools.repeat(b"a" * 4_096)
    ),
    "gzip-bomb": chunked(_bomb, b"content-encoding: gzip"),
    "other-encoding": whole(GOOD, b"content-encoding: br"),
    "not-gzip": whole(GOOD, b"content-encoding: gzip"),
    "short": lambda: [head("200 OK", b"content-length: 9999"), GOOD],
    "length-below-zero": lambda: [head("200 OK", b"content-length: -1"), GOOD],
    "two-lengths": lambda: [head("200 OK", b"content-length: 5", b"content-length: 9"), GOOD],
    "switches": lambda: [head("101 Switching Protocols", b"upgrade: x", b"connection: upgrade"), GOOD],
    "moved": whole(b"", b"location: /canary/v1/chat/completions", status="301 Moved"),
    "found": whole(b"", b"location: /canary/v1/chat/completions", status="302 Found"),
    "kept": whole(b"", b"location: /canary/v1/chat/completions", status="308 Permanent Redirect"),
    "status-999": whole(GOOD, status="999 What"),
    "status-99": whole(GOOD, status="099 What"),
    "http-9": lambda: [b"HTTP/9.9 200 OK\r\ncontent-length: 2\r\n\r\n{}"],
    "null": whole(b"null"), "list": whole(b"[]"), "html": whole(b"<html>", b"content-type: text/html"),
    "deep-answer": whole(b"[" * 1_000_000), "bad-text": whole(b'{"id":"\xff"}'),
    "error-as-answer": whole(b'{"error":{"message":"it broke","type":"x","param":null,"code":null}}'),
    "locked": whole(b'{"error":"our key"}', status="401 Unauthorized"),
}  # fmt: skip
BROKEN_STREAMS: dict[str, Script] = {
    "event-without-end": chunked(forever(b"data: " + b"a" * 65_536), SSE),
    "bomb-of-a-stream": chunked(_bomb, SSE, b"content-encoding: gzip"),
    "no-end": chunked(lambda: [EVENT] * 3, SSE),
    "half-an-event": chunked(lambda: [EVENT, b"data: {"], SSE),
}
SOUND: dict[str, Script] = {
    "cookies": whole(
        GOOD, b"set-cookie: a=b", b"set-cookie2: a=b", b"connection: x-secret", b"x-secret: 1", b"server: villain",
        b"x-request-id: theirs", b"strict-transport-security: max-age=9", b"alt-svc: h2",
        b"location: http://127.0.0.1:1/", b"www-authenticate: Basic", b"proxy-authenticate: Basic", b"via: x",
        b"x-ratelimit-remaining-requests: 9", b"stargate-why: lies",
    ),
    "bytes-in-headers": whole(GOOD, b"openai-processing-ms: \xff\xfe", b"content-type: application/json; \xe9"),
    "packed": whole(gzip.compress(GOOD), b"content-encoding: gzip"),
    **{f"usage-{name}": whole(GOOD[: GOOD.index(b'"usage"')] + b'"usage":%b}' % lie) for name, lie in LIES.items()
       if name not in ("nan", "deep")},
}  # fmt: skip
SOUND_STREAMS: dict[str, Script] = {
    f"stream-{name}": chunked(lambda lie=lie: [EVENT, USAGE % lie, b"data: [DONE]\n\n"], SSE)  # type: ignore[misc]
    for name, lie in LIES.items()
}
REFUSALS: dict[str, Script] = {
    "refuses-in-html": whole(b"<html>too large</html>", b"content-type: text/html", status="413 Too Large"),
    "refuses-in-a-number": whole(
        b'{"error":{"message":"no","type":"BadRequest","code":400}}', status="400 Bad"
    ),
    "refuses-in-a-word": whole(b'{"error":"no"}', status="404 Not Found"),
    "refuses-flat": whole(b'{"object":"error","message":"no","code":422}', status="422 What"),
    "refuses-with-nothing": whole(b"", status="400 Bad"),
    "refuses-without-end": chunked(forever(b"a" * 65_536)),
    "another-script-s-number": whole(b"{}", "retry-after: ²".encode(), status="429 Wait"),
}
ALL = {**BROKEN, **BROKEN_STREAMS, **SOUND, **SOUND_STREAMS, **REFUSALS}


@pytest.fixture(scope="module")
def enemy() -> Iterator[Villain]:
    with villain(ALL) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(enemy: Villain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    known = routes(*(endpoint(enemy.url(name), id=name, model=name, usage_path="") for name in ALL))
    folder = tmp_path_factory.mktemp("villain") / "gateway"
    bounds = {"first_byte_s": 1.0, "idle_s": 1.0, "send_s": 5.0, "answer_bytes": 4 << 20}
    with alone(folder, known, **bounds) as made:
        before_bytes = made.worker.memory_info().rss
        yield made
        assert made.worker.memory_info().rss - before_bytes < 64 << 20
        assert "Traceback" not in made.log()
        assert not [head for head in enemy.heads if b"canary" in head.split(b"\r\n")[0]]
        for admitted, settled in made.attempts():
            assert settled is not None, admitted.endpoint
            assert 0 <= settled.tokens.cached_tokens <= settled.tokens.input_tokens <= 10**9
            assert 0 <= settled.tokens.output_tokens <= 10**9


def ask(gateway: Alone, name: str, *, stream: bool = False, token: str = TOKEN) -> wire.Said:
    body = json.dumps({"model": name, "messages": [], "stream": stream}).encode()
    return wire.send(gateway.port, wire.whole(body).replace(TOKEN.encode(), token.encode()))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", sorted(BROKEN))
def test_what_is_no_answer_is_told_as_such(gateway: Alone, name: str, stream: bool) -> None:
    """In the shape of an error, without where the endpoint is."""
    answer = ask(gateway, name, stream=stream)
    if answer.status == 200:
        assert stream
        assert b'"error"' in answer.body.rstrip().rpartition(b"\n")[2]
    else:
        assert answer.status in (429, 502), "the endpoint rests after some of them"
        assert answer.error["code"] in ("upstream_broke", "upstream_failed", "no_capacity")
    assert b"127.0.0.1" not in answer.body


@pytest.mark.parametrize("name", sorted(BROKEN_STREAMS))
def test_a_stream_that_breaks_off_ends_with_an_error(gateway: Alone, name: str) -> None:
    """As an event of it."""
    answer = ask(gateway, name, stream=True)
    assert answer.status == 200
    assert b'"upstream_broke"' in answer.body.rstrip().rpartition(b"\n")[2]
    assert len(answer.body) < 64 << 10
    assert b"127.0.0.1" not in answer.body


@pytest.mark.parametrize("name", sorted(SOUND))
def test_only_what_is_meant_for_clients_reaches_them(gateway: Alone, name: str) -> None:
    """No cookies, nothing about connections, no bytes that are no text."""
    answer = ask(gateway, name)
    assert answer.status == 200
    assert set(answer.headers) <= {
        "content-type", "content-length", "date", "server", "openai-processing-ms", "x-request-id",
    }  # fmt: skip
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["content-type"] == "application/json"
    json.loads(answer.body)


@pytest.mark.parametrize("name", sorted(SOUND_STREAMS))
def test_lies_about_usage_are_not_believed(gateway: Alone, name: str) -> None:
    """The stream passes, and what was used is estimated."""
    answer = ask(gateway, name, stream=True)
    assert answer.status == 200
    assert answer.body.rstrip().endswith(b"data: [DONE]")
    ((_, settled),) = [each for each in gateway.attempts() if each[0].endpoint == name]
    assert settled is not None
    assert (settled.outcome, settled.counted) == ("done", "estimate")


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_refusals_are_put_into_the_one_shape(gateway: Alone, name: str) -> None:
    """Whatever they were written in."""
    answer = ask(gateway, name)
    assert answer.status in (400, 404, 413, 422, 429, 502)
    assert answer.error["message"]
    assert answer.headers["content-type"] == "application/json"


def test_operators_are_told_where_it_failed(gateway: Alone, enemy: Villain) -> None:
    """They have to look there."""
    answer = ask(gateway, "two-lengths", token=OPERATOR)
    assert str(enemy.port) in answer.error["message"] or answer.status == 429
