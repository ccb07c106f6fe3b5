"""Bodies: what is read of them, and what goes upstream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.gateway.serving.body import read
from stargate.gateway.serving.refusal import Refusal

CHAT: dict[str, Any] = {"model": "lm-6", "messages": [{"role": "user", "content": "Hello"}]}


def sent(operation: Any = "chat/completions", upstream: str = "lm-6", **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        read(operation, json.dumps({**CHAT, **fields}).encode()).body(upstream)
    )
    return found


def test_unknown_fields_pass_through() -> None:
    """A gateway is not the last to learn of them."""
    assert sent(brand_new={"a": [1, None]}, n=2) == {**CHAT, "brand_new": {"a": [1, None]}, "n": 2}


def test_a_stream_always_tells_its_usage() -> None:
    """Whether the client wants to see it is another question."""
    assert sent(stream=True)["stream_options"] == {"include_usage": True}
    options = {"include_obfuscation": False, "include_usage": False}
    assert sent(stream=True, stream_options=options)["stream_options"] == {
        "include_obfuscation": False,
        "include_usage": True,
    }
    assert "stream_options" not in sent()
    wanted = read(
        "chat/completions",
        json.dumps({**CHAT, "stream": True, "stream_options": {"include_usage": True}}).encode(),
    )
    assert wanted.usage_wanted


def test_an_endpoint_may_call_the_model_otherwise() -> None:
    """Clients need not know."""
    assert sent(upstream="vendor/lm-6-fp8")["model"] == "vendor/lm-6-fp8"


def test_a_field_that_is_written_twice_goes_on_once_as_it_was_read() -> None:
    """What was permitted is what is asked for."""
    asked = read("chat/completions", b'{"model":"forbidden","messages":[],"model":"allowed"}')
    assert asked.model == "allowed"
    assert asked.body("allowed").count(b"model") == 1


def test_numbers_and_texts_go_on_as_they_were_written() -> None:
    """A seed of 64 bits and an emoji are nobody's to round."""
    data = (
        b'{"model":"m","messages":[{"content":"\\ud83d\\ude00 1.10"}],"seed":18446744073709551615,'
        b'"temperature":1.10}'
    )
    body = read("chat/completions", data).body("m")
    assert b'"seed":18446744073709551615' in body
    assert b'"temperature":1.10' in body
    assert b"\\ud83d\\ude00" in body


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "JSON object"),
        (b"[]", "JSON object"),
        (b'{"messages":[]}', "`model` is missing"),
        (b'{"model":3,"messages":[]}', "`model` must be"),
        (b'{"model":"m"}', "`messages` is missing"),
        (b'{"model":"m","messages":[],"stream":"yes"}', "`stream` must be"),
        (b'{"model":"m","messages":[],"max_tokens":-1}', "below zero"),
        (b'{"model":"m","messages":[],"n":0}', "`n` must be"),
        (b'{"model":"m","messages":[],"n":1e99}', "`n` must be"),
        (b'{"model":"m","messages":[],"stream_options":[]}', "`stream_options` must be"),
        (b'{"model":"\xff"}', ""),
        (b"[" * 100_000, ""),
    ],
)
def test_what_is_no_request_is_refused_and_says_why(data: bytes, says: str) -> None:
    """As a fault of the request, which no other try will mend."""
    with pytest.raises(Refusal) as caught:
        read("chat/completions", data)
    assert caught.value.status == 400
    assert says in caught.value.message
    assert ("x-should-retry", "false") in caught.value.headers


@given(
    st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(), max_size=6)
)
def test_any_object_is_read_or_refused(fields: dict[str, Any]) -> None:
    """Nothing else comes out."""
    data = json.dumps({**fields, **CHAT}).encode()
    try:
        asked = read("chat/completions", data)
    except Refusal:
        return
    assert json.loads(asked.body("lm-6"))["messages"] == CHAT["messages"]
