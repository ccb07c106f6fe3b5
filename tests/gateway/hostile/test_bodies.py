"""Bodies that try what readers of JSON stumble over: refused by name, or passed on as they are; nothing fails."""

from __future__ import annotations

import json

import pytest

from tests.gateway.alone import Alone
from tests.gateway.hostile.wire import WAIT_S, dial, said, send, whole
from tests.gateway.provider import Process


def chat(content: bytes) -> bytes:
    return b'{"model":"tiny","messages":[{"role":"user","content":' + content + b"}]}"


def with_field(field: bytes) -> bytes:
    return b'{"model":"tiny","messages":[],' + field + b"}"


REFUSED = {
    "nothing": b"", "null": b"null", "list": b"[]", "text": b'"x"', "no end": b'{"model":"tiny"',
    "two documents": chat(b'"a"') + chat(b'"b"'),
    "a byte order mark": b"\xef\xbb\xbf" + chat(b'"a"'),
    "UTF-16": chat(b'"a"').decode().encode("utf-16"),
    "a million arrays": chat(b"[" * 500_000 + b"]" * 500_000),
    "objects in objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "no text in the content": chat(b'"\xff\xfe"'),
    "no text in a name": with_field(b'"\xff":1'),
    "half a pair": chat(b'"\\ud800"'),
    "an overlong letter": chat(b'"\xc0\xaf"'),
    "a surrogate": chat(b'"\xed\xa0\x80"'),
    "a NUL": chat(b'"a\0b"'), "a line in a text": chat(b'"a\nb"'), "an unknown escape": chat(b'"\\x"'),
    "no number": chat(b"NaN"), "a zero before": chat(b"012"), "plus": chat(b"+1"), "hex": chat(b"0x1"),
    "a comma too many": b'{"model":"tiny","messages":[],}', "a comment": b'{/**/"model":"tiny","messages":[]}',
    "10,000 fields": with_field(b",".join(b'"f%d":1' % n for n in range(10_000))),
    "a model that is a number": b'{"model":1,"messages":[]}',
    "a model that is a list": b'{"model":["tiny"],"messages":[]}',
    "a stream that is a number": with_field(b'"stream":1'),
    "options that are a list": with_field(b'"stream":true,"stream_options":[]'),
    "tokens below zero": with_field(b'"max_tokens":-1'),
    "tokens with a point": with_field(b'"max_tokens":1.5'),
    "tokens beyond numbers": with_field(b'"max_tokens":1e400'),
    "tokens in words": with_field(b'"max_completion_tokens":"9"'),
    "no answers": with_field(b'"n":0'),
    "a billion answers": with_field(b'"n":1000000000'),
    "answers beyond numbers": with_field(b'"n":' + b"9" * 3_000),
}  # fmt: skip
PASSED_ON = {
    "an escaped NUL": chat(b'"a\\u0000b"'), "an escaped pair": chat(b'"\\ud83d\\ude00"'),
    "other letters": chat('"grüße, 世界 😀"'.encode()),
    "a field twice": b'{"model":"none","messages":[],"model":"tiny"}',
    "an unknown field": with_field(b'"unknown":{"a":[1,2,{"b":null}]}'),
    "many tokens": with_field(b'"max_tokens":' + b"9" * 300),
    "nested": chat(b"[" * 500 + b"]" * 500),
}  # fmt: skip


NAMES = [
    "a\r\nset-cookie: a=b", "a\nb", "../tiny", "tiny?play=500", "http://127.0.0.1:1/", "ü", "%0d%0a", "x" * 9_999,
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_meant_is_refused(gateway: Alone, provider: Process, name: str) -> None:
    """Before any endpoint is asked: some of them would fail at it, and be taken for broken."""
    before = len(provider.used())
    answer = send(gateway.port, whole(REFUSED[name]))
    assert (answer.status, answer.error["code"]) == (400, "invalid_request")
    assert answer.headers["x-should-retry"] == "false"
    assert len(provider.used()) == before


@pytest.mark.parametrize("name", sorted(PASSED_ON))
def test_what_is_unusual_is_passed_on(gateway: Alone, name: str) -> None:
    """It is the endpoint's to judge."""
    assert send(gateway.port, whole(PASSED_ON[name])).status == 200


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"zstd", b"gzip, gzip", b"identity, gzip", b"x"])
def test_packed_bodies_are_not_unpacked(gateway: Alone, encoding: bytes) -> None:
    """Nothing grows by a thousand."""
    answer = send(gateway.port, whole(b"\x1f\x8b", b"Content-Encoding: " + encoding + b"\r\n"))
    assert (answer.status, answer.error["code"]) == (415, "unsupported_encoding")


@pytest.mark.parametrize("model", NAMES)
def test_a_models_name_is_nothing_but_a_name(gateway: Alone, model: str) -> None:
    """It becomes no header, no path and no address."""
    answer = send(gateway.port, whole(json.dumps({"model": model, "messages": []}).encode()))
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert len(answer.body) < 1_000
    assert "set-cookie" not in answer.headers


def test_other_types_of_content_are_read_as_json(gateway: Alone) -> None:
    """Clients differ in what they say; a form is none."""
    for kind in (b"text/plain", b"application/json; charset=utf-16", b"multipart/form-data; boundary=x"):
        answer = send(gateway.port, whole(chat(b'"a"'), b"Content-Type: " + kind + b"\r\n"))
        assert answer.status == 200


def test_who_leaves_in_the_middle_of_a_body_leaves_nothing_behind(gateway: Alone, provider: Process) -> None:
    """Half a request is none, however it is cut."""
    before = len(provider.used())
    for cut in range(1, 60, 7):
        with dial(gateway.port) as peer:
            peer.sendall(whole(chat(b'"a"'))[:-cut])
    with dial(gateway.port) as peer:
        peer.settimeout(WAIT_S)
        peer.sendall(whole(b"[]"))
        assert said(peer).status == 400
    assert len(provider.used()) == before
