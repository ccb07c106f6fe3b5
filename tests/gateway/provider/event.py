"""What a stream says, event by event, before it is put into bytes; and the same said at once."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from stargate.gateway.record import Tokens
from tests.gateway.provider.ask import Ask, Operation
from tests.gateway.provider.tally import usage

CREATED_S = 1_760_000_000
DIMENSIONS = 8
NOTHING = Tokens()


class Event(msgspec.Struct, frozen=True):
    """One event and the tokens that it brings."""

    data: str
    name: str = ""
    used: Tokens = NOTHING


def word(ask: Ask, nth: int) -> str:
    """The output token at a place."""
    return f"w{(ask.seed + nth * 7_919) % 1_000:03d} "


def begun(ask: Ask) -> Tokens:
    """What the first event brings: the input."""
    return Tokens(ask.inputs, min(ask.script.cached, ask.inputs))


def so_far(ask: Ask, count: int) -> Tokens:
    """What has been used once so many tokens are out."""
    return Tokens(ask.inputs, min(ask.script.cached, ask.inputs), count, min(ask.script.reasoning, count))


def whole(ask: Ask) -> Tokens:
    """What the whole answer uses."""
    return so_far(ask, ask.outputs)


def stated(ask: Ask, used: Tokens) -> dict[str, Any]:
    """Usage as the answer says it."""
    said = NOTHING if "zero-usage" in ask.script.play else used
    if ask.operation != "responses":
        return usage(said)
    return {
        "input_tokens": said.input_tokens,
        "input_tokens_details": {"cached_tokens": said.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": said.output_tokens,
        "output_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
        "total_tokens": said.input_tokens + said.output_tokens,
    }


def _id(ask: Ask) -> str:
    kind = {"completions": "cmpl-", "responses": "resp_"}.get(ask.operation, "chatcmpl-")
    return f"{kind}{ask.seed:08x}"


def _text(ask: Ask, first: int = 0) -> str:
    return "".join(word(ask, nth) for nth in range(first, ask.outputs))


def _finish(ask: Ask) -> str:
    return "length" if ask.limited else "tool_calls" if ask.tool else "stop"


def _call(ask: Ask, arguments: str, index: int | None = None) -> dict[str, Any]:
    call = {
        "id": f"call_{ask.seed:08x}",
        "type": "function",
        "function": {"name": ask.tool, "arguments": arguments},
    }
    return call if index is None else {"index": index, **call}


# --- at once -------------------------------------------------------------------------------------


def body(ask: Ask) -> dict[str, Any]:
    """An answer that does not stream."""
    said = _BODIES[ask.operation](ask)
    if "no-usage" not in ask.script.play:
        said["usage"] = stated(ask, whole(ask))
    return said


def _head(ask: Ask, kind: str) -> dict[str, Any]:
    return {"id": _id(ask), "object": kind, "created": CREATED_S, "model": ask.model}


def _chat(ask: Ask) -> dict[str, Any]:
    thought = "".join(word(ask, nth) for nth in range(min(ask.script.reasoning, ask.outputs)))
    message: dict[str, Any] = {
        "role": "assistant",
        "content": _text(ask, ask.script.reasoning),
        "refusal": None,
    }
    if thought:
        message["reasoning_content"] = thought
    if ask.tool:
        message.update(content=None, tool_calls=[_call(ask, json.dumps({"words": _text(ask)}))])
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(ask)}
    return {**_head(ask, "chat.completion"), "choices": [choice]}


def _completion(ask: Ask) -> dict[str, Any]:
    choice = {"index": 0, "text": _text(ask), "logprobs": None, "finish_reason": _finish(ask)}
    return {**_head(ask, "text_completion"), "choices": [choice]}


def _embeddings(ask: Ask) -> dict[str, Any]:
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(ask, index)}
        for index in range(ask.parts)
    ]
    return {"object": "list", "model": ask.model, "data": data}


def _vector(ask: Ask, index: int) -> str | list[float]:
    numbers = [((ask.seed + index * 31 + n * 17) % 257) / 256 for n in range(DIMENSIONS)]
    if ask.base64:
        return base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *numbers)).decode()
    return numbers


def _response(ask: Ask, status: str, text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    message = {"id": f"msg_{ask.seed:08x}", "type": "message", "role": "assistant", "status": status}
    return {
        "id": _id(ask),
        "object": "response",
        "created_at": CREATED_S,
        "status": status,
        "model": ask.model,
        "output": [{**message, "content": content}] if text else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
    }


def _responded(ask: Ask) -> dict[str, Any]:
    return _response(ask, "completed", _text(ask))


_BODIES: dict[Operation, Callable[[Ask], dict[str, Any]]] = {
    "chat/completions": _chat,
    "completions": _completion,
    "embeddings": _embeddings,
    "responses": _responded,
}


# --- event by event ------------------------------------------------------------------------------


def events(ask: Ask) -> Iterator[Event]:
    """A stream, the terminal `[DONE]` included where it is said."""
    if ask.operation == "responses":
        yield from _responding(ask)
        return
    yield from _chunks(ask)
    if "no-done" not in ask.script.play:
        yield Event("[DONE]")


def _chunk(ask: Ask, delta: dict[str, Any] | str, finish: str | None, used: Tokens, total: Tokens) -> Event:
    chat = ask.operation == "chat/completions"
    spoken = {"delta": delta} if chat else {"text": delta}
    choice = {"index": 0, **spoken, "logprobs": None, "finish_reason": finish}
    said = {**_head(ask, "chat.completion.chunk" if chat else "text_completion"), "choices": [choice]}
    if "continuous" in ask.script.play:
        said["usage"] = stated(ask, total)
    elif "nulls" in ask.script.play:
        said["usage"] = None
    return Event(json.dumps(said, separators=(",", ":")), used=used)


def _chunks(ask: Ask) -> Iterator[Event]:
    chat = ask.operation == "chat/completions"
    brought = begun(ask)
    if "empty-choices" in ask.script.play:
        yield Event(json.dumps({**_head(ask, "chat.completion.chunk"), "choices": []}), used=brought)
        brought = NOTHING
    if chat:
        first: dict[str, Any] = {"role": "assistant", "content": None if ask.tool else ""}
        if ask.tool:
            first["tool_calls"] = [_call(ask, '{"words": "', 0)]
        yield _chunk(ask, first, None, brought, begun(ask))
        brought = NOTHING
    for nth in range(ask.outputs):
        used = Tokens(brought.input_tokens, brought.cached_tokens, 1, int(nth < ask.script.reasoning))
        brought = NOTHING
        yield _chunk(ask, _delta(ask, nth), None, used, so_far(ask, nth + 1))
    if ask.tool and chat:
        last = {"tool_calls": [{"index": 0, "function": {"arguments": '"}'}}]}
        yield _chunk(ask, last, None, NOTHING, whole(ask))
    yield _chunk(ask, {} if chat else "", _finish(ask), brought, whole(ask))
    if ask.usage and "no-usage" not in ask.script.play:
        kind = "chat.completion.chunk" if chat else "text_completion"
        said = {**_head(ask, kind), "choices": [], "usage": stated(ask, whole(ask))}
        yield Event(json.dumps(said, separators=(",", ":")))


def _delta(ask: Ask, nth: int) -> dict[str, Any] | str:
    text = word(ask, nth)
    if ask.operation == "completions":
        return text
    if ask.tool:
        return {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
    return {"reasoning_content": text} if nth < ask.script.reasoning else {"content": text}


def _responding(ask: Ask) -> Iterator[Event]:
    number = iter(range(1 << 62))

    def say(name: str, used: Tokens = NOTHING, **fields: Any) -> Event:
        told = {"type": name, "sequence_number": next(number), **fields}
        return Event(json.dumps(told, separators=(",", ":")), name, used)

    at: dict[str, Any] = {"item_id": f"msg_{ask.seed:08x}", "output_index": 0, "content_index": 0}
    yield say("response.created", begun(ask), response=_response(ask, "in_progress", ""))
    for nth in range(ask.outputs):
        yield say(
            "response.output_text.delta", Tokens(output_tokens=1), **at, delta=word(ask, nth), logprobs=[]
        )
    yield say("response.output_text.done", **at, text=_text(ask), logprobs=[])
    response = _responded(ask)
    if "no-usage" not in ask.script.play:
        response["usage"] = stated(ask, whole(ask))
    yield say("response.completed", response=response)
