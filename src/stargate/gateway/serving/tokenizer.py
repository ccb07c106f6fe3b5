"""Counting by an endpoint's own tokenizer what it does not count itself: the texts that went in and came out.

vLLM and llama.cpp cut texts at `/tokenize`, each with words of its own for the same thing: both are said. What
surrounds the messages of a chat is counted where the endpoint takes a chat (vLLM); else only its texts are.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from stargate.base.errors import ProviderError
from stargate.gateway.record import Endpoint, Tokens
from stargate.gateway.serving.body import Asked
from stargate.gateway.upstream import Patience, Upstream

PATIENCE = Patience(first_byte_s=2.0, idle_s=2.0, total_s=2.0)
"""The last byte of an answer may wait for a count, but not for long."""
ANSWER_BYTES = 16 << 20
TEXT_LIMIT = 4 << 20
"""Characters; more are estimated."""
TEXTS_LIMIT = 16
"""Answers to one request that are counted apart."""
_JSON = msgspec.json.Encoder()
_ANY = msgspec.json.Decoder()
_PROMPTS = ("messages", "prompt", "input", "instructions")


class _Cut(msgspec.Struct):
    count: int | None = None
    tokens: list[msgspec.Raw] = []


_CUT = msgspec.json.Decoder(_Cut)


class Tokenizer:
    """One endpoint's."""

    def __init__(self, upstream: Upstream, endpoint: Endpoint, headers: list[tuple[str, str]]) -> None:
        """`headers` show our key there."""
        self._upstream = upstream
        self._headers = [("content-type", "application/json"), *headers]
        self._url = endpoint.url.removesuffix("/v1") + endpoint.tokenize_path
        self._model = endpoint.upstream_model or endpoint.model

    async def count(self, asked: Asked, answers: Iterable[str]) -> Tokens | None:
        """What a request with these answers took; None: it does not say now, or they are too long or too many."""
        texts = list(answers)
        fields = {name: _ANY.decode(asked.fields[name]) for name in _PROMPTS if name in asked.fields}
        said = "\n".join(_texts(fields))
        if len(texts) > TEXTS_LIMIT or len(said) + sum(map(len, texts)) > TEXT_LIMIT:
            return None
        try:
            async with asyncio.timeout(PATIENCE.total_s):
                took = await self._chat(fields) or await self._text(said)
                gave = [await self._text(text) for text in texts]
        except (ProviderError, TimeoutError, msgspec.MsgspecError, ValueError):
            return None
        return Tokens(took, 0, sum(gave))

    async def _chat(self, fields: Mapping[str, Any]) -> int:
        """0: it takes no chats."""
        if "messages" not in fields:
            return 0
        try:
            return await self._cut({"messages": fields["messages"], "add_generation_prompt": True})
        except (_RefusedError, msgspec.MsgspecError):
            return 0

    async def _text(self, text: str) -> int:
        if not text:
            return 0
        found = await self._cut(
            {"prompt": text, "content": text, "add_special_tokens": False, "add_special": False}
        )
        if not found:
            raise _RefusedError  # no text is nothing
        return found

    async def _cut(self, fields: Mapping[str, Any]) -> int:
        body = _JSON.encode({"model": self._model, **fields})
        answer = await self._upstream.send(self._url, self._headers, body, PATIENCE)
        try:
            said = await answer.whole(ANSWER_BYTES)
        finally:
            await answer.close()
        if answer.status != 200:
            raise _RefusedError
        cut = _CUT.decode(said)
        return len(cut.tokens) if cut.count is None else max(0, cut.count)


class _RefusedError(ValueError):
    """It answers with an error."""


def whole_texts(body: bytes) -> list[str]:
    """What an answer says, by choice."""
    try:
        return list(_choices([_ANY.decode(body)]).values())
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return []


def stream_texts(stream: bytes) -> list[str]:
    """What the events of a stream say, put together by choice."""

    def events() -> Iterator[Any]:
        for line in stream.splitlines():
            if line.startswith(b"data:"):
                try:
                    yield _ANY.decode(line[5:])
                except (msgspec.MsgspecError, UnicodeError, RecursionError):
                    continue

    return list(_choices(events()).values())


def _choices(documents: Iterable[Any]) -> dict[Any, str]:
    found: defaultdict[Any, list[str]] = defaultdict(list)
    for document in documents:
        if not isinstance(document, dict):
            continue
        if str(document.get("type", "")).endswith(".delta"):
            found["output"] += _texts(document.get("delta"))
        for item in _list(document.get("output")):
            found["output"] += _texts({name: item.get(name) for name in ("content", "arguments", "name")})
        for place, choice in enumerate(_list(document.get("choices"))):
            where = choice.get("index", place)
            for part in ("delta", "message", "text"):
                found[where if isinstance(where, int) else place] += _texts(choice.get(part))
    return {name: "".join(texts) for name, texts in found.items() if texts}


def _list(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> Iterator[str]:
    """Every text in it but those that only name what others are."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in ("role", "type", "id", "call_id", "index", "finish_reason"):
                yield from _texts(each)
