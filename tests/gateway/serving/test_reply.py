"""Errors of endpoints, in the many ways they are written, put into one."""

from __future__ import annotations

import json

import pytest

from stargate.gateway.serving.reply import error_in, is_object, shaped

OPENAI = b'{"error": {"message": "no", "type": "x", "param": null, "code": null}}'


def test_what_is_in_shape_stays_byte_for_byte() -> None:
    """Also with more beside it."""
    more = b'{"error":{"message":"no","type":"x","param":"a","code":"b","innererror":{"code":"c"}},"id":1}'
    assert shaped(OPENAI, "k") == OPENAI
    assert shaped(more, "k") == more


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error":{"code":400,"message":"no","type":"t"}}', ("no", "t", None, "400")),
        (b'{"error":{"code":null,"message":["a"],"type":1,"param":2}}', ("['a']", "k", None, None)),
        (b'{"error":"no"}', ("no", "k", None, None)),
        (b'{"object":"error","message":"no","type":"t","param":"p","code":1}', ("no", "t", "p", "1")),
        (b'{"detail":[{"loc":["body"],"msg":"no"}]}', ("", "k", None, None)),
        (b"<html>", ("", "k", None, None)),
        (b"", ("", "k", None, None)),
        (b"\xff", ("", "k", None, None)),
    ],
)
def test_other_shapes_are_read(body: bytes, error: tuple[str, str, str | None, str | None]) -> None:
    """Nobody is left without a message."""
    made = json.loads(shaped(body, "k"))["error"]
    assert set(made) == {"message", "type", "param", "code"}
    assert made["message"] == (error[0] or "the endpoint refuses this request, and does not say why")
    assert (made["type"], made["param"], made["code"]) == error[1:]


def test_what_else_an_error_tells_is_kept() -> None:
    """As a provider's reasons for filtering."""
    made = json.loads(shaped(b'{"error":{"message":"no","code":1,"innererror":{"a":1}}}', "k"))
    assert made["error"]["innererror"] == {"a": 1}


def test_an_error_may_come_as_an_answer() -> None:
    """And an answer may be none."""
    assert error_in(OPENAI) == "no"
    assert error_in(b'{"error":null,"choices":[]}') == error_in(b"[]") == ""
    assert is_object(b'{"a":1e999}')
    assert not any(
        is_object(body) for body in (b"", b"[]", b"null", b'{"a":"\xff"}', b"[" * 10_000, b"<html>")
    )
