"""Usage in the forms that endpoints write."""

from __future__ import annotations

import pytest

from stargate.gateway.record import Tokens
from stargate.gateway.serving.usage import usage_in


@pytest.mark.parametrize(
    ("said", "tokens"),
    [
        (b'{"usage":{"prompt_tokens":42,"completion_tokens":8,"total_tokens":50}}', Tokens(42, 0, 8, 0)),
        (b'{"usage":{"prompt_tokens":42,"completion_tokens":0}}', Tokens(42, 0, 0, 0)),
        (b'{"usage":{"prompt_tokens":9,"total_tokens":9}}', Tokens(9, 0, 0, 0)),
        (
            (
                b'{"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":6},"output_tokens":5,'
                b'"output_tokens_details":{"reasoning_tokens":4}}}'
            ),
            Tokens(7, 6, 5, 4),
        ),
        (
            b'{"usage":{"prompt_tokens":1,"completion_tokens":1,"completion_tokens_details":null}}',
            Tokens(1, 0, 1, 0),
        ),
    ],
)
def test_forms(said: bytes, tokens: Tokens) -> None:
    """Chat, an explicit zero, embeddings, responses, details that are null."""
    found = usage_in(said)
    assert found is not None
    assert found[0] == tokens
    assert found[1] in said


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b"[]",
        b'{"usage":null}',
        b'{"usage":{}}',
        b'{"usage":{"prompt_tokens":-1,"completion_tokens":2}}',
        b'{"usage":{"prompt_tokens":1.5}}',
        b'{"usage":{"prompt_tokens":10000000000}}',
        b'{"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":2}}}',
        b'{"usage":"lots"}',
    ],
)
def test_what_is_no_count_is_none(said: bytes) -> None:
    """It is counted in another way, and said so."""
    assert usage_in(said) is None
