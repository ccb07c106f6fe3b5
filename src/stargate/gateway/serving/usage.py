"""Usage as endpoints write it, in the forms of OpenAI's four operations, read into one count."""

from __future__ import annotations

import msgspec

from stargate.gateway.record import Tokens

COUNT_LIMIT = 10**9
"""No answer has more tokens: a larger count is not believed."""


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Response(msgspec.Struct, gc=False):
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Said(msgspec.Struct, gc=False):
    usage: msgspec.Raw = msgspec.Raw(b"null")
    response: _Response | None = None


_SAID = msgspec.json.Decoder(_Said)
_USAGE = msgspec.json.Decoder(_Usage | None)


def usage_in(document: bytes) -> tuple[Tokens, bytes] | None:
    """The count in a whole answer or in one event of a stream, and the text it was read from; None: it says none."""
    try:
        said = _SAID.decode(document)
        raw = said.usage if said.response is None else said.response.usage
        usage = _USAGE.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if usage is None:
        return None
    tokens = _tokens(usage)
    return None if tokens is None else (tokens, bytes(raw))


def _tokens(usage: _Usage) -> Tokens | None:
    """None where it is no count: numbers that are missing, below zero, or beyond belief."""
    took = usage.prompt_tokens if usage.prompt_tokens is not None else usage.input_tokens
    gave = usage.completion_tokens if usage.completion_tokens is not None else usage.output_tokens
    if took is None:
        return None
    inside = usage.prompt_tokens_details or usage.input_tokens_details or _Details()
    outside = usage.completion_tokens_details or usage.output_tokens_details or _Details()
    tokens = Tokens(took, inside.cached_tokens or 0, gave or 0, outside.reasoning_tokens or 0)
    believed = (
        0 <= tokens.cached_tokens <= tokens.input_tokens <= COUNT_LIMIT
        and 0 <= tokens.reasoning_tokens <= tokens.output_tokens <= COUNT_LIMIT
    )
    return tokens if believed else None
