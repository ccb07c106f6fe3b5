"""The body of a request: what the gateway must know of it, and the same body as it goes upstream.

Only the outermost fields are read; what is in them goes on byte for byte, so that fields of which the gateway
knows nothing pass through. A field that is written twice goes on once, as it was read: nobody upstream reads another
model than the one that was permitted.
"""

from __future__ import annotations

from typing import Any

import msgspec

from stargate.gateway.record import Operation
from stargate.gateway.serving.refusal import Refusal, malformed

FIELDS_LIMIT = 256
PREFIX_BYTES = 1_024
"""Of a prompt: what endpoints are told apart by that may have seen it."""
BYTES_PER_TOKEN = 4
"""Of English text, about; reservations and estimates count by it and say so."""
OUTPUT_TOKENS = 1_024
"""Expected of a request that names no limit of its own."""
_STREAMS = frozenset({"chat/completions", "completions", "responses"})
_PROMPTS = {
    "chat/completions": "messages",
    "completions": "prompt",
    "embeddings": "input",
    "responses": "input",
}

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_FLAG = msgspec.json.Decoder(bool | None)
_WHOLE = msgspec.json.Decoder(int | None)
_OPTIONS = msgspec.json.Decoder(dict[str, Any] | None)
_JSON = msgspec.json.Encoder()


class Asked(msgspec.Struct, gc=False):
    """A request as the gateway understands it."""

    operation: Operation
    model: str
    stream: bool
    usage_wanted: bool
    """The client asked to see usage in its stream."""
    input_tokens: int
    """By a rule of thumb, for reservations."""
    output_tokens: int
    """The most that it asks for; where it names no limit, what is expected."""
    prefix: bytes
    fields: dict[str, msgspec.Raw]
    options: dict[str, Any]

    def body(self, model: str) -> bytes:
        """As it goes to an endpoint that calls the model by that name; a stream always tells its usage."""
        fields: dict[str, Any] = dict(self.fields)
        if model != self.model:
            fields["model"] = model
        if self.stream and self.operation in ("chat/completions", "completions"):
            fields["stream_options"] = {**self.options, "include_usage": True}
        return _JSON.encode(fields)


def read(operation: Operation, data: bytes) -> Asked:
    """Raises Refusal where it is not a request that this operation knows."""
    try:
        fields = _FIELDS.decode(data)
        if not data.isascii():
            data.decode()  # what is inside the fields is read by nobody here, and not every endpoint survives it
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise malformed(f"the body must be a JSON object: {error}") from None
    if len(fields) > FIELDS_LIMIT:
        raise malformed(f"the body has {len(fields)} fields; the limit is {FIELDS_LIMIT}")
    model: str = _field(fields, "model", _TEXT, "a text, the name of a model")
    if not model and operation != "responses":  # there it may be left out
        raise malformed("`model` is missing; `GET /v1/models` lists what there is", "model")
    stream = bool(_field(fields, "stream", _FLAG, "true or false")) and operation in _STREAMS
    options = _field(fields, "stream_options", _OPTIONS, "an object") or {}
    prompt = fields.get(_PROMPTS[operation])
    if prompt is None and operation != "responses":
        raise malformed(f"`{_PROMPTS[operation]}` is missing", _PROMPTS[operation])
    said = b"" if prompt is None else bytes(memoryview(prompt)[:PREFIX_BYTES])
    return Asked(
        operation,
        model,
        stream,
        options.get("include_usage") is True,
        (0 if prompt is None else len(memoryview(prompt))) // BYTES_PER_TOKEN + 1,
        _output_tokens(operation, fields),
        said,
        fields,
        options,
    )


def _output_tokens(operation: Operation, fields: dict[str, msgspec.Raw]) -> int:
    if operation == "embeddings":
        return 0
    most: int | None = None
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        most = _field(fields, name, _WHOLE, "a whole number")
        if most is not None:
            if most < 0:
                raise malformed(f"`{name}` is below zero", name)
            break
    answers = _field(fields, "n", _WHOLE, "a whole number")
    if answers is not None and not 0 < answers <= 128:
        raise malformed("`n` must be from 1 to 128", "n")
    return (OUTPUT_TOKENS if most is None else min(most, 10_000_000)) * (answers or 1)


def _field(fields: dict[str, msgspec.Raw], name: str, kind: msgspec.json.Decoder[Any], wanted: str) -> Any:
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return kind.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise malformed(f"`{name}` must be {wanted}", name) from None


def oversized(limit: int) -> Refusal:
    """The body is larger than what is read."""
    return Refusal(
        413, "request_too_large", f"the body is larger than {limit:,} bytes, the limit of this gateway"
    )
