"""A request, as far as its answer depends on it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from tests.gateway.provider.script import Script, read

Operation = Literal["chat/completions", "completions", "embeddings", "responses"]
TOKENS = 16
"""Of an answer, unless the request or its script says otherwise."""


class Ask(msgspec.Struct, frozen=True):
    """Equal ones are answered alike, byte for byte."""

    operation: Operation
    model: str
    stream: bool
    usage: bool
    """The stream is to end with its usage."""
    inputs: int
    """Tokens of input: its words, and three for each message."""
    parts: int
    """Inputs to embed."""
    base64: bool
    seed: int
    """Digest of the words."""
    outputs: int
    limited: bool
    """The output ends because it may not be longer."""
    tool: str
    """Name of the first tool offered: it is called."""
    script: Script


class _Options(msgspec.Struct):
    include_usage: bool = False


class _Body(msgspec.Struct):
    model: str = ""
    messages: list[dict[str, Any]] = []
    prompt: Any = ""
    input: Any = ""
    stream: bool | None = False
    stream_options: _Options | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    encoding_format: str = "float"
    mock: str = ""


_decode = msgspec.json.Decoder(_Body).decode


def ask(operation: Operation, body: bytes, header: str, mode: Script) -> Ask:
    """Read a body. Raises ValueError (msgspec's errors are)."""
    asked = _decode(body)
    model, _, named = asked.model.partition("?")
    script = read(text) if (text := asked.mock or header or named) else mode
    words = " ".join(_words((asked.messages, asked.prompt, asked.input)))
    limits = (asked.max_tokens, asked.max_completion_tokens, asked.max_output_tokens)
    limit = min((limit for limit in limits if limit is not None), default=script.tokens or TOKENS)
    wanted = script.tokens or TOKENS
    parts = len(asked.input) if isinstance(asked.input, list) else 1
    return Ask(
        operation=operation,
        model=model,
        stream=bool(asked.stream),
        usage=asked.stream_options is not None and asked.stream_options.include_usage,
        inputs=len(words.split()) + 3 * len(asked.messages),
        parts=parts,
        base64=asked.encoding_format == "base64",
        seed=zlib.crc32(words.encode()),
        outputs=0 if operation == "embeddings" else min(limit, wanted),
        limited=limit < wanted,
        tool=_tool(asked.tools),
        script=script,
    )


def inputs(messages: list[dict[str, Any]]) -> int:
    """Tokens of a chat."""
    return len(" ".join(_words(messages)).split()) + 3 * len(messages)


def _words(content: Any) -> Iterator[str]:
    """Every text in a content, however deep, but for what only names its kind."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, int):
        yield str(content)
    elif isinstance(content, list | tuple):
        for part in content:
            yield from _words(part)
    elif isinstance(content, dict):
        for name, value in content.items():
            if name not in {"role", "type"}:
                yield from _words(value)


def _tool(tools: list[dict[str, Any]] | None) -> str:
    if not tools:
        return ""
    return str(tools[0].get("function", tools[0]).get("name", ""))


def quoted(text: str) -> str:
    """As JSON."""
    return json.dumps(text)
