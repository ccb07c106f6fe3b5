"""What is asked is checked line by line; what is answered is written in the order of what was asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stargate.base.time import Instant
from stargate.gateway.batch import LINE_BYTES_LIMIT, LINES_LIMIT
from stargate.server.batches.lines import TROUBLES_LIMIT, check, written
from stargate.server.batches.record import Answered, Batch

MODELS = {"tiny"}
BATCH = Batch("batch_ab", "key", "chat/completions", "file-1", Instant(0), Instant(1), 3_600)


def line(id: str = "a", **changes: Any) -> dict[str, Any]:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}
    return {"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body} | changes


def text(*lines: Any) -> list[bytes]:
    return [each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in lines]


def codes(*lines: Any) -> list[tuple[str, int | None]]:
    return [(each.code, each.line) for each in check(text(*lines), "chat/completions", MODELS).troubles]


def test_a_good_input_says_how_much_it_asks_of_which_model() -> None:
    found = check(text(line("a"), b"\n", b"  \r\n", line("b")), "chat/completions", MODELS)
    assert (found.lines, found.model, found.troubles) == (2, "tiny", ())


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (b"{\n", "invalid_json_line"),
        (b"\xff\xfe\n", "invalid_json_line"),
        (b"[1]\n", "invalid_request"),
        (b"[" * 100_000 + b"\n", "invalid_request"),
        (line("b", extra=1), "invalid_request"),
        (line(""), "invalid_request"),
        (line("x" * 513), "invalid_request"),
        ({"custom_id": "b"}, "invalid_request"),
        (line("b", method="GET"), "invalid_method"),
        (line("b", url="/v1/embeddings"), "invalid_url"),
        (line("b", url="http://169.254.169.254/"), "invalid_url"),
        (line("b", body=[]), "invalid_request"),
        (line("b", body={"messages": []}), "invalid_request"),
        (line("b", body={"model": "tiny"}), "invalid_request"),
        (line("b", body={"model": "tiny", "messages": [], "stream": True}), "invalid_request"),
        (line("b", body={"model": "other", "messages": []}), "mismatched_model"),
        (line("a"), "duplicate_custom_id"),
        (json.dumps(line("b", body={"model": "x" * LINE_BYTES_LIMIT})).encode(), "line_too_large"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(wrong: Any, code: str) -> None:
    assert codes(line("a"), wrong) == [(code, 2)]


def test_a_model_that_nobody_may_ask_for_is_named_once() -> None:
    other = line(body={"model": "big", "messages": []})
    assert codes(other, other | {"custom_id": "b"}) == [("model_not_found", None)]


def test_a_file_without_requests_is_wrong() -> None:
    assert codes() == codes(b"\n", b"  \n") == [("empty_file", None)]


def test_requests_and_what_is_said_of_them_are_bounded() -> None:
    many = [
        b'{"custom_id":"%d","method":"POST","url":"/v1/chat/completions","body":{}}\n' % number
        for number in range(300)
    ]
    assert len(check(many, "chat/completions", MODELS).troubles) == TROUBLES_LIMIT
    good = (
        b'{"custom_id":"%d","method":"POST","url":"/v1/chat/completions","body":{"model":"tiny","messages":[]}}\n'
        % number
        for number in range(LINES_LIMIT + 1)
    )
    (trouble,) = check(good, "chat/completions", MODELS).troubles
    assert trouble.code == "too_many_requests"


def test_each_request_gets_one_line_in_its_order_whatever_came_when() -> None:
    asked = text(line("a"), b"\n", line("b"), line("c"), line("d"))
    answers = [
        Answered(0, 200, "req_1", b'{\n "text": "one\\ntwo"\r\n}'),
        Answered(1, 400, "req_2", b'{"error": {"code": "no"}}'),
        Answered(3, 0, "req_3", b'{"code": "answer_too_large", "message": "it is"}'),
    ]
    ended = BATCH.moved("finalizing", Instant(1), end="expired", lines=4)
    found = list(written(ended, asked, answers))
    assert [good for good, _ in found] == [True, False, False, False]
    assert all(text.endswith(b"\n") and text.count(b"\n") == 1 for _, text in found)
    one, two, three, four = (json.loads(text) for _, text in found)
    assert [each["custom_id"] for each in (one, two, three, four)] == ["a", "b", "c", "d"]
    assert one["response"] == {"status_code": 200, "request_id": "req_1", "body": {"text": "one\ntwo"}}
    assert (one["error"], two["response"]["status_code"], two["error"]) == (None, 400, None)
    assert (three["response"], three["error"]["code"]) == (None, "batch_expired")
    assert (four["response"], four["error"]["code"]) == (None, "answer_too_large")
    assert len({each["id"] for each in (one, two, three, four)}) == 4
